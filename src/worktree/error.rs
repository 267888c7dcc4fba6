use crate::git::GitError;
use crate::lock::LockError;
use crate::paths::StateError;
use crate::store::StoreError;
use std::path::{Path, PathBuf};

/// Why a worktree could not be made, snapshotted or removed.
#[derive(Debug, thiserror::Error)]
pub enum WorktreeError {
    /// The worker has no worktree: it reads only, or its worktree was removed.
    #[error("the worker has no worktree")]
    None,
    /// Somebody removed the worktree behind our back; the snapshots are still there.
    #[error("the worktree is gone from the disk: {}", .0.display())]
    Gone(PathBuf),
    /// Git failed.
    #[error(transparent)]
    Git(#[from] GitError),
    /// The short lock around git's metadata failed.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The state directory refused.
    #[error(transparent)]
    State(#[from] StateError),
    /// The file system refused.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
}

impl WorktreeError {
    /// A stable snake_case code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::None => "workspace_unavailable",
            Self::Gone(_) => "workspace_gone",
            Self::Git(GitError::NoCommit(_)) => "no_commit",
            Self::Git(GitError::NotARepository(_)) => "not_a_repository",
            error if error.is_full() => "disk_full",
            _ => "workspace_failed",
        }
    }

    /// Whether the same call can succeed later, when there is room.
    #[must_use]
    pub fn is_full(&self) -> bool {
        match self {
            Self::Git(error) => error.is_full(),
            Self::Lock(error) => error.is_full(),
            Self::Store(error) => error.is_full(),
            Self::State(error) => error.is_full(),
            Self::Io { source, .. } => crate::paths::is_full(source),
            Self::None | Self::Gone(_) => false,
        }
    }

    pub(super) fn io(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_path_buf();
        move |source| Self::Io { path, source }
    }
}
