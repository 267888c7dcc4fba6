use super::{Store, StoreError};
use crate::ids::WorkerId;
use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;

/// The agent's thread of a worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ThreadRow {
    /// The agent's id; no view shows it.
    pub thread_id: String,
    /// Version of the agent that wrote it last.
    pub cli_version: String,
    /// The agent's own record.
    pub rollout: Option<PathBuf>,
}

impl Store {
    /// Keeps the worker's thread; one that was there is replaced.
    ///
    /// # Errors
    /// SQLite's own.
    pub async fn put_thread(&self, worker: &WorkerId, row: &ThreadRow) -> Result<(), StoreError> {
        let (worker, now) = (worker.as_str(), self.now());
        let rollout = row.rollout.as_ref().map(|p| p.as_os_str().as_bytes().to_vec());
        let mut tx = self.write().await?;
        sqlx::query!(
            "INSERT INTO threads (worker_id, thread_id, cli_version, rollout_path, created_at)
             VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT (worker_id) DO UPDATE SET thread_id = excluded.thread_id,
                 cli_version = excluded.cli_version, rollout_path = excluded.rollout_path",
            worker,
            row.thread_id,
            row.cli_version,
            rollout,
            now
        )
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(())
    }

    /// The worker's thread.
    ///
    /// # Errors
    /// SQLite's own.
    pub async fn thread(&self, worker: &WorkerId) -> Result<Option<ThreadRow>, StoreError> {
        let worker = worker.as_str();
        let row = sqlx::query!(
            "SELECT thread_id, cli_version, rollout_path FROM threads WHERE worker_id = ?1",
            worker
        )
        .fetch_optional(self.read())
        .await?;
        Ok(row.map(|row| ThreadRow {
            thread_id: row.thread_id,
            cli_version: row.cli_version,
            rollout: row.rollout_path.map(|p| PathBuf::from(OsString::from_vec(p))),
        }))
    }
}
