use super::LockError;
use super::identity::ProcessMark;
use serde::{Deserialize, Serialize};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// What `patchbay.lock` says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct LockFile {
    /// Digest of the state directory.
    pub(super) state: String,
    #[serde(flatten)]
    pub(super) process: ProcessMark,
    pub(super) holder: String,
    pub(super) operation: String,
    /// Unix milliseconds.
    pub(super) since: i64,
}

/// Where the lock file of a repository is.
pub(super) fn path_in(common_dir: &Path) -> PathBuf {
    common_dir.join("patchbay.lock")
}

impl LockFile {
    /// Reads the file; `None` when there is none.
    pub(super) fn read(path: &Path) -> Result<Option<Self>, LockError> {
        match std::fs::read(path) {
            Ok(bytes) => serde_json::from_slice(&bytes)
                .map(Some)
                .map_err(|_| LockError::ForeignFile(path.to_path_buf())),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(LockError::io(path)(error)),
        }
    }

    /// Puts the file there with its content in one step, unless one is there. Call it under the
    /// metadata lock: a stale file is replaced, and two replacing at once must not meet.
    ///
    /// Returns the file that is in the way, if it is another's and its process lives.
    pub(super) fn place(&self, path: &Path) -> Result<Option<Self>, LockError> {
        if let Some(other) = Self::read(path)? {
            let ours = other.process == self.process && other.state == self.state;
            if !ours && other.process.alive() {
                return Ok(Some(other));
            }
            // Its process is gone; or it is ours, and our row said that nobody holds the lock.
            std::fs::remove_file(path).map_err(LockError::io(path))?;
        }
        let fresh = path.with_file_name("patchbay.lock.new");
        let text = serde_json::to_vec(self)
            .map_err(|error| LockError::io(path)(std::io::Error::other(error)))?;
        std::fs::write(&fresh, text).map_err(LockError::io(&fresh))?;
        std::fs::rename(&fresh, path).map_err(LockError::io(path))?;
        Ok(None)
    }

    /// Removes the file if it is still this one.
    pub(super) fn remove(&self, path: &Path) -> Result<(), LockError> {
        if Self::read(path)?.as_ref() == Some(self) {
            std::fs::remove_file(path).map_err(LockError::io(path))?;
        }
        Ok(())
    }
}
