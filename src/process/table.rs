use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// One row of the process table, from `/proc/<pid>/stat`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Process {
    /// Process id.
    pub pid: i32,
    /// Parent's process id.
    pub parent: i32,
    /// Session id.
    pub session: i32,
    /// Clock ticks since boot at which it started (field 22).
    pub start_time: u64,
    /// Whether it has ended and only waits to be reaped.
    pub zombie: bool,
}

/// The process of that id, unless there is none.
#[must_use]
pub fn process(pid: i32) -> Option<Process> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    parse(pid, &stat)
}

/// The name may hold spaces and parentheses: fields are counted from the last `)`.
fn parse(pid: i32, stat: &str) -> Option<Process> {
    let fields: Vec<&str> = stat.get(stat.rfind(')')? + 1..)?.split_whitespace().collect();
    Some(Process {
        pid,
        zombie: matches!(*fields.first()?, "Z" | "X"),
        parent: fields.get(1)?.parse().ok()?,
        session: fields.get(3)?.parse().ok()?,
        start_time: fields.get(19)?.parse().ok()?,
    })
}

fn all() -> Vec<Process> {
    let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
    entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter_map(process)
        .collect()
}

/// The living processes of a session, in no order.
#[must_use]
pub fn session_members(session: i32) -> Vec<Process> {
    all().into_iter().filter(|p| p.session == session && !p.zombie).collect()
}

/// The living processes below `pid`, however deep, without itself.
#[must_use]
pub fn descendants(pid: i32) -> Vec<Process> {
    let table = all();
    let mut found = Vec::new();
    let mut parents = vec![pid];
    while let Some(parent) = parents.pop() {
        for child in table.iter().filter(|p| p.parent == parent && p.pid != pid) {
            parents.push(child.pid);
            if !child.zombie {
                found.push(*child);
            }
        }
    }
    found
}

/// The children of `pid` that have ended and wait to be reaped.
#[must_use]
pub fn zombie_children(pid: i32) -> Vec<i32> {
    all().into_iter().filter(|p| p.parent == pid && p.zombie).map(|p| p.pid).collect()
}

/// The living processes whose environment has `name` with a value that is `path` or lies below it.
/// A process whose environment may not be read (another user's) is left out.
#[must_use]
pub fn marked(name: &str, path: &Path) -> Vec<Process> {
    all().into_iter().filter(|p| !p.zombie && carries(p.pid, name, path)).collect()
}

fn carries(pid: i32, name: &str, path: &Path) -> bool {
    let Ok(environ) = std::fs::read(format!("/proc/{pid}/environ")) else { return false };
    environ.split(|b| *b == 0).any(|variable| {
        variable
            .strip_prefix(name.as_bytes())
            .and_then(|rest| rest.strip_prefix(b"="))
            .is_some_and(|value| Path::new(std::ffi::OsStr::from_bytes(value)).starts_with(path))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_parentheses_does_not_shift_the_fields() {
        let stat = "7 (a) b (c) S 1 7 3 0 -1 4194304 1 2 3 4 5 6 7 8 20 0 1 0 991 5 6";
        let row = parse(7, stat).unwrap();
        assert_eq!((row.parent, row.session, row.start_time, row.zombie), (1, 3, 991, false));
    }
}
