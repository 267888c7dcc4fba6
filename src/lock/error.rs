use crate::git::GitError;
use crate::store::StoreError;
use std::path::PathBuf;
use std::time::Duration;

/// Why a lock could not be taken.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Somebody else writes to the base checkout.
    #[error("the repository is busy: {holder} holds it ({operation})")]
    Busy {
        /// A turn id, the name of a tool, or what another patchbay says of itself.
        holder: String,
        /// What the holder does.
        operation: String,
        /// Since when, Unix milliseconds.
        since: i64,
        /// How long that is.
        age: Duration,
    },
    /// The lock file holds something that no patchbay wrote.
    #[error("the lock file {} is not one of ours; remove it if no patchbay runs", .0.display())]
    ForeignFile(PathBuf),
    /// Another process is the engine of this state directory.
    #[error("another patchbay is the engine of this state directory (pid {pid:?})")]
    EngineRunning {
        /// Its process, where the file says so.
        pid: Option<i32>,
    },
    /// The proof is for another repository.
    #[error("the lock is held for another repository")]
    WrongRepository,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Git failed.
    #[error(transparent)]
    Git(#[from] GitError),
    /// The file system refused.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
}

impl LockError {
    /// Whether the same call can succeed later, when there is room.
    #[must_use]
    pub fn is_full(&self) -> bool {
        match self {
            Self::Store(error) => error.is_full(),
            Self::Git(error) => error.is_full(),
            Self::Io { source, .. } => crate::paths::is_full(source),
            _ => false,
        }
    }

    pub(super) fn io(path: &std::path::Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_path_buf();
        move |source| Self::Io { path, source }
    }
}
