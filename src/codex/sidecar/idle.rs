use crate::codex::activity::Activity;
use std::time::Duration;
use tokio::time::Instant;

/// How long a turn that waits for an approval keeps codex alive without a server.
const APPROVAL: Duration = Duration::from_secs(24 * 3600);

/// Decides when codex has been alone for long enough.
#[derive(Debug)]
pub(super) struct Idle {
    limit: Duration,
    quiet_since: Instant,
    alone_since: Instant,
}

impl Idle {
    pub(super) fn new(limit: Duration, now: Instant) -> Self {
        Self { limit, quiet_since: now, alone_since: now }
    }

    /// A server is connected.
    pub(super) fn served(&mut self, now: Instant) {
        self.quiet_since = now;
        self.alone_since = now;
    }

    /// Whether it is time to ask what the app-server does.
    pub(super) fn due(&self, now: Instant) -> bool {
        now.duration_since(self.quiet_since) >= self.limit
    }

    /// Takes the answer; true when codex is to be ended. An app-server that does not answer is quiet.
    pub(super) fn judge(&mut self, activity: Option<Activity>, now: Instant) -> bool {
        let busy = match activity {
            Some(Activity::Running) => true,
            Some(Activity::Waiting) => now.duration_since(self.alone_since) < APPROVAL,
            Some(Activity::Quiet) | None => false,
        };
        if busy {
            self.quiet_since = now;
        }
        !busy
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_running_turn_keeps_codex_and_an_approval_for_a_day() {
        let start = Instant::now();
        let later = start + Duration::from_secs(61);
        let mut idle = Idle::new(Duration::from_secs(60), start);
        assert!(!idle.due(start));
        assert!(idle.due(later));
        assert!(!idle.judge(Some(Activity::Running), later));
        assert!(!idle.due(later));
        assert!(!idle.judge(Some(Activity::Waiting), later));
        let next_day = later + APPROVAL;
        assert!(idle.judge(Some(Activity::Waiting), next_day));
        assert!(!idle.judge(Some(Activity::Running), next_day));
        idle.served(next_day);
        assert!(!idle.due(next_day));
        assert!(idle.judge(None, next_day));
    }
}
