use super::{Store, StoreError};

/// Checks that were run on a merged result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceiptRow {
    /// Id.
    pub id: String,
    /// The worker.
    pub worker_id: String,
    /// Its result.
    pub snapshot_id: String,
    /// Key of the repository.
    pub repo_key: String,
    /// The base checkout, raw bytes.
    pub repo_root: Vec<u8>,
    /// `checkout`, or the full name of a branch.
    pub target: String,
    /// What the target held.
    pub base_tree: String,
    /// What was checked.
    pub merged_tree: String,
    /// `running`, `green`, `red` or `broken`.
    pub state: String,
    /// Names and commands, and how each ended.
    pub checks_json: String,
    /// Why it is broken.
    pub error: Option<String>,
    /// Unix milliseconds.
    pub created_at: i64,
    /// Unix milliseconds.
    pub finished_at: Option<i64>,
}

impl Store {
    /// Writes the row of checks that are about to run.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn begin_receipt(&self, row: &ReceiptRow) -> Result<(), StoreError> {
        let mut tx = self.write().await?;
        let rev = self.next_rev(&mut tx).await?;
        sqlx::query!(
            "INSERT INTO receipts (id, worker_id, snapshot_id, repo_key, repo_root, target, base_tree,
                 merged_tree, state, checks_json, created_at)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, 'running', ?, ?)",
            row.id,
            row.worker_id,
            row.snapshot_id,
            row.repo_key,
            row.repo_root,
            row.target,
            row.base_tree,
            row.merged_tree,
            row.checks_json,
            row.created_at
        )
        .execute(&mut *tx)
        .await?;
        self.commit(tx, rev).await
    }

    /// Ends checks that were `running`; without `checks_json` what stood there stays.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when they have ended already.
    pub async fn finish_receipt(
        &self,
        id: &str,
        state: &str,
        checks_json: Option<&str>,
        error: Option<&str>,
    ) -> Result<(), StoreError> {
        let mut tx = self.write().await?;
        let now = self.now();
        let rev = self.next_rev(&mut tx).await?;
        let done = sqlx::query!(
            "UPDATE receipts SET state = ?, checks_json = COALESCE(?, checks_json), error = ?,
                 finished_at = ?
             WHERE id = ? AND state = 'running'",
            state,
            checks_json,
            error,
            now,
            id
        )
        .execute(&mut *tx)
        .await?;
        if done.rows_affected() != 1 {
            return Err(StoreError::Conflict);
        }
        self.commit(tx, rev).await
    }

    /// A receipt by its id.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn receipt(&self, id: &str) -> Result<Option<ReceiptRow>, StoreError> {
        let row = sqlx::query_as!(
            ReceiptRow,
            "SELECT id, worker_id, snapshot_id, repo_key, repo_root, target, base_tree, merged_tree,
                 state, checks_json, error, created_at, finished_at
             FROM receipts WHERE id = ?",
            id
        )
        .fetch_optional(self.read())
        .await?;
        Ok(row)
    }

    /// The receipts of a worker, newest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn receipts(&self, worker: &str, limit: u32) -> Result<Vec<ReceiptRow>, StoreError> {
        let rows = sqlx::query_as!(
            ReceiptRow,
            "SELECT id, worker_id, snapshot_id, repo_key, repo_root, target, base_tree, merged_tree,
                 state, checks_json, error, created_at, finished_at
             FROM receipts WHERE worker_id = ? ORDER BY created_at DESC, rowid DESC LIMIT ?",
            worker,
            limit
        )
        .fetch_all(self.read())
        .await?;
        Ok(rows)
    }

    /// Checks that run, or ran when an earlier life of the program ended.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn receipts_running(&self) -> Result<Vec<ReceiptRow>, StoreError> {
        let rows = sqlx::query_as!(
            ReceiptRow,
            "SELECT id, worker_id, snapshot_id, repo_key, repo_root, target, base_tree, merged_tree,
                 state, checks_json, error, created_at, finished_at
             FROM receipts WHERE state = 'running' ORDER BY created_at, rowid"
        )
        .fetch_all(self.read())
        .await?;
        Ok(rows)
    }
}
