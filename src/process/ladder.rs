use super::Identity;
use rustix::process::Signal;
use std::time::Duration;

/// The steps by which a process is ended: SIGTERM, patience, SIGTERM, patience, SIGKILL.
#[derive(Debug, Clone, Copy)]
pub struct Ladder {
    /// Patience after the first SIGTERM.
    pub first: Duration,
    /// Patience after the second. A drain of `codex app-server` is cut short by it.
    pub second: Duration,
}

impl Default for Ladder {
    fn default() -> Self {
        Self { first: Duration::from_secs(10), second: Duration::from_secs(2) }
    }
}

impl Ladder {
    /// Ends the process; returns when it is gone, or 2 s after SIGKILL. True when it is gone.
    pub async fn end(&self, target: &Identity) -> bool {
        for (signal, patience) in [
            (Signal::TERM, self.first),
            (Signal::TERM, self.second),
            (Signal::KILL, Duration::from_secs(2)),
        ] {
            match target.signal(signal) {
                Ok(true) => {}
                Ok(false) => return true,
                Err(error) => tracing::warn!(%error, "a signal was refused"),
            }
            if target.ended_within(patience).await {
                return true;
            }
        }
        !target.alive()
    }
}

/// Ends all of them: SIGTERM, up to `patience` together, then SIGKILL. Returns how many had to be ended.
pub async fn end_all(targets: &[Identity], patience: Duration) -> usize {
    let mut reached = 0;
    for target in targets {
        reached += usize::from(target.signal(Signal::TERM).unwrap_or(false));
    }
    let deadline = tokio::time::Instant::now() + patience;
    for target in targets {
        let left = deadline.saturating_duration_since(tokio::time::Instant::now());
        if !target.ended_within(left).await {
            let _ = target.signal(Signal::KILL);
        }
    }
    for target in targets {
        target.ended_within(Duration::from_secs(1)).await;
    }
    reached
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::{Io, Spawn};

    #[tokio::test]
    async fn a_process_that_ignores_sigterm_is_killed() {
        let mut child = Spawn::new("/bin/sh")
            .args(["-c", "trap '' TERM; echo ready; while :; do sleep 1; done"])
            .env("PATH", "/usr/bin:/bin")
            .stdout(Io::Pipe)
            .start()
            .unwrap();
        let mut out = child.stdout.take().unwrap();
        let mut buffer = [0; 6];
        tokio::io::AsyncReadExt::read_exact(&mut out, &mut buffer).await.unwrap();
        let id = Identity::of(i32::try_from(child.id().unwrap()).unwrap()).unwrap();
        let brief = Ladder { first: Duration::from_millis(50), second: Duration::from_millis(50) };
        assert!(brief.end(&id).await);
        assert!(!id.alive());
    }

    #[tokio::test]
    async fn a_later_process_with_the_same_pid_is_left_alone() {
        let own = Identity::own().unwrap();
        let stranger = Identity { start_time: own.start_time + 1, ..own };
        assert!(own.alive());
        assert!(!stranger.alive());
        assert!(!stranger.signal(Signal::KILL).unwrap());
    }
}
