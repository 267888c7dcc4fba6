//! Rows that tests of other rooms need and whose own verbs are too rich for them.

use super::Store;

impl Store {
    /// A worker row with this id, for a repository key and root.
    pub(crate) async fn seed_worker(&self, id: &str, repo_key: &str, root: &[u8]) {
        let mut tx = self.write().await.unwrap();
        let rev = self.next_rev(&mut tx).await.unwrap();
        sqlx::query!(
            "INSERT INTO workers (id, repo_key, repo_root, repo_name, name, name_fold, mode,
                 owner_ref, created_at, updated_at, rev)
             VALUES (?, ?, ?, 'repo', ?, ?, 'isolated_write', 'owner', 0, 0, ?)",
            id,
            repo_key,
            root,
            id,
            id,
            rev
        )
        .execute(&mut *tx)
        .await
        .unwrap();
        self.commit(tx, rev).await.unwrap();
    }
}
