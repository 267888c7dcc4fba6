use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// The profile of a turn that may write its workspace roots.
pub(super) const WRITE: &str = "patchbay-write";
/// The profile of a turn that may write nothing but what its thread's configuration adds.
pub(super) const READ: &str = "patchbay-read";

/// What no worker may read: whole directories, because a rule for a file is applied when a command
/// starts, and a file that appears later (SQLite's `-wal`) would be readable (seen on 0.169.0).
///
/// Only what is there: for a path that is not, each sandbox makes one to mount over and takes it away
/// again, and of two that do so at once one fails to start (seen on 0.169.0: "bwrap: Can't create file").
/// What appears later changes the settings, with which codex is replaced before the next turn.
pub(super) fn denied(state: &Path, home: Option<&Path>, codex_home: &Path) -> BTreeSet<PathBuf> {
    let mut paths = BTreeSet::from([state.to_path_buf(), codex_home.to_path_buf()]);
    if let Some(home) = home {
        paths.extend([".codex", ".ssh", ".aws", ".config/gh"].map(|name| home.join(name)));
    }
    paths.retain(|path| path == state || path.symlink_metadata().is_ok());
    let real: Vec<PathBuf> = paths.iter().filter_map(|p| p.canonicalize().ok()).collect();
    paths.extend(real);
    paths
}

/// The table `permissions` of config.toml.
///
/// Only a `write` rule opens something below a `deny`; a `read` below that `write` closes it for writing
/// again (seen). A directory of `opened` that lies in a denied one (codex itself, copies of skills) is
/// opened in this way: it is read-only, and the directory around it holds nothing else.
pub(super) fn profiles(denied: &BTreeSet<PathBuf>, opened: &[PathBuf]) -> Value {
    let mut files = Map::from_iter([(":root".to_owned(), json!("read"))]);
    for path in denied {
        files.insert(path.to_string_lossy().into_owned(), json!("deny"));
    }
    for path in opened.iter().filter(|path| denied.iter().any(|dir| path.starts_with(dir))) {
        if let Some(around) = path.parent() {
            files.insert(around.to_string_lossy().into_owned(), json!("write"));
            files.insert(path.to_string_lossy().into_owned(), json!("read"));
        }
    }
    let profile = |roots: Value| {
        let mut files = files.clone();
        files.insert(":workspace_roots".to_owned(), roots);
        json!({ "filesystem": files, "network": { "enabled": false } })
    };
    json!({
        WRITE: profile(json!({ ".": "write", ".git": "read" })),
        READ: profile(json!({ ".": "read" })),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_not_be_read_is_denied_from_when_it_is_there() {
        let home = tempfile::tempdir().unwrap();
        let state = Path::new("/s");
        let denied = || denied(state, Some(home.path()), &home.path().join(".codex"));
        assert_eq!(denied(), BTreeSet::from([state.to_path_buf()]));
        std::fs::create_dir(home.path().join(".aws")).unwrap();
        assert!(denied().contains(&home.path().join(".aws")));
        assert!(!denied().contains(&home.path().join(".ssh")));
    }

    #[test]
    fn a_codex_inside_the_state_directory_stays_runnable_and_unwritable() {
        let state = Path::new("/s");
        let vendor = Path::new("/s/codex-bin/0.169.0/x86_64-unknown-linux-musl");
        let table = profiles(&denied(state, None, Path::new("/s/codex")), &[vendor.to_path_buf()]);
        let files = &table[WRITE]["filesystem"];
        assert_eq!(files["/s"], "deny");
        assert_eq!(files["/s/codex-bin/0.169.0"], "write");
        assert_eq!(files[vendor.to_str().unwrap()], "read");
        let outside =
            profiles(&denied(state, None, Path::new("/s/codex")), &[PathBuf::from("/opt/codex")]);
        assert!(outside[READ]["filesystem"].get("/opt").is_none());
    }
}
