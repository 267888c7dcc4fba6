use super::turns::select_turns;
use super::workers::select_workers;
use super::{Store, StoreError, TurnRow, WorkerRow, WorkerState};
use crate::ids::WorkerId;
use std::collections::HashMap;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

/// Which workers are meant.
#[derive(Debug, Clone, Default)]
pub struct WorkerFilter {
    /// Of this repository; of all when missing.
    pub repo_key: Option<String>,
    /// Owned by this owner.
    pub owner_ref: Option<String>,
    /// Only those with a turn that is active or waits.
    pub active_only: bool,
    /// Archived ones too.
    pub archived: bool,
    /// Accepted at this time or later, Unix milliseconds.
    pub created_after: Option<i64>,
    /// What the scope shows; everything when missing.
    pub scope: Option<Scope>,
    /// Only those behind this place: `updated_at` and id of the last one of the page before.
    pub after: Option<(i64, String)>,
}

/// A narrowed look: workers that are not at rest, and beside them the ones named here.
#[derive(Debug, Clone)]
pub struct Scope {
    /// Those of this owner.
    pub owner_ref: Option<String>,
    /// Those that changed at this time or later, Unix milliseconds.
    pub changed_since: Option<i64>,
}

/// A worker with what views need of it.
#[derive(Debug, Clone)]
pub struct WorkerFacts {
    /// The worker.
    pub worker: WorkerRow,
    /// Its current turn.
    pub turn: Option<TurnRow>,
    /// Where its worktree is, and in which state its row is.
    pub worktree: Option<(PathBuf, String)>,
    /// The tree it started from.
    pub start_tree: Option<String>,
    /// Its newest snapshot, and the tree of it.
    pub snapshot: Option<(String, String)>,
    /// The tree of the snapshot last applied to the base.
    pub integrated_tree: Option<String>,
    /// The agent's thread; no view shows it.
    pub thread_id: Option<String>,
    /// When its last event happened, Unix milliseconds.
    pub last_event_at: Option<i64>,
}

/// How many workers are in a state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StateCount {
    /// The state.
    pub state: WorkerState,
    /// How many.
    pub count: i64,
}

struct RawCount {
    state: String,
    count: i64,
}

// Whether archived workers count is a word of the statement and no argument: only so can SQLite use the
// index of the live ones.

/// A page of the workers that a filter means.
macro_rules! listed {
    ($live:tt, $f:ident, $limit:ident) => {
        select_workers!(
            "WHERE "
                + $live
                + "(?1 IS NULL OR w.repo_key = ?1) AND (?2 IS NULL OR w.owner_ref = ?2)
                   AND (?3 = 0 OR w.state NOT IN ('idle', 'failed', 'interrupted'))
                   AND (?4 IS NULL OR w.created_at >= ?4)
                   AND (?5 = 0 OR w.state <> 'idle' OR w.owner_ref = ?6 OR w.updated_at >= ?7)
                   AND (?8 IS NULL OR (w.updated_at, w.id) < (?8, ?9))
                 ORDER BY w.updated_at DESC, w.id DESC LIMIT ?10",
            $f.repo_key,
            $f.owner_ref,
            $f.active_only,
            $f.created_after,
            $f.scoped,
            $f.scope_owner,
            $f.changed_since,
            $f.after_at,
            $f.after_id,
            $limit
        )
    };
}

/// How many a filter means, by state.
macro_rules! counted {
    ($live:tt, $f:ident) => {
        sqlx::query_as!(
            RawCount,
            "SELECT w.state, COUNT(*) AS count FROM workers w WHERE "
                + $live
                + "(?1 IS NULL OR w.repo_key = ?1) AND (?2 IS NULL OR w.owner_ref = ?2)
                   AND (?3 = 0 OR w.state NOT IN ('idle', 'failed', 'interrupted'))
                   AND (?4 IS NULL OR w.created_at >= ?4)
                   AND (?5 = 0 OR w.state <> 'idle' OR w.owner_ref = ?6 OR w.updated_at >= ?7)
                 GROUP BY w.state ORDER BY w.state",
            $f.repo_key,
            $f.owner_ref,
            $f.active_only,
            $f.created_after,
            $f.scoped,
            $f.scope_owner,
            $f.changed_since
        )
    };
}

