use super::WorktreeError;
use crate::git::Repo;
use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Git's own directory for the worktree at `tree`. Found by what `worktrees/*/gitdir` say: the `.git`
/// file in the tree is in reach of the worker and is not trusted.
pub(super) fn find(repo: &Repo, tree: &Path) -> Result<Option<PathBuf>, WorktreeError> {
    let parent = repo.common_dir.join("worktrees");
    let entries = match std::fs::read_dir(&parent) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(WorktreeError::io(&parent)(error)),
    };
    let wanted = tree.join(".git");
    for entry in entries {
        let admin = entry.map_err(WorktreeError::io(&parent))?.path();
        let Ok(mut says) = std::fs::read(admin.join("gitdir")) else { continue };
        if says.last() == Some(&b'\n') {
            says.pop();
        }
        if says == wanted.as_os_str().as_bytes() {
            return Ok(Some(admin));
        }
    }
    Ok(None)
}

/// The commit that HEAD of a worktree is detached at, where its git directory says so in plain text; where
/// it does not (a branch, a reftable), git is to be asked.
pub(super) fn head(git_dir: &Path) -> Option<String> {
    let text = std::fs::read_to_string(git_dir.join("HEAD")).ok()?;
    let oid = text.strip_suffix('\n')?;
    let whole = matches!(oid.len(), 40 | 64) && oid.bytes().all(|b| b.is_ascii_hexdigit());
    whole.then(|| oid.to_owned())
}

/// Forgets the worktree at `tree` and moves its files to `aside`. Call it under the metadata lock;
/// delete `aside` outside of it.
pub(super) fn detach(repo: &Repo, tree: &Path, aside: &Path) -> Result<(), WorktreeError> {
    match std::fs::rename(tree, aside) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            return Err(WorktreeError::io(tree)(error));
        }
        _ => {}
    }
    if let Some(admin) = find(repo, tree)? {
        std::fs::remove_dir_all(&admin).map_err(WorktreeError::io(&admin))?;
        // Git removes the empty parent too; a full one stays.
        let _ = std::fs::remove_dir(repo.common_dir.join("worktrees"));
    }
    Ok(())
}

/// Deletes a directory with all that is in it, also where the worker took permissions away.
pub(super) async fn delete(path: PathBuf) -> Result<(), WorktreeError> {
    let shown = path.clone();
    let deleting = tokio::task::spawn_blocking(move || {
        for attempt in 0..2 {
            match std::fs::remove_dir_all(&path) {
                Ok(()) => return Ok(()),
                Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
                Err(error) if attempt == 1 => return Err(error),
                Err(_) => open_up(&path),
            }
        }
        Ok(())
    });
    let done = deleting.await.unwrap_or_else(|error| Err(std::io::Error::other(error)));
    done.map_err(WorktreeError::io(&shown))
}

fn open_up(directory: &Path) {
    let _ = std::fs::set_permissions(directory, std::fs::Permissions::from_mode(0o700));
    for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            open_up(&entry.path());
        }
    }
}
