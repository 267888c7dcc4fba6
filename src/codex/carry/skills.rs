//! Skills are copied, because workers read them with their own commands, and a worker can read neither
//! the user's codex home nor ours. The copies lie in a directory of their own that the sandbox shows
//! without letting anybody write it.

use super::files;
use super::report::Carried;
use crate::paths::StateDir;
use std::io;
use std::path::{Path, PathBuf};

/// Most bytes and files of all skills together; deeper directories are not looked at.
const BYTES: u64 = 32 << 20;
const FILES: usize = 2000;
const DEPTH: usize = 8;

/// Where the copies are. The directory around it holds nothing else: see `profile::profiles`.
pub(in crate::codex) fn copied(state: &StateDir) -> PathBuf {
    state.root().join("codex-skills/all")
}

/// Makes `skills` of our codex home a link to the copies. Codex shows a worker the path behind it, and
/// puts skills of its own there.
fn link(state: &StateDir) -> io::Result<()> {
    let (copies, link) = (copied(state), state.codex_home().join("skills"));
    std::fs::create_dir_all(&copies)?;
    // An earlier version of patchbay let codex make a directory here; it holds codex's own alone.
    if std::fs::symlink_metadata(&link).is_ok_and(|meta| meta.is_dir()) {
        std::fs::remove_dir_all(&link)?;
    }
    files::place(&link, Some(&copies))
}

/// The user's skills: name and directory, sorted by name.
pub(super) fn find(user: &Path, carried: &mut Carried) -> Vec<(String, PathBuf)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(user.join("skills")).into_iter().flatten().flatten().take(500) {
        let Ok(name) = entry.file_name().into_string() else { continue };
        // `.system` is codex's own.
        if name.starts_with('.') {
            continue;
        }
        match entry.path().canonicalize() {
            Ok(dir) if dir.join("SKILL.md").is_file() => found.push((name, dir)),
            _ => carried.left(format!("skills/{name}"), "it has no SKILL.md"),
        }
    }
    found.sort();
    for (name, _) in &found {
        carried.taken(format!("skills/{name}"), "copied when codex starts");
    }
    found
}

/// Copies the skills, replacing what an earlier copy left. Gives the names of those that are not whole:
/// links within a skill are not followed, and all together are bounded.
pub(super) fn copy(state: &StateDir, skills: &[(String, PathBuf)]) -> io::Result<Vec<String>> {
    link(state)?;
    let copies = copied(state);
    for entry in std::fs::read_dir(&copies)?.flatten() {
        if !entry.file_name().to_string_lossy().starts_with('.') {
            remove(&entry.path())?;
        }
    }
    let mut room = Room { bytes: BYTES, files: FILES };
    let mut broken = Vec::new();
    for (name, dir) in skills {
        if !copy_dir(dir, &copies.join(name), DEPTH, &mut room)? {
            broken.push(name.clone());
        }
    }
    Ok(broken)
}

fn remove(path: &Path) -> io::Result<()> {
    if std::fs::symlink_metadata(path)?.is_dir() {
        std::fs::remove_dir_all(path)
    } else {
        std::fs::remove_file(path)
    }
}

struct Room {
    bytes: u64,
    files: usize,
}

/// True when everything was copied.
fn copy_dir(from: &Path, to: &Path, depth: usize, room: &mut Room) -> io::Result<bool> {
    std::fs::create_dir_all(to)?;
    let mut whole = true;
    for entry in std::fs::read_dir(from)?.flatten() {
        let (path, target) = (entry.path(), to.join(entry.file_name()));
        let meta = std::fs::symlink_metadata(&path)?;
        let fits = room.files > 0 && meta.len() <= room.bytes;
        if meta.is_dir() && depth > 0 {
            whole &= copy_dir(&path, &target, depth - 1, room)?;
        } else if meta.is_file() && fits {
            std::fs::copy(&path, &target)?;
            room.files -= 1;
            room.bytes -= meta.len();
        } else {
            whole = false;
        }
    }
    Ok(whole)
}
