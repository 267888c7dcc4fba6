use serde::{Deserialize, Serialize};

/// A process that cannot be taken for another one with the same number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ProcessMark {
    pub(super) pid: i32,
    /// Clock ticks since boot (`/proc/<pid>/stat`, field 22); 0 where there is no `/proc`.
    pub(super) start_time: u64,
}

impl ProcessMark {
    pub(super) fn current() -> Self {
        let pid = rustix::process::getpid().as_raw_nonzero().get();
        Self { pid, start_time: start_time(pid).unwrap_or(0) }
    }

    /// Whether that very process still lives; a zombie does not.
    pub(super) fn alive(&self) -> bool {
        let Some(pid) = rustix::process::Pid::from_raw(self.pid) else { return false };
        match start_time(self.pid) {
            Some(start) => start == self.start_time,
            None if std::path::Path::new("/proc/self/stat").exists() => false,
            // No /proc (macOS): a permission error still means that it is there.
            None => {
                !matches!(rustix::process::test_kill_process(pid), Err(rustix::io::Errno::SRCH))
            }
        }
    }
}

fn start_time(pid: i32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The command, in parentheses, may hold anything; the fields after it are plain.
    let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace();
    let state = fields.next()?;
    let start = fields.nth(18)?.parse().ok()?;
    (state != "Z" && state != "X").then_some(start)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_alone_is_no_identity() {
        let me = ProcessMark::current();
        assert!(me.alive());
        assert!(!ProcessMark { start_time: me.start_time + 1, ..me.clone() }.alive());
        assert!(!ProcessMark { pid: i32::MAX, ..me }.alive());
    }
}
