use super::{Process, ProcessError, process};
use rustix::process::{Pid, Signal};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// A process that cannot be mistaken for a later one with the same pid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// Process id.
    pub pid: i32,
    /// Clock ticks since boot at which it started.
    pub start_time: u64,
    /// Session id when it was recorded.
    pub session: i32,
}

impl From<Process> for Identity {
    fn from(p: Process) -> Self {
        Self { pid: p.pid, start_time: p.start_time, session: p.session }
    }
}

impl Identity {
    /// The process that has this id now.
    #[must_use]
    pub fn of(pid: i32) -> Option<Self> {
        process(pid).map(Self::from)
    }

    /// The calling process.
    #[must_use]
    pub fn own() -> Option<Self> {
        Self::of(rustix::process::getpid().as_raw_nonzero().get())
    }

    /// Whether the process still runs (a zombie does not).
    #[must_use]
    pub fn alive(&self) -> bool {
        process(self.pid).is_some_and(|p| p.start_time == self.start_time && !p.zombie)
    }

    /// Sends a signal; false when the process is gone already.
    ///
    /// # Errors
    /// [`ProcessError::Signal`] when the system forbids it.
    pub fn signal(&self, signal: Signal) -> Result<bool, ProcessError> {
        match self.send(signal) {
            Ok(sent) => Ok(sent),
            Err(rustix::io::Errno::SRCH) => Ok(false),
            Err(error) => Err(ProcessError::Signal { pid: self.pid, source: error.into() }),
        }
    }

    /// The pidfd is taken first and the start time compared after: what the pidfd names cannot change.
    #[cfg(target_os = "linux")]
    fn send(&self, signal: Signal) -> rustix::io::Result<bool> {
        use rustix::process::{PidfdFlags, pidfd_open, pidfd_send_signal};
        let Some(pid) = Pid::from_raw(self.pid) else { return Ok(false) };
        let handle = pidfd_open(pid, PidfdFlags::empty())?;
        if !self.alive() {
            return Ok(false);
        }
        pidfd_send_signal(&handle, signal).map(|()| true)
    }

    #[cfg(not(target_os = "linux"))]
    fn send(&self, signal: Signal) -> rustix::io::Result<bool> {
        let Some(pid) = Pid::from_raw(self.pid) else { return Ok(false) };
        if !self.alive() {
            return Ok(false);
        }
        rustix::process::kill_process(pid, signal).map(|()| true)
    }

    /// Waits until the process has ended, at most `limit`; true when it has.
    pub async fn ended_within(&self, limit: Duration) -> bool {
        tokio::time::timeout(limit, self.ended()).await.is_ok() || !self.alive()
    }

    async fn ended(&self) {
        while self.alive() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}