impl Store {
    /// The workers that a filter means, the last changed first, at most `limit`.
    ///
    /// # Errors
    /// SQLite's own.
    pub async fn list_workers(
        &self,
        filter: &WorkerFilter,
        limit: u32,
    ) -> Result<Vec<WorkerRow>, StoreError> {
        let f = Bound::of(filter);
        let raw = match filter.archived {
            true => listed!("", f, limit).fetch_all(self.read()).await?,
            false => listed!("w.archived_at IS NULL AND ", f, limit).fetch_all(self.read()).await?,
        };
        raw.into_iter().map(TryInto::try_into).collect()
    }

    /// How many workers of each state a filter means; its place in the list does not count.
    ///
    /// # Errors
    /// SQLite's own.
    pub async fn count_workers(
        &self,
        filter: &WorkerFilter,
    ) -> Result<Vec<StateCount>, StoreError> {
        let f = Bound::of(filter);
        let rows = match filter.archived {
            true => counted!("", f).fetch_all(self.read()).await?,
            false => counted!("w.archived_at IS NULL AND ", f).fetch_all(self.read()).await?,
        };
        let count = |row: RawCount| {
            Ok(StateCount { state: WorkerState::parse(&row.state)?, count: row.count })
        };
        rows.into_iter().map(count).collect()
    }

    /// Whether one of the workers changed after revision `since`.
    ///
    /// # Errors
    /// SQLite's own.
    pub async fn changed_since(
        &self,
        since: i64,
        repo_key: Option<&str>,
        worker: Option<&WorkerId>,
    ) -> Result<bool, StoreError> {
        let worker = worker.map(WorkerId::as_str);
        let found = sqlx::query_scalar!(
            "SELECT EXISTS (SELECT 1 FROM workers
             WHERE rev > ?1 AND (?2 IS NULL OR repo_key = ?2) AND (?3 IS NULL OR id = ?3))",
            since,
            repo_key,
            worker
        )
        .fetch_one(self.read())
        .await?;
        Ok(found != 0)
    }

    /// How many of the workers have a turn that is active or waits.
    ///
    /// # Errors
    /// SQLite's own.
    pub async fn active_workers(
        &self,
        repo_key: Option<&str>,
        worker: Option<&WorkerId>,
    ) -> Result<i64, StoreError> {
        let worker = worker.map(WorkerId::as_str);
        Ok(sqlx::query_scalar!(
            "SELECT COUNT(*) FROM workers WHERE state NOT IN ('idle', 'failed', 'interrupted')
               AND (?1 IS NULL OR repo_key = ?1) AND (?2 IS NULL OR id = ?2)",
            repo_key,
            worker
        )
        .fetch_one(self.read())
        .await?)
    }

    /// What views need of these workers, in the same order; three statements however many there are.
    ///
    /// # Errors
    /// SQLite's own.
    pub async fn worker_facts(
        &self,
        workers: Vec<WorkerRow>,
    ) -> Result<Vec<WorkerFacts>, StoreError> {
        let ids: Vec<&str> = workers.iter().map(|w| w.id.as_str()).collect();
        let mut beside = self.facts_beside(&json_list(&ids)).await?;
        let turns: Vec<&str> = workers.iter().filter_map(|w| w.current_turn.as_deref()).collect();
        let mut turns = self.turns_by_id(&json_list(&turns)).await?;
        let fill = |worker: WorkerRow| {
            let turn = worker.current_turn.as_ref().and_then(|id| turns.remove(id));
            let mut facts = WorkerFacts {
                worker,
                turn,
                worktree: None,
                start_tree: None,
                snapshot: None,
                integrated_tree: None,
                thread_id: None,
                last_event_at: None,
            };
            if let Some(row) = beside.remove(facts.worker.id.as_str()) {
                row.into_facts(&mut facts);
            }
            facts
        };
        Ok(workers.into_iter().map(fill).collect())
    }

    async fn facts_beside(&self, ids: &str) -> Result<HashMap<String, Beside>, StoreError> {
        let rows = sqlx::query_as!(
            Beside,
            r#"SELECT w.id, wt.path AS "path?", wt.state AS "worktree_state?",
                wt.base_tree AS "start_tree?", th.thread_id AS "thread_id?",
                s.id AS "snapshot?", s.tree_oid AS "tree?", i.tree_oid AS "integrated_tree?",
                (SELECT e.at FROM events e WHERE e.worker_id = w.id ORDER BY e.seq DESC LIMIT 1)
                    AS "last_event_at?: i64"
             FROM workers w
             LEFT JOIN worktrees wt ON wt.worker_id = w.id
             LEFT JOIN threads th ON th.worker_id = w.id
             LEFT JOIN snapshots i ON i.id = w.integrated_snapshot
             LEFT JOIN snapshots s ON s.id = (SELECT n.id FROM snapshots n WHERE n.worker_id = w.id
                 ORDER BY n.created_at DESC, n.id DESC LIMIT 1)
             WHERE w.id IN (SELECT value FROM json_each(?1))"#,
            ids
        )
        .fetch_all(self.read())
        .await?;
        Ok(rows.into_iter().map(|row| (row.id.clone(), row)).collect())
    }

    async fn turns_by_id(&self, ids: &str) -> Result<HashMap<String, TurnRow>, StoreError> {
        let rows = select_turns!("WHERE t.id IN (SELECT value FROM json_each(?1))", ids)
            .fetch_all(self.read())
            .await?;
        let mut turns = HashMap::new();
        for raw in rows {
            let row: TurnRow = raw.try_into()?;
            turns.insert(row.id.as_str().to_owned(), row);
        }
        Ok(turns)
    }
}

