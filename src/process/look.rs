//! What a look from outside shows of processes, from `/proc`; nothing where there is none.

use super::{Process, process};
use std::path::Path;

/// What a process holds of the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Holding {
    /// Resident memory in KiB.
    pub resident_kib: u64,
    /// Open file descriptors.
    pub descriptors: u64,
}

/// What a process holds now; none when it is gone or another user's.
#[must_use]
pub fn holding(pid: i32) -> Option<Holding> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let resident_kib = line.split_whitespace().next()?.parse().ok()?;
    let descriptors = std::fs::read_dir(format!("/proc/{pid}/fd")).ok()?.count();
    Some(Holding { resident_kib, descriptors: u64::try_from(descriptors).ok()? })
}

/// The command line of a process, lossy; empty when it is gone.
#[must_use]
pub fn command_line(pid: i32) -> Vec<String> {
    let bytes = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let words = bytes.split(|byte| *byte == 0).filter(|word| !word.is_empty());
    words.map(|word| String::from_utf8_lossy(word).into_owned()).collect()
}

/// The living processes whose working directory is `dir` or lies below it.
#[must_use]
pub fn standing_in(dir: &Path) -> Vec<Process> {
    let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
    let pids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<i32>().ok());
    let stands = |pid: &i32| {
        std::fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|cwd| cwd.starts_with(dir))
    };
    pids.filter(stands).filter_map(process).filter(|found| !found.zombie).collect()
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_process_sees_itself() {
        let own = i32::try_from(std::process::id()).unwrap();
        let held = holding(own).unwrap();
        assert!(held.resident_kib > 100 && held.descriptors > 2, "{held:?}");
        assert!(command_line(own)[0].contains("patchbay"));
        let here = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
        assert!(standing_in(here).iter().any(|found| found.pid == own));
    }
}
