use super::events::state_event;
use super::workers::refresh_worker;
use super::{Store, StoreError, TurnState, Verified, Write};
use crate::ids::{TurnId, WorkerId};

/// A turn that is about to be queued.
#[derive(Debug, Clone)]
pub struct NewTurn {
    /// Its id.
    pub id: TurnId,
    /// Its worker.
    pub worker: WorkerId,
    /// The brief or message.
    pub brief: String,
    /// Model, or the agent's default.
    pub model: Option<String>,
    /// Reasoning effort, or the agent's default.
    pub effort: Option<String>,
}

/// A turn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TurnRow {
    /// Its id.
    pub id: TurnId,
    /// Its worker.
    pub worker: WorkerId,
    /// 1, 2, 3 … within the worker.
    pub position: i64,
    /// Where it is.
    pub state: TurnState,
    /// The brief or message.
    pub brief: String,
    /// Model, or the agent's default.
    pub model: Option<String>,
    /// Reasoning effort, or the agent's default.
    pub effort: Option<String>,
    /// The agent's id of the turn.
    pub codex_turn_id: Option<String>,
    /// Comes back on the agent's record of the message.
    pub client_id: String,
    /// The last agent message.
    pub report: Option<String>,
    /// Why it failed or ended, as a stable word.
    pub error_code: Option<String>,
    /// The same as a sentence.
    pub error_message: Option<String>,
    /// Token usage as the agent gave it, JSON.
    pub usage_json: Option<String>,
    /// How often it was continued after it broke off.
    pub requeues: i64,
    /// How often it was held after it had begun.
    pub holds: i64,
    /// Fingerprint of the base when a `read_only` turn began.
    pub base_before: Option<String>,
    /// What a look at the base afterwards showed.
    pub verified: Option<Verified>,
    /// Unix milliseconds.
    pub created_at: i64,
    /// When it was claimed; Unix milliseconds.
    pub started_at: Option<i64>,
    /// Unix milliseconds.
    pub ended_at: Option<i64>,
    /// The engine that carries it.
    pub lease_holder: Option<String>,
    /// Counts the claims; a writer with an older one is refused.
    pub lease_epoch: i64,
}

pub(super) struct RawTurn {
    pub(super) id: String,
    pub(super) worker_id: String,
    pub(super) position: i64,
    pub(super) state: String,
    pub(super) brief: String,
    pub(super) model: Option<String>,
    pub(super) effort: Option<String>,
    pub(super) codex_turn_id: Option<String>,
    pub(super) client_id: String,
    pub(super) report: Option<String>,
    pub(super) error_code: Option<String>,
    pub(super) error_message: Option<String>,
    pub(super) usage_json: Option<String>,
    pub(super) requeues: i64,
    pub(super) holds: i64,
    pub(super) base_before: Option<String>,
    pub(super) verified: Option<String>,
    pub(super) created_at: i64,
    pub(super) started_at: Option<i64>,
    pub(super) ended_at: Option<i64>,
    pub(super) lease_holder: Option<String>,
    pub(super) lease_epoch: i64,
}

impl TryFrom<RawTurn> for TurnRow {
    type Error = StoreError;
    fn try_from(raw: RawTurn) -> Result<Self, StoreError> {
        let corrupt = |id: &str| StoreError::Corrupt(id.to_owned());
        Ok(Self {
            id: raw.id.parse().map_err(|_| corrupt(&raw.id))?,
            worker: raw.worker_id.parse().map_err(|_| corrupt(&raw.worker_id))?,
            position: raw.position,
            state: TurnState::parse(&raw.state)?,
            brief: raw.brief,
            model: raw.model,
            effort: raw.effort,
            codex_turn_id: raw.codex_turn_id,
            client_id: raw.client_id,
            report: raw.report,
            error_code: raw.error_code,
            error_message: raw.error_message,
            usage_json: raw.usage_json,
            requeues: raw.requeues,
            holds: raw.holds,
            base_before: raw.base_before,
            verified: raw.verified.as_deref().map(Verified::parse).transpose()?,
            created_at: raw.created_at,
            started_at: raw.started_at,
            ended_at: raw.ended_at,
            lease_holder: raw.lease_holder,
            lease_epoch: raw.lease_epoch,
        })
    }
}

