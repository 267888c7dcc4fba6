use super::{Store, StoreError};

impl Store {
    /// Keeps what is needed to bring a session back after a restart or an idle time.
    ///
    /// `key` is a digest of the session's id, `state` JSON.
    ///
    /// # Errors
    /// [`StoreError::Sql`].
    pub async fn save_mcp_session(&self, key: &str, state: &str) -> Result<(), StoreError> {
        let now = self.now();
        let mut tx = self.write().await?;
        sqlx::query!(
            "INSERT INTO mcp_sessions (session_key, state_json, touched_at) VALUES (?, ?, ?)
             ON CONFLICT (session_key) DO UPDATE
             SET state_json = excluded.state_json, touched_at = excluded.touched_at",
            key,
            state,
            now
        )
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(())
    }

    /// The kept state of a session, if it is known.
    ///
    /// # Errors
    /// [`StoreError::Sql`].
    pub async fn load_mcp_session(&self, key: &str) -> Result<Option<String>, StoreError> {
        Ok(sqlx::query_scalar!("SELECT state_json FROM mcp_sessions WHERE session_key = ?", key)
            .fetch_optional(self.read())
            .await?)
    }

    /// Forgets a session that its client ended.
    ///
    /// # Errors
    /// [`StoreError::Sql`].
    pub async fn delete_mcp_session(&self, key: &str) -> Result<(), StoreError> {
        let mut tx = self.write().await?;
        sqlx::query!("DELETE FROM mcp_sessions WHERE session_key = ?", key)
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(())
    }

    /// Forgets sessions that were not used for `age_ms` milliseconds; gives their number.
    ///
    /// # Errors
    /// [`StoreError::Sql`].
    pub async fn prune_mcp_sessions(&self, age_ms: i64) -> Result<u64, StoreError> {
        let before = self.now() - age_ms;
        let mut tx = self.write().await?;
        let done = sqlx::query!("DELETE FROM mcp_sessions WHERE touched_at < ?", before)
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(done.rows_affected())
    }
}
