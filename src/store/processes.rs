use super::{Store, StoreError};

/// A process that was started and is to be accounted for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProcessRow {
    /// Process id.
    pub pid: i64,
    /// Clock ticks since boot at which it started.
    pub start_time: i64,
    /// Session id.
    pub session: i64,
    /// `sidecar` or `codex`.
    pub role: String,
}

impl Store {
    /// Records a process; recording it twice changes nothing.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn record_process(&self, row: &ProcessRow) -> Result<(), StoreError> {
        let mut tx = self.write().await?;
        let now = self.now();
        sqlx::query!(
            "INSERT OR IGNORE INTO processes (pid, start_time, session, role, created_at)
             VALUES (?, ?, ?, ?, ?)",
            row.pid,
            row.start_time,
            row.session,
            row.role,
            now
        )
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(())
    }

    /// Forgets a process that has ended.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn forget_process(&self, pid: i64, start_time: i64) -> Result<(), StoreError> {
        let mut tx = self.write().await?;
        sqlx::query!("DELETE FROM processes WHERE pid = ? AND start_time = ?", pid, start_time)
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(())
    }

    /// All recorded processes, oldest first.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn processes(&self) -> Result<Vec<ProcessRow>, StoreError> {
        Ok(sqlx::query_as!(
            ProcessRow,
            "SELECT pid, start_time, session, role FROM processes ORDER BY created_at, pid"
        )
        .fetch_all(self.read())
        .await?)
    }
}
