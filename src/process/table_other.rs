//! The process table where there is no `/proc`: identity by pid alone, no sweep. Untested.

use rustix::process::{Pid, getsid, test_kill_process};
use std::path::Path;

/// One row of the process table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Process {
    /// Process id.
    pub pid: i32,
    /// Parent's process id; 0, because it is not known here.
    pub parent: i32,
    /// Session id.
    pub session: i32,
    /// Always 0 here.
    pub start_time: u64,
    /// Always false here.
    pub zombie: bool,
}

/// The process of that id, unless there is none.
#[must_use]
pub fn process(pid: i32) -> Option<Process> {
    let id = Pid::from_raw(pid)?;
    test_kill_process(id).ok()?;
    let session = getsid(Some(id)).map_or(0, |s| s.as_raw_nonzero().get());
    Some(Process { pid, parent: 0, session, start_time: 0, zombie: false })
}

/// Nothing: the table cannot be listed here.
#[must_use]
pub fn session_members(_session: i32) -> Vec<Process> {
    Vec::new()
}

/// Nothing: the table cannot be listed here.
#[must_use]
pub fn descendants(_pid: i32) -> Vec<Process> {
    Vec::new()
}

/// Nothing: environments cannot be read here.
#[must_use]
pub fn marked(_name: &str, _path: &Path) -> Vec<Process> {
    Vec::new()
}

/// Nothing: the table cannot be listed here.
#[must_use]
pub fn zombie_children(_pid: i32) -> Vec<i32> {
    Vec::new()
}
