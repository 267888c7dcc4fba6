use super::StoreError;
use super::anchor::{self, Anchor};
use crate::clock::Clock;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{Connection, Row};
use std::path::Path;
use std::time::Duration;
use tokio::sync::watch;

/// A write transaction. SQLite has one writer; the pool behind it has one connection.
pub type Write = sqlx::Transaction<'static, sqlx::Sqlite>;

/// The database: one writing connection, a few reading ones.
#[derive(Debug, Clone)]
pub struct Store {
    writer: SqlitePool,
    readers: SqlitePool,
    clock: Clock,
    changed: watch::Sender<i64>,
    path: std::sync::Arc<Path>,
}

impl Store {
    /// Opens (or makes) the database at `path` and brings its schema up to date.
    ///
    /// # Errors
    /// [`StoreError::Migrate`] when the schema is newer than this program; [`StoreError::CutShort`] and
    /// [`StoreError::Damaged`] when it lost something, and then nothing is changed;
    /// [`StoreError::Sql`] otherwise.
    pub async fn open(path: &Path, clock: Clock) -> Result<Self, StoreError> {
        anchor::inspect(path).await?;
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Normal)
            .foreign_keys(true)
            .busy_timeout(Duration::from_secs(10));
        let writer = SqlitePoolOptions::new()
            .max_connections(1)
            .min_connections(1)
            .idle_timeout(None)
            .max_lifetime(None)
            .acquire_timeout(Duration::from_secs(30))
            // SQLite ends a transaction by itself when the disk is full, which the library does not notice:
            // it would take the connection for one in a transaction for ever (seen on sqlx 0.9).
            .before_acquire(|conn, _| Box::pin(std::future::ready(Ok(!conn.is_in_transaction()))))
            .connect_with(options.clone())
            .await?;
        sqlx::migrate!().run(&writer).await?;
        // One stays: the files beside the database go with the last connection, and where the disk is full
        // they cannot be made again.
        let readers = SqlitePoolOptions::new().max_connections(4).min_connections(1);
        let readers = readers.max_lifetime(None).connect_lazy_with(options.read_only(true));
        let rev =
            sqlx::query_scalar!("SELECT rev FROM revision WHERE id = 1").fetch_one(&writer).await?;
        let changed = watch::Sender::new(rev);
        let store = Self { writer, readers, clock, changed, path: path.into() };
        match store.anchor().await {
            Err(error) if error.is_full() => {
                tracing::error!(%error, "the store is not on the disk yet")
            }
            anchored => anchored?,
        }
        Ok(store)
    }

    /// Brings what was committed to the disk for good, and notes how much that is. Readers and writers
    /// need not wait for it.
    ///
    /// # Errors
    /// SQLite's own.
    pub async fn anchor(&self) -> Result<(), StoreError> {
        let mut conn = self.writer.acquire().await?;
        let rev = sqlx::query_scalar!("SELECT rev FROM revision WHERE id = 1")
            .fetch_one(&mut *conn)
            .await?;
        let row = sqlx::query("PRAGMA wal_checkpoint(PASSIVE)").fetch_one(&mut *conn).await?;
        let (busy, log, done): (i64, i64, i64) =
            (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
        if busy == 0 && log == done {
            Anchor::put(&self.path, rev);
        }
        Ok(())
    }

    /// Bounds the file, as a full disk would.
    #[cfg(test)]
    pub(in crate::store) async fn limit_pages(&self, most: i64) {
        let limit = format!("PRAGMA max_page_count = {most}");
        let limit = sqlx::AssertSqlSafe(limit);
        sqlx::query(limit).execute(&self.writer).await.unwrap();
    }

    /// The pool for reading.
    #[must_use]
    pub(in crate::store) fn read(&self) -> &SqlitePool {
        &self.readers
    }

    /// Begins a write transaction; it rolls back unless it is given to [`Store::commit`].
    pub(in crate::store) async fn write(&self) -> Result<Write, StoreError> {
        Ok(self.writer.begin_with("BEGIN IMMEDIATE").await?)
    }

    /// Takes the next revision inside a transaction, for the rows that it changes.
    pub(in crate::store) async fn next_rev(&self, tx: &mut Write) -> Result<i64, StoreError> {
        Ok(sqlx::query_scalar!("UPDATE revision SET rev = rev + 1 WHERE id = 1 RETURNING rev")
            .fetch_one(&mut **tx)
            .await?)
    }

    /// Commits, then wakes everybody who waits for a revision of at least `rev`.
    pub(in crate::store) async fn commit(&self, tx: Write, rev: i64) -> Result<(), StoreError> {
        tx.commit().await?;
        self.changed.send_if_modified(|now| {
            let newer = rev > *now;
            *now = (*now).max(rev);
            newer
        });
        Ok(())
    }

    /// Whether anything can be stored: writes nothing but a revision.
    ///
    /// # Errors
    /// [`StoreError::Full`] when there is no room; else SQLite's own.
    pub async fn try_write(&self) -> Result<(), StoreError> {
        let mut tx = self.write().await?;
        let rev = self.next_rev(&mut tx).await?;
        self.commit(tx, rev).await
    }

    /// The time of rows that are written now.
    pub(in crate::store) fn now(&self) -> i64 {
        self.clock.now_ms()
    }

    /// A receiver whose value is the newest committed revision; it changes when something changes.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<i64> {
        self.changed.subscribe()
    }

    /// Closes the pools; pending writes are finished first.
    pub async fn close(&self) {
        self.readers.close().await;
        if let Err(error) = self.anchor().await {
            tracing::warn!(%error, "the store was not brought to the disk before its end");
        }
        self.writer.close().await;
    }
}
