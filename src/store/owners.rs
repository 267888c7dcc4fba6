use super::{Store, StoreError};

/// A chat or connector that owns workers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnerRow {
    /// Keyed digest of the chat or connector.
    pub owner_ref: String,
    /// How it calls itself.
    pub label: Option<String>,
    /// Unix milliseconds.
    pub last_seen: i64,
}

impl Store {
    /// Notes that an owner acted now; its last label is kept.
    ///
    /// # Errors
    /// SQLite's own.
    pub async fn touch_owner(
        &self,
        owner_ref: &str,
        connector: &str,
        label: Option<&str>,
    ) -> Result<(), StoreError> {
        let now = self.now();
        let mut tx = self.write().await?;
        sqlx::query!(
            "INSERT INTO owners (owner_ref, connector, label, first_seen, last_seen)
             VALUES (?1, ?2, ?3, ?4, ?4)
             ON CONFLICT (owner_ref) DO UPDATE
             SET label = COALESCE(excluded.label, label), last_seen = excluded.last_seen",
            owner_ref,
            connector,
            label,
            now
        )
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(())
    }

    /// The owner, if it ever acted.
    ///
    /// # Errors
    /// SQLite's own.
    pub async fn owner(&self, owner_ref: &str) -> Result<Option<OwnerRow>, StoreError> {
        Ok(sqlx::query_as!(
            OwnerRow,
            "SELECT owner_ref, label, last_seen FROM owners WHERE owner_ref = ?1",
            owner_ref
        )
        .fetch_optional(self.read())
        .await?)
    }
}
