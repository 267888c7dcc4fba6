use super::{Store, StoreError};

/// Who holds, or last held, the mutation lock of a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RepoLockRow {
    /// Key of the repository.
    pub repo_key: String,
    /// Counts the times the lock was taken.
    pub epoch: i64,
    /// A turn id or the name of a tool.
    pub holder: String,
    /// The turn, when a turn holds it.
    pub turn_id: Option<String>,
    /// What the holder does, in a few words.
    pub operation: String,
    /// Unix milliseconds.
    pub since: i64,
}

impl Store {
    /// Takes the lock row of a repository and returns its new epoch.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when somebody holds it.
    pub async fn take_repo_lock(
        &self,
        repo_key: &str,
        holder: &str,
        turn_id: Option<&str>,
        operation: &str,
    ) -> Result<i64, StoreError> {
        let mut tx = self.write().await?;
        let now = self.now();
        let taken = sqlx::query_scalar!(
            r#"INSERT INTO repo_locks (repo_key, epoch, held, holder, turn_id, operation, since)
               VALUES (?, 1, 1, ?, ?, ?, ?)
               ON CONFLICT (repo_key) DO UPDATE SET epoch = epoch + 1, held = 1,
                   holder = excluded.holder, turn_id = excluded.turn_id,
                   operation = excluded.operation, since = excluded.since
               WHERE held = 0
               RETURNING epoch"#,
            repo_key,
            holder,
            turn_id,
            operation,
            now
        )
        .fetch_optional(&mut *tx)
        .await?
        .ok_or(StoreError::Conflict)?;
        let rev = self.next_rev(&mut tx).await?;
        self.commit(tx, rev).await?;
        Ok(taken)
    }

    /// Gives the lock back; false when that epoch does not hold it any more.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn release_repo_lock(&self, repo_key: &str, epoch: i64) -> Result<bool, StoreError> {
        let mut tx = self.write().await?;
        let done = sqlx::query!(
            "UPDATE repo_locks SET held = 0 WHERE repo_key = ? AND epoch = ? AND held = 1",
            repo_key,
            epoch
        )
        .execute(&mut *tx)
        .await?;
        let rev = self.next_rev(&mut tx).await?;
        self.commit(tx, rev).await?;
        Ok(done.rows_affected() == 1)
    }

    /// The holder of a repository's lock, if it is held.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn repo_lock(&self, repo_key: &str) -> Result<Option<RepoLockRow>, StoreError> {
        let row = sqlx::query_as!(
            RepoLockRow,
            "SELECT repo_key, epoch, holder, turn_id, operation, since
             FROM repo_locks WHERE repo_key = ? AND held = 1",
            repo_key
        )
        .fetch_optional(self.read())
        .await?;
        Ok(row)
    }

    /// All held locks, ordered by repository.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn held_repo_locks(&self) -> Result<Vec<RepoLockRow>, StoreError> {
        let rows = sqlx::query_as!(
            RepoLockRow,
            "SELECT repo_key, epoch, holder, turn_id, operation, since
             FROM repo_locks WHERE held = 1 ORDER BY repo_key"
        )
        .fetch_all(self.read())
        .await?;
        Ok(rows)
    }

    /// The held locks whose holder needs a live engine: those of tools, and those of turns that are
    /// over. When the engine starts, nobody can be at work under them any more.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn orphaned_repo_locks(&self) -> Result<Vec<RepoLockRow>, StoreError> {
        let rows = sqlx::query_as!(
            RepoLockRow,
            "SELECT repo_key, epoch, holder, turn_id, operation, since FROM repo_locks
             WHERE held = 1 AND (turn_id IS NULL OR NOT EXISTS (
                 SELECT 1 FROM turns WHERE turns.id = repo_locks.turn_id AND turns.state IN (
                     'preparing', 'running', 'waiting_approval', 'waiting_limit', 'needs_login',
                     'stopping')))
             ORDER BY repo_key"
        )
        .fetch_all(self.read())
        .await?;
        Ok(rows)
    }

    /// The checkouts of a repository that workers were started for, as raw paths.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn roots_of_repo(&self, repo_key: &str) -> Result<Vec<Vec<u8>>, StoreError> {
        let rows = sqlx::query_scalar!(
            "SELECT DISTINCT repo_root FROM workers WHERE repo_key = ?",
            repo_key
        )
        .fetch_all(self.read())
        .await?;
        Ok(rows)
    }
}
