use super::StoreError;
use serde::{Deserialize, Serialize};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{Connection, Row};
use std::path::{Path, PathBuf};

/// What is known to be in the store for good: a file beside it. A store that holds less was cut short,
/// and is not opened, least of all as an empty one.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Anchor {
    /// A revision that is certain to be on the disk.
    rev: i64,
}

fn place(db: &Path) -> PathBuf {
    db.with_extension("anchor")
}

fn length(path: &Path) -> u64 {
    std::fs::metadata(path).map_or(0, |meta| meta.len())
}

fn wal(db: &Path) -> PathBuf {
    let mut name = db.as_os_str().to_os_string();
    name.push("-wal");
    name.into()
}

impl Anchor {
    fn read(db: &Path) -> Option<Self> {
        serde_json::from_slice(&std::fs::read(place(db)).ok()?).ok()
    }

    /// Notes that everything up to `rev` is on the disk. A failure costs nothing but the knowledge.
    pub(super) fn put(db: &Path, rev: i64) {
        let place = place(db);
        let temporary = place.with_extension("anchor.new");
        let text = serde_json::json!({ "rev": rev }).to_string();
        let written =
            std::fs::write(&temporary, text).and_then(|()| std::fs::rename(&temporary, &place));
        if let Err(error) = written {
            tracing::warn!(%error, "the store's anchor could not be written");
        }
    }
}

/// Looks at a store before it is opened for writing; changes nothing. A torn end of the write-ahead log is
/// no fault: SQLite goes back to the last whole transaction.
///
/// # Errors
/// [`StoreError::CutShort`] or [`StoreError::Damaged`].
pub(super) async fn inspect(db: &Path) -> Result<(), StoreError> {
    let anchor = Anchor::read(db);
    if length(db) == 0 {
        return match (&anchor, length(&wal(db))) {
            (None, 0) => Ok(()),
            _ => Err(StoreError::CutShort("store.db is empty or gone".to_owned())),
        };
    }
    let options = SqliteConnectOptions::new().filename(db).read_only(true);
    let mut conn = SqliteConnection::connect_with(&options).await?;
    let outcome = compare(&mut conn, db, anchor).await;
    let _ = conn.close().await;
    outcome
}

async fn compare(
    conn: &mut SqliteConnection,
    db: &Path,
    anchor: Option<Anchor>,
) -> Result<(), StoreError> {
    let pages: i64 = number(conn, "PRAGMA page_count").await?;
    let size: i64 = number(conn, "PRAGMA page_size").await?;
    if length(db) < pages.unsigned_abs() * size.unsigned_abs() {
        // The missing pages may still stand in the log, after a crash in the middle of a checkpoint.
        let said: String =
            sqlx::query("PRAGMA quick_check(1)").fetch_one(&mut *conn).await?.try_get(0)?;
        if said != "ok" {
            return Err(StoreError::Damaged(said));
        }
    }
    let Some(anchor) = anchor else { return Ok(()) };
    let tables = number(conn, "SELECT COUNT(*) FROM sqlite_schema WHERE name = 'revision'").await?;
    let rev = if tables == 0 { 0 } else { number(conn, "SELECT MAX(rev) FROM revision").await? };
    if rev < anchor.rev {
        let text = format!("it ends at revision {rev}, but {} was on the disk already", anchor.rev);
        return Err(StoreError::CutShort(text));
    }
    Ok(())
}

