use super::{Store, StoreError};

/// One snapshot of a worktree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SnapshotRow {
    /// Id.
    pub id: String,
    /// The worker.
    pub worker_id: String,
    /// The turn after which it was taken; `None` for where the worker started.
    pub turn_id: Option<String>,
    /// The commit that holds it.
    pub commit_oid: String,
    /// Its tree.
    pub tree_oid: String,
    /// The ref that keeps it.
    pub ref_name: String,
    /// HEAD of the worktree at that time.
    pub head_oid: String,
    /// Unix milliseconds.
    pub created_at: i64,
}

impl Store {
    /// Stores a snapshot; when it is the first of its worker, the worktree becomes `ready` with the
    /// snapshot's tree as base tree.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn insert_snapshot(&self, row: &SnapshotRow) -> Result<(), StoreError> {
        let mut tx = self.write().await?;
        let rev = self.next_rev(&mut tx).await?;
        sqlx::query!(
            "INSERT INTO snapshots
                 (id, worker_id, turn_id, commit_oid, tree_oid, ref_name, head_oid, created_at)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            row.id,
            row.worker_id,
            row.turn_id,
            row.commit_oid,
            row.tree_oid,
            row.ref_name,
            row.head_oid,
            row.created_at
        )
        .execute(&mut *tx)
        .await?;
        sqlx::query!(
            "UPDATE worktrees SET state = 'ready', base_tree = ?
             WHERE worker_id = ? AND state = 'creating'",
            row.tree_oid,
            row.worker_id
        )
        .execute(&mut *tx)
        .await?;
        sqlx::query!("UPDATE workers SET rev = ? WHERE id = ?", rev, row.worker_id)
            .execute(&mut *tx)
            .await?;
        self.commit(tx, rev).await
    }

    /// A snapshot by id.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn snapshot(&self, id: &str) -> Result<Option<SnapshotRow>, StoreError> {
        let row = sqlx::query_as!(
            SnapshotRow,
            "SELECT id, worker_id, turn_id, commit_oid, tree_oid, ref_name, head_oid, created_at
             FROM snapshots WHERE id = ?",
            id
        )
        .fetch_optional(self.read())
        .await?;
        Ok(row)
    }

    /// The newest snapshot of a worker.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn latest_snapshot(
        &self,
        worker_id: &str,
    ) -> Result<Option<SnapshotRow>, StoreError> {
        let row = sqlx::query_as!(
            SnapshotRow,
            "SELECT id, worker_id, turn_id, commit_oid, tree_oid, ref_name, head_oid, created_at
             FROM snapshots WHERE worker_id = ? ORDER BY created_at DESC, rowid DESC LIMIT 1",
            worker_id
        )
        .fetch_optional(self.read())
        .await?;
        Ok(row)
    }

    /// Where a worker started: its oldest snapshot.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn first_snapshot(&self, worker_id: &str) -> Result<Option<SnapshotRow>, StoreError> {
        let row = sqlx::query_as!(
            SnapshotRow,
            "SELECT id, worker_id, turn_id, commit_oid, tree_oid, ref_name, head_oid, created_at
             FROM snapshots WHERE worker_id = ? ORDER BY created_at, rowid LIMIT 1",
            worker_id
        )
        .fetch_optional(self.read())
        .await?;
        Ok(row)
    }

    /// The snapshot taken after a turn.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn snapshot_of_turn(&self, turn_id: &str) -> Result<Option<SnapshotRow>, StoreError> {
        let row = sqlx::query_as!(
            SnapshotRow,
            "SELECT id, worker_id, turn_id, commit_oid, tree_oid, ref_name, head_oid, created_at
             FROM snapshots WHERE turn_id = ? ORDER BY created_at DESC, rowid DESC LIMIT 1",
            turn_id
        )
        .fetch_optional(self.read())
        .await?;
        Ok(row)
    }
}
