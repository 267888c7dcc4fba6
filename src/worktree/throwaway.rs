use super::{WorktreeError, Worktrees, admin};
use crate::git::{Repo, RepoKey};
use crate::ids::ReceiptId;
use crate::lock::MetadataLock;
use std::path::PathBuf;

/// A worktree for one run of checks.
#[derive(Debug, Clone)]
pub struct Throwaway {
    /// Holds the files and the temporary directory, and nothing else.
    pub dir: PathBuf,
    /// The files.
    pub tree: PathBuf,
    /// A private temporary directory.
    pub tmp: PathBuf,
}

impl Worktrees {
    /// Makes a worktree of a commit that is no worker's, detached, hooks off. Whoever makes it removes it
    /// with [`Worktrees::remove_throwaway`], after a crash too.
    ///
    /// # Errors
    /// When git or the file system fails.
    pub async fn make_throwaway(
        &self,
        repo: &Repo,
        id: &ReceiptId,
        commit: &str,
    ) -> Result<Throwaway, WorktreeError> {
        let dir = self.throwaway_dir(id, &repo.key);
        let (tree, tmp) = (dir.join("tree"), dir.join("tmp"));
        self.private(&tmp)?;
        self.check_out(repo, &tree, commit).await?;
        Ok(Throwaway { dir, tree, tmp })
    }

    /// Removes a throwaway worktree with all that is in it; one that is not there is no error.
    ///
    /// # Errors
    /// When the file system refuses.
    pub async fn remove_throwaway(&self, repo: &Repo, id: &ReceiptId) -> Result<(), WorktreeError> {
        self.take_away(repo, self.throwaway_dir(id, &repo.key)).await
    }

    /// Deletes the files of a throwaway worktree whose repository is gone.
    ///
    /// # Errors
    /// When the file system refuses.
    pub async fn delete_throwaway(
        &self,
        id: &ReceiptId,
        key: &RepoKey,
    ) -> Result<(), WorktreeError> {
        admin::delete(self.throwaway_dir(id, key)).await
    }

    /// Forgets the worktree in `directory` and deletes the directory.
    pub(super) async fn take_away(
        &self,
        repo: &Repo,
        directory: PathBuf,
    ) -> Result<(), WorktreeError> {
        let metadata = MetadataLock::acquire(repo).await?;
        let aside = directory.join("aside");
        admin::delete(aside.clone()).await?;
        admin::detach(repo, &directory.join("tree"), &aside)?;
        drop(metadata);
        admin::delete(directory).await
    }
}
