use super::{Store, StoreError};

/// Conflicts whose base side a worker was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SentConflictsRow {
    /// Id.
    pub id: String,
    /// The worker.
    pub worker_id: String,
    /// `checkout`, or the full name of a branch.
    pub target: String,
    /// The worker's side.
    pub snapshot_id: String,
    /// Tree of the base's side.
    pub base_tree: String,
    /// Keeps that tree.
    pub ref_name: String,
    /// Base64 of each path, as a JSON list.
    pub paths_json: String,
    /// Unix milliseconds.
    pub created_at: i64,
}

impl Store {
    /// Notes that a worker was given the base's side of conflicts.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn insert_sent_conflicts(&self, row: &SentConflictsRow) -> Result<(), StoreError> {
        let mut tx = self.write().await?;
        let rev = self.next_rev(&mut tx).await?;
        sqlx::query!(
            "INSERT INTO sent_conflicts
                 (id, worker_id, target, snapshot_id, base_tree, ref_name, paths_json, created_at)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            row.id,
            row.worker_id,
            row.target,
            row.snapshot_id,
            row.base_tree,
            row.ref_name,
            row.paths_json,
            row.created_at
        )
        .execute(&mut *tx)
        .await?;
        self.commit(tx, rev).await
    }

    /// What a worker was given since its last integration into a target that stands, oldest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn sent_conflicts(
        &self,
        worker: &str,
        target: &str,
    ) -> Result<Vec<SentConflictsRow>, StoreError> {
        let rows = sqlx::query_as!(
            SentConflictsRow,
            "SELECT id, worker_id, target, snapshot_id, base_tree, ref_name, paths_json, created_at
             FROM sent_conflicts
             WHERE worker_id = ?1 AND target = ?2 AND created_at > COALESCE(
                 (SELECT MAX(created_at) FROM integrations
                  WHERE worker_id = ?1 AND target = ?2 AND state = 'applied'
                      AND undoes IS NULL AND undone_at IS NULL), 0)
             ORDER BY created_at, rowid",
            worker,
            target
        )
        .fetch_all(self.read())
        .await?;
        Ok(rows)
    }
}
