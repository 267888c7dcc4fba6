use super::turns::{insert_turn, turn_in};
use super::{NewTurn, Store, StoreError, TurnRow, WorkerMode, WorkerState, Write};
use crate::ids::WorkerId;
use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;

/// A worker that is about to be accepted.
#[derive(Debug, Clone)]
pub struct NewWorker {
    /// Its id.
    pub id: WorkerId,
    /// Key of its repository.
    pub repo_key: String,
    /// The checkout that the chat named.
    pub repo_root: PathBuf,
    /// The repository's name for people.
    pub repo_name: String,
    /// Its name, unique among the live workers of the repository.
    pub name: String,
    /// What it may touch.
    pub mode: WorkerMode,
    /// Model, or the default.
    pub model: Option<String>,
    /// Reasoning effort, or the default.
    pub effort: Option<String>,
    /// Who owns it.
    pub owner_ref: String,
    /// How the owner calls itself.
    pub owner_label: Option<String>,
}

/// A worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkerRow {
    /// Its id.
    pub id: WorkerId,
    /// Key of its repository.
    pub repo_key: String,
    /// The checkout that the chat named.
    pub repo_root: PathBuf,
    /// The repository's name for people.
    pub repo_name: String,
    /// Its name.
    pub name: String,
    /// What it may touch.
    pub mode: WorkerMode,
    /// Model, or the default.
    pub model: Option<String>,
    /// Reasoning effort, or the default.
    pub effort: Option<String>,
    /// Who owns it.
    pub owner_ref: String,
    /// How the owner calls itself.
    pub owner_label: Option<String>,
    /// The snapshot last applied to the base.
    pub integrated_snapshot: Option<String>,
    /// The turn that was claimed last; before that the first.
    pub current_turn: Option<String>,
    /// What it is doing.
    pub state: WorkerState,
    /// Turns that wait.
    pub queued: i64,
    /// Unix milliseconds.
    pub created_at: i64,
    /// Unix milliseconds of the last change.
    pub updated_at: i64,
    /// When its workspace was cleaned up and its name became free; Unix milliseconds.
    pub archived_at: Option<i64>,
    /// Revision of the last change.
    pub rev: i64,
}

pub(super) struct RawWorker {
    pub(super) id: String,
    pub(super) repo_key: String,
    pub(super) repo_root: Vec<u8>,
    pub(super) repo_name: String,
    pub(super) name: String,
    pub(super) mode: String,
    pub(super) model: Option<String>,
    pub(super) effort: Option<String>,
    pub(super) owner_ref: String,
    pub(super) owner_label: Option<String>,
    pub(super) integrated_snapshot: Option<String>,
    pub(super) current_turn: Option<String>,
    pub(super) state: String,
    pub(super) queued: i64,
    pub(super) created_at: i64,
    pub(super) updated_at: i64,
    pub(super) archived_at: Option<i64>,
    pub(super) rev: i64,
}

impl TryFrom<RawWorker> for WorkerRow {
    type Error = StoreError;
    fn try_from(raw: RawWorker) -> Result<Self, StoreError> {
        Ok(Self {
            id: raw.id.parse().map_err(|_| StoreError::Corrupt(raw.id.clone()))?,
            repo_key: raw.repo_key,
            repo_root: PathBuf::from(OsString::from_vec(raw.repo_root)),
            repo_name: raw.repo_name,
            name: raw.name,
            mode: WorkerMode::parse(&raw.mode)?,
            model: raw.model,
            effort: raw.effort,
            owner_ref: raw.owner_ref,
            owner_label: raw.owner_label,
            integrated_snapshot: raw.integrated_snapshot,
            current_turn: raw.current_turn,
            state: WorkerState::parse(&raw.state)?,
            queued: raw.queued,
            created_at: raw.created_at,
            updated_at: raw.updated_at,
            archived_at: raw.archived_at,
            rev: raw.rev,
        })
    }
}

/// Selects whole workers; the tail of the statement follows.
macro_rules! select_workers {
    ($first:tt $(+ $tail:tt)* $(, $arg:expr)* $(,)?) => {
        sqlx::query_as!(
            $crate::store::workers::RawWorker,
            "SELECT w.id, w.repo_key, w.repo_root, w.repo_name, w.name, w.mode, w.model, w.effort,
                    w.owner_ref, w.owner_label, w.integrated_snapshot, w.current_turn, w.state,
                    w.queued, w.created_at, w.updated_at, w.archived_at, w.rev
             FROM workers w " + $first $(+ $tail)* $(, $arg)*
        )
    };
}
pub(super) use select_workers;

/// How names are compared: case does not count.
#[must_use]
pub fn fold_name(name: &str) -> String {
    name.to_lowercase()
}

