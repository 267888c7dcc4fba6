use std::path::Path;
use std::time::{Duration, Instant};

/// Processes that were started under `dir`: it is in their command line, environment or cwd.
pub fn processes(dir: &Path) -> Vec<String> {
    let needle = dir.to_string_lossy().into_owned();
    let me = std::process::id().to_string();
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").unwrap().filter_map(Result::ok) {
        let pid = entry.file_name().to_string_lossy().into_owned();
        if pid == me || !pid.bytes().all(|b| b.is_ascii_digit()) {
            continue;
        }
        let read = |name: &str| {
            let bytes = std::fs::read(entry.path().join(name)).unwrap_or_default();
            String::from_utf8_lossy(&bytes).replace('\0', " ")
        };
        let cwd = std::fs::read_link(entry.path().join("cwd")).unwrap_or_default();
        let cmdline = read("cmdline");
        let zombie = read("stat").rsplit(')').next().is_some_and(|s| s.trim().starts_with('Z'));
        let ours =
            cmdline.contains(&needle) || read("environ").contains(&needle) || cwd.starts_with(dir);
        if ours && !zombie {
            found.push(format!("{pid}: {cmdline}"));
        }
    }
    found
}

/// Waits, by looking, until no process of `dir` is left; says which are when `patience` is over.
pub fn wait_for_none(dir: &Path, patience: Duration) -> Result<(), Vec<String>> {
    let end = Instant::now() + patience;
    loop {
        let left = processes(dir);
        if left.is_empty() {
            return Ok(());
        }
        if Instant::now() > end {
            return Err(left);
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}