struct Beside {
    id: String,
    path: Option<Vec<u8>>,
    worktree_state: Option<String>,
    start_tree: Option<String>,
    thread_id: Option<String>,
    snapshot: Option<String>,
    tree: Option<String>,
    integrated_tree: Option<String>,
    last_event_at: Option<i64>,
}

impl Beside {
    fn into_facts(self, facts: &mut WorkerFacts) {
        let path = self.path.map(|p| PathBuf::from(OsString::from_vec(p)));
        facts.worktree = path.zip(self.worktree_state);
        facts.start_tree = self.start_tree;
        facts.snapshot = self.snapshot.zip(self.tree);
        facts.integrated_tree = self.integrated_tree;
        facts.thread_id = self.thread_id;
        facts.last_event_at = self.last_event_at;
    }
}

/// A filter as SQL takes it.
struct Bound {
    repo_key: Option<String>,
    owner_ref: Option<String>,
    active_only: bool,
    created_after: Option<i64>,
    scoped: bool,
    scope_owner: Option<String>,
    changed_since: Option<i64>,
    after_at: Option<i64>,
    after_id: Option<String>,
}

impl Bound {
    fn of(filter: &WorkerFilter) -> Self {
        let (after_at, after_id) = filter.after.clone().unzip();
        Self {
            repo_key: filter.repo_key.clone(),
            owner_ref: filter.owner_ref.clone(),
            active_only: filter.active_only,
            created_after: filter.created_after,
            scoped: filter.scope.is_some(),
            scope_owner: filter.scope.as_ref().and_then(|s| s.owner_ref.clone()),
            changed_since: filter.scope.as_ref().and_then(|s| s.changed_since),
            after_at,
            after_id,
        }
    }
}

fn json_list(ids: &[&str]) -> String {
    serde_json::to_string(ids).unwrap_or_else(|_| "[]".to_owned())
}
