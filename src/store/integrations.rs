use super::{Store, StoreError};

/// One attempt to bring a worker's result into a base checkout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IntegrationRow {
    /// Id.
    pub id: String,
    /// The worker.
    pub worker_id: String,
    /// What was integrated.
    pub snapshot_id: String,
    /// Key of the repository.
    pub repo_key: String,
    /// The base checkout, raw bytes.
    pub repo_root: Vec<u8>,
    /// `applying`, `applied`, `rolled_back` or `failed`.
    pub state: String,
    /// Epoch of the mutation lock under which it was begun.
    pub lock_epoch: i64,
    /// The base's working tree before.
    pub ours_tree: String,
    /// What it had to be after.
    pub merged_tree: String,
    /// Keeps the bytes from before and after.
    pub undo_ref: String,
    /// The affected paths.
    pub paths_json: String,
    /// The caller's key.
    pub idempotency_key: Option<String>,
    /// Why it did not end well.
    pub error: Option<String>,
    /// Unix milliseconds.
    pub created_at: i64,
    /// Unix milliseconds.
    pub finished_at: Option<i64>,
    /// `checkout`, or the full name of a branch.
    pub target: String,
    /// The commit that a branch gets.
    pub commit_oid: Option<String>,
    /// The integration that this one takes back.
    pub undoes: Option<String>,
    /// When it was taken back, Unix milliseconds.
    pub undone_at: Option<i64>,
}

/// What an integration needs to know of a worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IntegrationInputs {
    /// `isolated_write` or `read_only`.
    pub mode: String,
    /// The snapshot last applied to the base.
    pub integrated_snapshot: Option<String>,
    /// The commit the worktree was made from.
    pub base_commit: Option<String>,
    /// Whether a turn runs.
    pub turn_active: bool,
}

impl Store {
    /// What an integration needs to know of a worker.
    ///
    /// # Errors
    /// [`StoreError::Missing`] when there is no such worker.
    pub async fn integration_inputs(&self, worker: &str) -> Result<IntegrationInputs, StoreError> {
        let row = sqlx::query!(
            r#"SELECT workers.mode, workers.integrated_snapshot,
                   worktrees.base_commit AS "base_commit?",
                   EXISTS (SELECT 1 FROM turns WHERE turns.worker_id = workers.id AND turns.state IN (
                       'preparing', 'running', 'waiting_approval', 'waiting_limit', 'needs_login',
                       'stopping')) AS "turn_active!: bool"
               FROM workers LEFT JOIN worktrees ON worktrees.worker_id = workers.id
               WHERE workers.id = ?"#,
            worker
        )
        .fetch_optional(self.read())
        .await?
        .ok_or(StoreError::Missing)?;
        Ok(IntegrationInputs {
            mode: row.mode,
            integrated_snapshot: row.integrated_snapshot,
            base_commit: row.base_commit,
            turn_active: row.turn_active,
        })
    }

