use super::{Store, StoreError};

impl Store {
    /// The value under `key`.
    ///
    /// # Errors
    /// SQLite's own.
    pub async fn meta(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(sqlx::query_scalar!("SELECT value FROM meta WHERE key = ?1", key)
            .fetch_optional(self.read())
            .await?)
    }

    /// The value under `key`, which is set to `fresh` first when there is none: whoever comes first
    /// decides, everybody gets the same.
    ///
    /// # Errors
    /// SQLite's own.
    pub async fn meta_or_set(&self, key: &str, fresh: &[u8]) -> Result<Vec<u8>, StoreError> {
        let mut tx = self.write().await?;
        sqlx::query!(
            "INSERT INTO meta (key, value) VALUES (?1, ?2) ON CONFLICT (key) DO NOTHING",
            key,
            fresh
        )
        .execute(&mut *tx)
        .await?;
        let value = sqlx::query_scalar!("SELECT value FROM meta WHERE key = ?1", key)
            .fetch_one(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(value)
    }
}