impl Store {
    /// Accepts a worker with its first turn and the first event, in one transaction.
    ///
    /// # Errors
    /// [`StoreError::NameTaken`], or SQLite's own.
    pub async fn accept_worker(
        &self,
        worker: &NewWorker,
        turn: &NewTurn,
    ) -> Result<(WorkerRow, TurnRow, i64), StoreError> {
        let now = self.now();
        let mut tx = self.write().await?;
        let rev = self.next_rev(&mut tx).await?;
        insert_worker(&mut tx, worker, turn, rev, now).await?;
        insert_turn(&mut tx, turn, rev, now).await?;
        refresh_worker(&mut tx, &worker.id, rev, now).await?;
        let row = worker_in(&mut tx, worker.id.as_str()).await?;
        let turn = turn_in(&mut tx, turn.id.as_str()).await?;
        self.commit(tx, rev).await?;
        Ok((row, turn, rev))
    }

    /// The worker with this id, archived or not.
    ///
    /// # Errors
    /// SQLite's own.
    pub async fn worker(&self, id: &WorkerId) -> Result<Option<WorkerRow>, StoreError> {
        let id = id.as_str();
        let raw = select_workers!("WHERE w.id = ?1", id).fetch_optional(self.read()).await?;
        raw.map(TryInto::try_into).transpose()
    }

    /// The workers called `name`, of one repository or of all: live ones first, then the archived
    /// ones, the newest first; at most 20.
    ///
    /// # Errors
    /// SQLite's own.
    pub async fn workers_named(
        &self,
        name: &str,
        repo_key: Option<&str>,
    ) -> Result<Vec<WorkerRow>, StoreError> {
        let fold = fold_name(name);
        let raw = select_workers!(
            "WHERE w.name_fold = ?1 AND (?2 IS NULL OR w.repo_key = ?2)
             ORDER BY w.archived_at IS NOT NULL, w.created_at DESC, w.id DESC LIMIT 20",
            fold,
            repo_key
        )
        .fetch_all(self.read())
        .await?;
        raw.into_iter().map(TryInto::try_into).collect()
    }

    /// Archives a worker: its name becomes free, its rows stay.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when a turn is active or waits, or it is archived already.
    pub async fn archive_worker(&self, id: &WorkerId) -> Result<i64, StoreError> {
        let (now, worker) = (self.now(), id.as_str());
        let mut tx = self.write().await?;
        let rev = self.next_rev(&mut tx).await?;
        let done = sqlx::query!(
            "UPDATE workers SET archived_at = ?1, updated_at = ?1, rev = ?2
             WHERE id = ?3 AND archived_at IS NULL AND state IN ('idle', 'failed', 'interrupted')",
            now,
            rev,
            worker
        )
        .execute(&mut *tx)
        .await?;
        if done.rows_affected() == 0 {
            return Err(StoreError::Conflict);
        }
        self.commit(tx, rev).await?;
        Ok(rev)
    }
}

async fn insert_worker(
    tx: &mut Write,
    worker: &NewWorker,
    turn: &NewTurn,
    rev: i64,
    now: i64,
) -> Result<(), StoreError> {
    let (id, mode, turn) = (worker.id.as_str(), worker.mode.as_str(), turn.id.as_str());
    let (root, fold) = (worker.repo_root.as_os_str().as_bytes(), fold_name(&worker.name));
    let inserted = sqlx::query!(
        "INSERT INTO workers (id, repo_key, repo_root, repo_name, name, name_fold, mode, model,
             effort, owner_ref, owner_label, current_turn, state, queued, created_at, updated_at, rev)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, 'queued', 1, ?13, ?13, ?14)",
        id,
        worker.repo_key,
        root,
        worker.repo_name,
        worker.name,
        fold,
        mode,
        worker.model,
        worker.effort,
        worker.owner_ref,
        worker.owner_label,
        turn,
        now,
        rev
    )
    .execute(&mut **tx)
    .await;
    match inserted {
        Err(sqlx::Error::Database(error)) if error.is_unique_violation() => {
            Err(StoreError::NameTaken)
        }
        Err(error) => Err(error.into()),
        Ok(_) => Ok(()),
    }
}

/// Derives the worker's state and queue length from its turns, and gives it the revision.
pub(super) async fn refresh_worker(
    tx: &mut Write,
    id: &WorkerId,
    rev: i64,
    now: i64,
) -> Result<(), StoreError> {
    let id = id.as_str();
    sqlx::query!(
        "UPDATE workers SET rev = ?1, updated_at = ?2,
             queued = (SELECT COUNT(*) FROM turns q
                       WHERE q.worker_id = workers.id AND q.state = 'queued'),
             state = COALESCE(
                 (SELECT a.state FROM turns a WHERE a.worker_id = workers.id AND a.state IN (
                     'preparing', 'running', 'waiting_approval', 'waiting_limit', 'needs_login',
                     'stopping')),
                 (SELECT 'queued' FROM turns q
                  WHERE q.worker_id = workers.id AND q.state = 'queued' LIMIT 1),
                 (SELECT CASE c.state WHEN 'completed' THEN 'idle' WHEN 'cancelled' THEN 'idle'
                              ELSE c.state END
                  FROM turns c WHERE c.id = workers.current_turn),
                 'idle')
         WHERE id = ?3",
        rev,
        now,
        id
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

pub(super) async fn worker_in(tx: &mut Write, id: &str) -> Result<WorkerRow, StoreError> {
    select_workers!("WHERE w.id = ?1", id)
        .fetch_optional(&mut **tx)
        .await?
        .ok_or(StoreError::Missing)?
        .try_into()
}
