use super::{Store, StoreError};
use serde::Serialize;

/// How many rows of the audit are kept; older ones go.
const KEPT: i64 = 200_000;

/// One call of a tool, as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AuditRow {
    /// When it ended, Unix milliseconds.
    pub at: i64,
    /// Who called (a keyed digest).
    pub client_ref: String,
    /// The tool's name as it was called.
    pub tool: String,
    /// The worker or repository that was named, if any.
    pub target: Option<String>,
    /// `ok`, or the error's code.
    pub outcome: String,
    /// How long it took, in microseconds.
    pub took_us: i64,
}

impl Store {
    /// Writes what came in since the last time: calls, and the sessions that were used (digests). One
    /// transaction; it wakes nobody, because no row that anybody waits for changes.
    ///
    /// # Errors
    /// [`StoreError::Sql`].
    pub async fn record_traffic(
        &self,
        calls: &[AuditRow],
        sessions: &[String],
    ) -> Result<(), StoreError> {
        let now = self.now();
        let json = |error: serde_json::Error| StoreError::Corrupt(error.to_string());
        let calls = serde_json::to_string(calls).map_err(json)?;
        let sessions = serde_json::to_string(sessions).map_err(json)?;
        let mut tx = self.write().await?;
        // One statement for all: each further one would cost a trip to SQLite's thread.
        sqlx::query!(
            "INSERT INTO audit (at, client_ref, tool, target, outcome, took_us)
             SELECT c.value ->> 'at', c.value ->> 'client_ref', c.value ->> 'tool',
                    c.value ->> 'target', c.value ->> 'outcome', c.value ->> 'took_us'
             FROM json_each(?1) c ORDER BY c.key",
            calls
        )
        .execute(&mut *tx)
        .await?;
        sqlx::query!(
            "UPDATE mcp_sessions SET touched_at = ?1
             WHERE session_key IN (SELECT value FROM json_each(?2))",
            now,
            sessions
        )
        .execute(&mut *tx)
        .await?;
        sqlx::query!("DELETE FROM audit WHERE seq <= (SELECT max(seq) FROM audit) - ?", KEPT)
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(())
    }

    /// The newest calls, newest first.
    ///
    /// # Errors
    /// [`StoreError::Sql`].
    pub async fn recent_calls(&self, limit: i64) -> Result<Vec<AuditRow>, StoreError> {
        Ok(sqlx::query_as!(
            AuditRow,
            "SELECT at, client_ref, tool, target, outcome, took_us FROM audit
             ORDER BY seq DESC LIMIT ?",
            limit
        )
        .fetch_all(self.read())
        .await?)
    }
}