async fn number(conn: &mut SqliteConnection, sql: &'static str) -> Result<i64, StoreError> {
    Ok(sqlx::query(sql).fetch_one(conn).await?.try_get(0)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;
    use crate::store::Store;
    use std::collections::BTreeMap;

    struct Place {
        dir: tempfile::TempDir,
    }

    impl Place {
        fn new() -> Self {
            std::fs::create_dir_all("target/tmp").unwrap();
            Self { dir: tempfile::tempdir_in("target/tmp").unwrap() }
        }

        fn file(&self, name: &str) -> PathBuf {
            self.dir.path().join(name)
        }

        async fn open(&self) -> Result<Store, StoreError> {
            Store::open(&self.file("store.db"), Clock::manual(0)).await
        }

        /// A copy of what a killed process would leave.
        fn killed(&self) -> Self {
            let copy = Self::new();
            for name in ["store.db", "store.db-wal", "store.anchor"] {
                if self.file(name).exists() {
                    std::fs::copy(self.file(name), copy.file(name)).unwrap();
                }
            }
            copy
        }

        fn cut(&self, name: &str, to: u64) {
            let file = std::fs::File::options().write(true).open(self.file(name)).unwrap();
            file.set_len(to).unwrap();
        }

        fn bytes(&self) -> BTreeMap<&'static str, Vec<u8>> {
            // An empty log is made by every look.
            let full = |bytes: &Vec<u8>| !bytes.is_empty();
            let read =
                |name| std::fs::read(self.file(name)).ok().filter(full).map(|bytes| (name, bytes));
            ["store.db", "store.db-wal", "store.anchor"].into_iter().filter_map(read).collect()
        }
    }

    async fn fill(store: &Store, rows: usize) {
        for n in 0..rows {
            store.meta_or_set(&format!("k{n}"), &[7; 3000]).await.unwrap();
        }
    }

    #[tokio::test]
    async fn a_store_that_was_cut_short_is_refused_and_not_touched() {
        let place = Place::new();
        let store = place.open().await.unwrap();
        fill(&store, 40).await;
        store.close().await;
        let whole = length(&place.file("store.db"));
        for (to, code) in [
            (0, "store_cut_short"),
            (50, "store_damaged"),
            (4096, "store_damaged"),
            (whole / 2, "store_damaged"),
            (whole - 4096, "store_damaged"),
        ] {
            let cut = place.killed();
            cut.cut("store.db", to);
            let before = cut.bytes();
            let refused = cut.open().await.unwrap_err();
            assert_eq!(refused.code(), code, "{to}: {refused}");
            assert_eq!(cut.bytes(), before, "{to}: something was written");
        }
        let gone = place.killed();
        std::fs::remove_file(gone.file("store.db")).unwrap();
        assert_eq!(gone.open().await.unwrap_err().code(), "store_cut_short");
        assert!(!gone.file("store.db").exists());
        let noise = place.killed();
        std::fs::write(noise.file("store.db"), [9; 8192]).unwrap();
        assert_eq!(noise.open().await.unwrap_err().code(), "store_damaged");
        assert!(place.open().await.is_ok(), "the whole one opens");
    }

    #[tokio::test]
    async fn a_log_without_what_was_certain_is_refused() {
        let place = Place::new();
        let store = place.open().await.unwrap();
        store.seed_worker("wrk_1", "key", b"/r").await;
        store.anchor().await.unwrap();
        let older = place.killed();
        store.seed_worker("wrk_2", "key", b"/r").await;
        store.anchor().await.unwrap();
        // An older file under the anchor of the newer one.
        std::fs::copy(place.file("store.anchor"), older.file("store.anchor")).unwrap();
        let refused = older.open().await.unwrap_err();
        assert_eq!(refused.code(), "store_cut_short", "{refused}");
        store.close().await;
    }

    #[tokio::test]
    async fn a_torn_end_of_the_log_is_recovered() {
        let place = Place::new();
        let store = place.open().await.unwrap();
        fill(&store, 19).await;
        // The log is written anew from its begin after a checkpoint, so its length says nothing.
        let log = |place: &Place| std::fs::read(place.file("store.db-wal")).unwrap();
        let before = log(&place);
        store.meta_or_set("k19", &[7; 3000]).await.unwrap();
        let torn = place.killed();
        let after = log(&torn);
        let differs = |at: &usize| before.get(*at) != after.get(*at);
        let end = (0..after.len()).rev().find(differs).unwrap();
        torn.cut("store.db-wal", end as u64 - 100);
        let again = torn.open().await.unwrap();
        assert!(again.meta("k18").await.unwrap().is_some());
        assert_eq!(again.meta("k19").await.unwrap(), None, "the torn one is gone, whole");
        again.close().await;
        store.close().await;
    }

    #[tokio::test]
    async fn a_full_disk_is_told_from_other_faults_and_writing_goes_on_when_there_is_room() {
        let place = Place::new();
        let store = place.open().await.unwrap();
        fill(&store, 1).await;
        store.limit_pages(1).await;
        let mut refused = None;
        for n in 0..50 {
            if let Err(error) = store.meta_or_set(&format!("more{n}"), &[7; 3000]).await {
                refused = Some((n, error));
                break;
            }
        }
        let (n, error) = refused.expect("the disk is full at some time");
        assert_eq!(error.code(), "disk_full", "{error}");
        assert_eq!(store.meta(&format!("more{n}")).await.unwrap(), None, "nothing is half there");
        store.limit_pages(1_000_000).await;
        store.meta_or_set(&format!("more{n}"), &[7; 3000]).await.unwrap();
        store.close().await;
    }
}