/// Selects whole turns; the tail of the statement follows.
macro_rules! select_turns {
    ($tail:tt $(, $arg:expr)* $(,)?) => {
        sqlx::query_as!(
            $crate::store::turns::RawTurn,
            "SELECT t.id, t.worker_id, t.position, t.state, t.brief, t.model, t.effort,
                    t.codex_turn_id, t.client_id, t.report, t.error_code, t.error_message,
                    t.usage_json, t.requeues, t.holds, t.base_before, t.verified, t.created_at, t.started_at,
                    t.ended_at, t.lease_holder, t.lease_epoch
             FROM turns t " + $tail $(, $arg)*
        )
    };
}
pub(super) use select_turns;

impl Store {
    /// Queues a further turn of a worker. Queuing the same id twice changes nothing.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the worker is archived; [`StoreError::Missing`] without one.
    pub async fn enqueue_turn(&self, turn: &NewTurn) -> Result<(TurnRow, i64), StoreError> {
        let (now, worker) = (self.now(), turn.worker.as_str());
        let mut tx = self.write().await?;
        let rev = self.next_rev(&mut tx).await?;
        let found = sqlx::query!(
            "UPDATE workers SET model = ?1, effort = ?2 WHERE id = ?3 RETURNING archived_at",
            turn.model,
            turn.effort,
            worker
        )
        .fetch_optional(&mut *tx)
        .await?;
        match found {
            None => return Err(StoreError::Missing),
            Some(row) if row.archived_at.is_some() => return Err(StoreError::Conflict),
            Some(_) => {}
        }
        insert_turn(&mut tx, turn, rev, now).await?;
        refresh_worker(&mut tx, &turn.worker, rev, now).await?;
        let row = turn_in(&mut tx, turn.id.as_str()).await?;
        self.commit(tx, rev).await?;
        Ok((row, rev))
    }

    /// Cancels a turn that waits.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when it waits no longer.
    pub async fn cancel_queued(&self, turn: &TurnId, reason: &str) -> Result<i64, StoreError> {
        let (now, id) = (self.now(), turn.as_str());
        let mut tx = self.write().await?;
        let rev = self.next_rev(&mut tx).await?;
        let row = sqlx::query!(
            "UPDATE turns SET state = 'cancelled', ended_at = ?1, rev = ?2,
                 error_code = 'cancelled_in_queue', error_message = ?3
             WHERE id = ?4 AND (state = 'queued' OR (started_at IS NULL
                 AND state IN ('waiting_limit', 'needs_login'))) RETURNING worker_id",
            now,
            rev,
            reason,
            id
        )
        .fetch_optional(&mut *tx)
        .await?
        .ok_or(StoreError::Conflict)?;
        let worker: WorkerId = row.worker_id.parse().map_err(|_| StoreError::Missing)?;
        state_event(&mut tx, turn, &worker, TurnState::Cancelled, rev, now).await?;
        refresh_worker(&mut tx, &worker, rev, now).await?;
        self.commit(tx, rev).await?;
        Ok(rev)
    }

    /// Replaces the text of a turn that waits.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when it waits no longer.
    pub async fn edit_queued(&self, turn: &TurnId, brief: &str) -> Result<i64, StoreError> {
        let (now, id) = (self.now(), turn.as_str());
        let mut tx = self.write().await?;
        let rev = self.next_rev(&mut tx).await?;
        let row = sqlx::query!(
            "UPDATE turns SET brief = ?1, rev = ?2 WHERE id = ?3
               AND (state = 'queued' OR (started_at IS NULL
                 AND state IN ('waiting_limit', 'needs_login'))) RETURNING worker_id",
            brief,
            rev,
            id
        )
        .fetch_optional(&mut *tx)
        .await?
        .ok_or(StoreError::Conflict)?;
        let worker: WorkerId = row.worker_id.parse().map_err(|_| StoreError::Missing)?;
        refresh_worker(&mut tx, &worker, rev, now).await?;
        self.commit(tx, rev).await?;
        Ok(rev)
    }