    /// Writes the journal row of an integration before the first file is touched.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the mutation lock is not held with the row's epoch any more.
    pub async fn begin_integration(&self, row: &IntegrationRow) -> Result<(), StoreError> {
        let mut tx = self.write().await?;
        let done = sqlx::query!(
            "INSERT INTO integrations (id, worker_id, snapshot_id, repo_key, repo_root, state,
                 lock_epoch, ours_tree, merged_tree, undo_ref, paths_json, idempotency_key, created_at,
                 target, commit_oid, undoes)
             SELECT ?, ?, ?, ?, ?, 'applying', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?
             WHERE EXISTS (SELECT 1 FROM repo_locks WHERE repo_key = ? AND held = 1 AND epoch = ?)",
            row.id,
            row.worker_id,
            row.snapshot_id,
            row.repo_key,
            row.repo_root,
            row.lock_epoch,
            row.ours_tree,
            row.merged_tree,
            row.undo_ref,
            row.paths_json,
            row.idempotency_key,
            row.created_at,
            row.target,
            row.commit_oid,
            row.undoes,
            row.repo_key,
            row.lock_epoch
        )
        .execute(&mut *tx)
        .await?;
        if done.rows_affected() != 1 {
            return Err(StoreError::Conflict);
        }
        let rev = self.next_rev(&mut tx).await?;
        self.commit(tx, rev).await
    }

    /// Ends an integration that was `applying`. `applied` also notes the snapshot at its worker (of
    /// an undo: the one before); any other end frees the idempotency key, so that the caller may try again.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when it has ended already.
    pub async fn finish_integration(
        &self,
        id: &str,
        state: &str,
        error: Option<&str>,
    ) -> Result<(), StoreError> {
        let mut tx = self.write().await?;
        let now = self.now();
        let rev = self.next_rev(&mut tx).await?;
        let done = sqlx::query!(
            "UPDATE integrations SET state = ?1, error = ?2, finished_at = ?3,
                 idempotency_key = CASE WHEN ?1 = 'applied' THEN idempotency_key END
             WHERE id = ?4 AND state = 'applying'",
            state,
            error,
            now,
            id
        )
        .execute(&mut *tx)
        .await?;
        if done.rows_affected() != 1 {
            return Err(StoreError::Conflict);
        }
        if state == "applied" {
            sqlx::query!(
                "UPDATE integrations SET undone_at = ?1
                 WHERE id = (SELECT undoes FROM integrations WHERE id = ?2)",
                now,
                id
            )
            .execute(&mut *tx)
            .await?;
        }
        sqlx::query!(
            "UPDATE workers SET rev = ?1, updated_at = ?2, integrated_snapshot =
                 (SELECT snapshot_id FROM integrations
                  WHERE worker_id = workers.id AND state = 'applied' AND target = 'checkout'
                      AND undoes IS NULL AND undone_at IS NULL
                  ORDER BY created_at DESC, rowid DESC LIMIT 1)
             WHERE id = (SELECT worker_id FROM integrations WHERE integrations.id = ?3)",
            rev,
            now,
            id
        )
        .execute(&mut *tx)
        .await?;
        self.commit(tx, rev).await
    }

    /// The integrations that a crash interrupted, oldest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn integrations_applying(&self) -> Result<Vec<IntegrationRow>, StoreError> {
        let rows = sqlx::query_as!(
            IntegrationRow,
            "SELECT id, worker_id, snapshot_id, repo_key, repo_root, state, lock_epoch, ours_tree,
                 merged_tree, undo_ref, paths_json, idempotency_key, error, created_at, finished_at,
                 target, commit_oid, undoes, undone_at
             FROM integrations WHERE state = 'applying' ORDER BY created_at, rowid"
        )
        .fetch_all(self.read())
        .await?;
        Ok(rows)
    }

    /// The integration of a worker that carries an idempotency key.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn integration_by_key(
        &self,
        worker: &str,
        key: &str,
    ) -> Result<Option<IntegrationRow>, StoreError> {
        let row = sqlx::query_as!(
            IntegrationRow,
            "SELECT id, worker_id, snapshot_id, repo_key, repo_root, state, lock_epoch, ours_tree,
                 merged_tree, undo_ref, paths_json, idempotency_key, error, created_at, finished_at,
                 target, commit_oid, undoes, undone_at
             FROM integrations WHERE worker_id = ? AND idempotency_key = ?",
            worker,
            key
        )
        .fetch_optional(self.read())
        .await?;
        Ok(row)
    }

    /// An integration by its id.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn integration(&self, id: &str) -> Result<Option<IntegrationRow>, StoreError> {
        let row = sqlx::query_as!(
            IntegrationRow,
            "SELECT id, worker_id, snapshot_id, repo_key, repo_root, state, lock_epoch, ours_tree,
                 merged_tree, undo_ref, paths_json, idempotency_key, error, created_at, finished_at,
                 target, commit_oid, undoes, undone_at
             FROM integrations WHERE id = ?",
            id
        )
        .fetch_optional(self.read())
        .await?;
        Ok(row)
    }

    /// What a worker has in a target now: the integrations that were applied and not taken back, newest
    /// first, at most 50. A checkout is told from others by its root.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn integrations_standing(
        &self,
        worker: &str,
        repo_root: &[u8],
        target: &str,
    ) -> Result<Vec<IntegrationRow>, StoreError> {
        let rows = sqlx::query_as!(
            IntegrationRow,
            "SELECT id, worker_id, snapshot_id, repo_key, repo_root, state, lock_epoch, ours_tree,
                 merged_tree, undo_ref, paths_json, idempotency_key, error, created_at, finished_at,
                 target, commit_oid, undoes, undone_at
             FROM integrations
             WHERE worker_id = ? AND repo_root = ? AND target = ? AND state = 'applied'
                 AND undoes IS NULL AND undone_at IS NULL
             ORDER BY created_at DESC, rowid DESC LIMIT 50",
            worker,
            repo_root,
            target
        )
        .fetch_all(self.read())
        .await?;
        Ok(rows)
    }
}
