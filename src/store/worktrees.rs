use super::{Store, StoreError};

/// What is known of a worker's worktree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorktreeRow {
    /// The worker.
    pub worker_id: String,
    /// Top of the worktree, raw bytes.
    pub path: Vec<u8>,
    /// The commit it was made from.
    pub base_commit: String,
    /// Tree of the first snapshot.
    pub base_tree: String,
    /// `creating`, `ready`, `removing` or `removed`.
    pub state: String,
}

/// A worktree whose removal was begun.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemovingRow {
    /// The worker.
    pub worker_id: String,
    /// The base checkout, raw bytes.
    pub repo_root: Vec<u8>,
}

impl Store {
    /// Notes that a worktree is about to be made; an existing row is left as it is.
    ///
    /// # Errors
    /// When the database fails, or there is no such worker.
    pub async fn begin_worktree(
        &self,
        worker_id: &str,
        path: &[u8],
        base_commit: &str,
        base_tree: &str,
    ) -> Result<WorktreeRow, StoreError> {
        let mut tx = self.write().await?;
        let now = self.now();
        sqlx::query!(
            "INSERT INTO worktrees (worker_id, path, base_commit, base_tree, state, created_at)
             VALUES (?, ?, ?, ?, 'creating', ?) ON CONFLICT (worker_id) DO NOTHING",
            worker_id,
            path,
            base_commit,
            base_tree,
            now
        )
        .execute(&mut *tx)
        .await?;
        let rev = self.next_rev(&mut tx).await?;
        self.commit(tx, rev).await?;
        self.worktree(worker_id).await?.ok_or(StoreError::Missing)
    }

    /// The worktree of a worker.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn worktree(&self, worker_id: &str) -> Result<Option<WorktreeRow>, StoreError> {
        let row = sqlx::query_as!(
            WorktreeRow,
            "SELECT worker_id, path, base_commit, base_tree, state
             FROM worktrees WHERE worker_id = ?",
            worker_id
        )
        .fetch_optional(self.read())
        .await?;
        Ok(row)
    }

    /// Marks a worktree's removal as begun.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] unless it was `creating`, `ready` or `removing`.
    pub async fn worktree_removing(&self, worker_id: &str) -> Result<(), StoreError> {
        let mut tx = self.write().await?;
        let done = sqlx::query!(
            "UPDATE worktrees SET state = 'removing' WHERE worker_id = ? AND state <> 'removed'",
            worker_id
        )
        .execute(&mut *tx)
        .await?;
        let rev = self.next_rev(&mut tx).await?;
        self.commit(tx, rev).await?;
        if done.rows_affected() == 1 { Ok(()) } else { Err(StoreError::Conflict) }
    }

    /// Marks a worktree as gone, and its worker as changed.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn worktree_removed(&self, worker_id: &str) -> Result<(), StoreError> {
        let mut tx = self.write().await?;
        let now = self.now();
        let rev = self.next_rev(&mut tx).await?;
        sqlx::query!(
            "UPDATE worktrees SET state = 'removed', removed_at = ? WHERE worker_id = ?",
            now,
            worker_id
        )
        .execute(&mut *tx)
        .await?;
        sqlx::query!("UPDATE workers SET rev = ? WHERE id = ?", rev, worker_id)
            .execute(&mut *tx)
            .await?;
        self.commit(tx, rev).await
    }

    /// The worktrees whose removal was begun and not ended.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn worktrees_being_removed(&self) -> Result<Vec<RemovingRow>, StoreError> {
        let rows = sqlx::query_as!(
            RemovingRow,
            "SELECT worktrees.worker_id, workers.repo_root FROM worktrees
             JOIN workers ON workers.id = worktrees.worker_id WHERE worktrees.state = 'removing'"
        )
        .fetch_all(self.read())
        .await?;
        Ok(rows)
    }

    /// Paths (raw bytes) of the worktrees that should exist.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn live_worktree_paths(&self) -> Result<Vec<Vec<u8>>, StoreError> {
        let rows = sqlx::query_scalar!(
            "SELECT path FROM worktrees WHERE state <> 'removed' ORDER BY path"
        )
        .fetch_all(self.read())
        .await?;
        Ok(rows)
    }
}