    /// The turn with this id.
    ///
    /// # Errors
    /// SQLite's own.
    pub async fn turn(&self, id: &TurnId) -> Result<Option<TurnRow>, StoreError> {
        let id = id.as_str();
        let raw = select_turns!("WHERE t.id = ?1", id).fetch_optional(self.read()).await?;
        raw.map(TryInto::try_into).transpose()
    }

    /// The turns of a worker that wait for their begin, in their order; at most 200.
    ///
    /// # Errors
    /// SQLite's own.
    pub async fn queued_turns(&self, worker: &WorkerId) -> Result<Vec<TurnRow>, StoreError> {
        let worker = worker.as_str();
        let raw = select_turns!(
            "WHERE t.worker_id = ?1 AND (t.state = 'queued' OR (t.started_at IS NULL
                 AND t.state IN ('waiting_limit', 'needs_login'))) ORDER BY t.position LIMIT 200",
            worker
        )
        .fetch_all(self.read())
        .await?;
        raw.into_iter().map(TryInto::try_into).collect()
    }

    /// The turns that some engine carries, of all workers; those that are held are nobody's.
    ///
    /// # Errors
    /// SQLite's own.
    pub async fn active_turns(&self) -> Result<Vec<TurnRow>, StoreError> {
        let raw = select_turns!(
            "WHERE t.state IN ('preparing', 'running', 'waiting_approval', 'stopping')
             ORDER BY t.created_at"
        )
        .fetch_all(self.read())
        .await?;
        raw.into_iter().map(TryInto::try_into).collect()
    }

    /// The last completed turn of a worker before `position`: its report is the last good answer.
    ///
    /// # Errors
    /// SQLite's own.
    pub async fn last_completed_before(
        &self,
        worker: &WorkerId,
        position: i64,
    ) -> Result<Option<TurnRow>, StoreError> {
        let worker = worker.as_str();
        let raw = select_turns!(
            "WHERE t.worker_id = ?1 AND t.position < ?2 AND t.state = 'completed'
             ORDER BY t.position DESC LIMIT 1",
            worker,
            position
        )
        .fetch_optional(self.read())
        .await?;
        raw.map(TryInto::try_into).transpose()
    }

    /// Whether the agent ever took a turn of this worker.
    ///
    /// # Errors
    /// SQLite's own.
    pub async fn ever_began(&self, worker: &WorkerId) -> Result<bool, StoreError> {
        let worker = worker.as_str();
        let found = sqlx::query_scalar!(
            "SELECT COUNT(*) FROM turns WHERE worker_id = ?1 AND codex_turn_id IS NOT NULL",
            worker
        )
        .fetch_one(self.read())
        .await?;
        Ok(found > 0)
    }
}

/// Inserts a queued turn behind the worker's others, with its event.
pub(super) async fn insert_turn(
    tx: &mut Write,
    turn: &NewTurn,
    rev: i64,
    now: i64,
) -> Result<(), StoreError> {
    let (id, worker) = (turn.id.as_str(), turn.worker.as_str());
    let client_id = format!("{id}.0");
    let inserted = sqlx::query!(
        "INSERT INTO turns (id, worker_id, position, state, brief, model, effort, client_id,
             created_at, available_at, rev)
         SELECT ?1, ?2, COALESCE(MAX(position), 0) + 1, 'queued', ?3, ?4, ?5, ?6, ?7, ?7, ?8
         FROM turns WHERE worker_id = ?2
         ON CONFLICT (id) DO NOTHING",
        id,
        worker,
        turn.brief,
        turn.model,
        turn.effort,
        client_id,
        now,
        rev
    )
    .execute(&mut **tx)
    .await?;
    if inserted.rows_affected() > 0 {
        state_event(tx, &turn.id, &turn.worker, TurnState::Queued, rev, now).await?;
    }
    Ok(())
}

pub(super) async fn turn_in(tx: &mut Write, id: &str) -> Result<TurnRow, StoreError> {
    select_turns!("WHERE t.id = ?1", id)
        .fetch_optional(&mut **tx)
        .await?
        .ok_or(StoreError::Missing)?
        .try_into()
}
