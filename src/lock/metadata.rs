use super::LockError;
use crate::git::Repo;
use rustix::fs::{FlockOperation, Mode, OFlags};
use std::os::fd::OwnedFd;

/// Held for a moment around changes of git's own metadata in the common directory, against other
/// tasks and other patchbays. It is a `flock` on the directory itself: it leaves no file behind and
/// ends with the process.
#[derive(Debug)]
pub struct MetadataLock {
    _directory: OwnedFd,
}

impl MetadataLock {
    /// Waits until nobody else is in.
    ///
    /// # Errors
    /// When the directory cannot be opened or locked.
    pub async fn acquire(repo: &Repo) -> Result<Self, LockError> {
        let path = repo.common_dir.clone();
        let waiting = tokio::task::spawn_blocking(move || {
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
            let directory = rustix::fs::open(&path, flags, Mode::empty())
                .map_err(|e| LockError::io(&path)(e.into()))?;
            rustix::fs::flock(&directory, FlockOperation::LockExclusive)
                .map_err(|e| LockError::io(&path)(e.into()))?;
            Ok(Self { _directory: directory })
        });
        waiting.await.unwrap_or_else(|error| {
            Err(LockError::io(&repo.common_dir)(std::io::Error::other(error)))
        })
    }
}
