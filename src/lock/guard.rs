use super::LockError;
use super::file::LockFile;
use super::live::Live;
use crate::git::RepoKey;
use crate::store::Store;
use std::path::PathBuf;

/// Shows that its bearer holds the mutation lock of one repository. Only this room makes one.
#[derive(Debug)]
pub struct MutationProof {
    repo_key: RepoKey,
    epoch: i64,
}

impl MutationProof {
    pub(super) fn new(repo_key: RepoKey, epoch: i64) -> Self {
        Self { repo_key, epoch }
    }

    /// Checks that the proof is for this repository. Every function that writes a base calls it.
    ///
    /// # Errors
    /// [`LockError::WrongRepository`].
    pub fn check(&self, repo_key: &RepoKey) -> Result<(), LockError> {
        if self.repo_key == *repo_key { Ok(()) } else { Err(LockError::WrongRepository) }
    }

    /// Which holding of the lock this is; it grows with each one.
    #[must_use]
    pub fn epoch(&self) -> i64 {
        self.epoch
    }
}

/// The mutation lock, held. Give it back with [`MutationGuard::release`]; dropping it does the same
/// as well as it can without waiting.
#[derive(Debug)]
pub struct MutationGuard {
    pub(super) proof: MutationProof,
    pub(super) store: Store,
    pub(super) live: Live,
    pub(super) path: PathBuf,
    pub(super) file: LockFile,
    pub(super) released: bool,
}

impl MutationGuard {
    /// What functions that write the base ask for.
    #[must_use]
    pub fn proof(&self) -> &MutationProof {
        &self.proof
    }

    /// Gives the lock back: the file first, then the row, so that nobody sees a free row and is then
    /// stopped by our own file.
    ///
    /// # Errors
    /// When file system or store fail; the next start repairs what is left.
    pub async fn release(mut self) -> Result<(), LockError> {
        self.released = true;
        let file = self.file.remove(&self.path);
        let (key, epoch) = (self.proof.repo_key.as_str(), self.proof.epoch);
        self.live.forget(key, epoch);
        self.store.release_repo_lock(key, epoch).await?;
        file
    }
}

impl Drop for MutationGuard {
    fn drop(&mut self) {
        if self.released {
            return;
        }
        if let Err(error) = self.file.remove(&self.path) {
            tracing::warn!(%error, "a lock file could not be removed");
        }
        let (store, key, epoch) =
            (self.store.clone(), self.proof.repo_key.as_str().to_owned(), self.proof.epoch);
        self.live.forget(&key, epoch);
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                if let Err(error) = store.release_repo_lock(&key, epoch).await {
                    tracing::warn!(%error, "a lock row could not be released");
                }
            });
        }
    }
}
