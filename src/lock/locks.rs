use super::file::{self, LockFile};
use super::guard::{MutationGuard, MutationProof};
use super::identity::ProcessMark;
use super::live::Live;
use super::{LockError, MetadataLock};
use crate::clock::Clock;
use crate::git::{Git, Repo};
use crate::ids::TurnId;
use crate::paths::StateDir;
use crate::store::{RepoLockRow, Store, StoreError};
use sha2::{Digest, Sha256};
use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;
use std::time::Duration;

/// Gives out the mutation locks of repositories. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Locks {
    store: Store,
    clock: Clock,
    state: String,
    live: Live,
}

impl Locks {
    /// Locks whose rows are in `store`; files name the state directory by a digest.
    #[must_use]
    pub fn new(store: Store, state: &StateDir, clock: Clock) -> Self {
        let digest = Sha256::digest(state.root().as_os_str().as_bytes());
        Self { store, clock, state: hex::encode(&digest[..12]), live: Live::default() }
    }

    /// Takes the lock of a repository, at once or not at all.
    ///
    /// # Errors
    /// [`LockError::Busy`] names who holds it, here or in another state directory.
    pub async fn acquire(
        &self,
        repo: &Repo,
        holder: &str,
        turn: Option<&TurnId>,
        operation: &str,
    ) -> Result<MutationGuard, LockError> {
        let key = repo.key.as_str();
        let turn = turn.map(TurnId::as_str);
        let taking = self.live.taking.lock().await;
        let epoch = match self.store.take_repo_lock(key, holder, turn, operation).await {
            Ok(epoch) => epoch,
            Err(StoreError::Conflict) => return Err(self.busy(repo).await?),
            Err(other) => return Err(other.into()),
        };
        self.live.note(key, epoch);
        drop(taking);
        let file = LockFile {
            state: self.state.clone(),
            process: ProcessMark::current(),
            holder: holder.to_owned(),
            operation: operation.to_owned(),
            since: self.clock.now_ms(),
        };
        match self.place(repo, &file).await {
            Ok(()) => Ok(MutationGuard {
                proof: MutationProof::new(repo.key.clone(), epoch),
                store: self.store.clone(),
                live: self.live.clone(),
                path: file::path_in(&repo.common_dir),
                file,
                released: false,
            }),
            Err(error) => {
                self.live.forget(key, epoch);
                self.store.release_repo_lock(key, epoch).await?;
                Err(error)
            }
        }
    }

    /// Who holds the lock of a repository in this state directory, if anybody does.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn holder(&self, repo: &Repo) -> Result<Option<RepoLockRow>, LockError> {
        Ok(self.store.repo_lock(repo.key.as_str()).await?)
    }

    /// At the start of the engine: frees the locks of tools and of turns that are over, and removes
    /// their files. A lock whose turn is still active stays held, and so does one that a guard of this
    /// process holds. Returns the freed ones.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn reconcile(&self, git: &Git) -> Result<Vec<RepoLockRow>, LockError> {
        let _taking = self.live.taking.lock().await;
        let mut freed = Vec::new();
        for row in self.store.orphaned_repo_locks().await? {
            if self.live.holds(&row.repo_key, row.epoch) {
                continue;
            }
            self.clear_file_of(git, &row).await?;
            self.store.release_repo_lock(&row.repo_key, row.epoch).await?;
            freed.push(row);
        }
        Ok(freed)
    }

    /// Removes the lock file of a repository that is known by its workers.
    async fn clear_file_of(&self, git: &Git, row: &RepoLockRow) -> Result<(), LockError> {
        for root in self.store.roots_of_repo(&row.repo_key).await? {
            let root = PathBuf::from(OsString::from_vec(root));
            let Ok(repo) = Repo::open(git, &root).await else { continue };
            if repo.key.as_str() == row.repo_key {
                return self.remove_leftover(&repo).await;
            }
        }
        Ok(())
    }

    async fn place(&self, repo: &Repo, file: &LockFile) -> Result<(), LockError> {
        let metadata = MetadataLock::acquire(repo).await?;
        let other = file.place(&file::path_in(&repo.common_dir))?;
        drop(metadata);
        match other {
            None => Ok(()),
            Some(other) => {
                let mut holder = other.holder;
                if other.state != self.state {
                    let pid = other.process.pid;
                    holder.push_str(&format!(" of another patchbay (pid {pid})"));
                }
                Err(self.busy_with(holder, other.operation, other.since))
            }
        }
    }

    async fn remove_leftover(&self, repo: &Repo) -> Result<(), LockError> {
        let _metadata = MetadataLock::acquire(repo).await?;
        let path = file::path_in(&repo.common_dir);
        match LockFile::read(&path)? {
            Some(file) if file.state == self.state => file.remove(&path),
            _ => Ok(()),
        }
    }

    async fn busy(&self, repo: &Repo) -> Result<LockError, LockError> {
        Ok(match self.holder(repo).await? {
            Some(row) => self.busy_with(row.holder, row.operation, row.since),
            // Given back between the two looks.
            None => self.busy_with("unknown".to_owned(), "just ended".to_owned(), 0),
        })
    }

    fn busy_with(&self, holder: String, operation: String, since: i64) -> LockError {
        let age = self.clock.now_ms().saturating_sub(since).max(0).unsigned_abs();
        LockError::Busy { holder, operation, since, age: Duration::from_millis(age) }
    }
}
