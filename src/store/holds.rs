use super::approvals::withdraw_all;
use super::events::state_event;
use super::workers::refresh_worker;
use super::{HoldReason, Store, StoreError, TurnLease, TurnState, Write};
use crate::ids::{TurnId, WorkerId};

/// Why no turn is begun at present.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HoldRow {
    /// What is used up or refused.
    pub reason: HoldReason,
    /// Unix milliseconds.
    pub since: i64,
    /// When turns are begun again by themselves, Unix milliseconds; none where somebody must act.
    pub until: Option<i64>,
    /// Whether the agent named that time; otherwise it is a guess.
    pub known: bool,
    /// The agent's words.
    pub message: String,
    /// Digest of the login that was used; another one is a reason to try again.
    pub login_mark: String,
}

impl HoldRow {
    /// The state of a turn that waits for its end.
    #[must_use]
    pub fn state(&self) -> TurnState {
        match self.reason {
            HoldReason::Limit => TurnState::WaitingLimit,
            HoldReason::Login => TurnState::NeedsLogin,
        }
    }

    /// The stable word that turns carry as their error meanwhile.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self.reason {
            HoldReason::Limit => "usage_limit",
            HoldReason::Login => "unauthorized",
        }
    }
}

impl Store {
    /// Holds an active turn, and with it everything that would begin: it gives its lease back and gets a
    /// new client id, because what it did so far was a turn of the agent. `since` of a hold that there is
    /// already stays.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the lease is old or the turn is being stopped.
    pub async fn hold_turn(&self, lease: &TurnLease, hold: &HoldRow) -> Result<(), StoreError> {
        let (now, id) = (self.now(), lease.turn.as_str());
        let (state, code) = (hold.state(), hold.code());
        let word = state.as_str();
        let mut tx = self.write().await?;
        let rev = self.next_rev(&mut tx).await?;
        let done = sqlx::query!(
            "UPDATE turns SET state = ?1, holds = holds + 1, lease_holder = NULL, rev = ?2,
                 error_code = ?3, error_message = ?4,
                 client_id = id || '.' || lease_epoch
             WHERE id = ?5 AND lease_epoch = ?6
               AND state IN ('preparing', 'running', 'waiting_approval')",
            word,
            rev,
            code,
            hold.message,
            id,
            lease.epoch
        )
        .execute(&mut *tx)
        .await?;
        if done.rows_affected() == 0 {
            return Err(StoreError::Conflict);
        }
        put(&mut tx, hold).await?;
        withdraw_all(&mut tx, &lease.turn, now).await?;
        state_event(&mut tx, &lease.turn, &lease.worker, state, rev, now).await?;
        refresh_worker(&mut tx, &lease.worker, rev, now).await?;
        park(&mut tx, hold, rev, now).await?;
        self.commit(tx, rev).await
    }

    /// What holds turns back now.
    ///
    /// # Errors
    /// SQLite's own.
    pub async fn holds(&self) -> Result<Vec<HoldRow>, StoreError> {
        let rows = sqlx::query_as!(RawHold, "SELECT * FROM holds ORDER BY reason")
            .fetch_all(self.read())
            .await?;
        rows.into_iter().map(TryInto::try_into).collect()
    }

    /// Ends all holds: what waited for them is queued again, in its old place.
    ///
    /// # Errors
    /// SQLite's own.
    pub async fn end_holds(&self) -> Result<(), StoreError> {
        let now = self.now();
        let mut tx = self.write().await?;
        let rev = self.next_rev(&mut tx).await?;
        sqlx::query!("DELETE FROM holds").execute(&mut *tx).await?;
        unpark(&mut tx, rev, now).await?;
        self.commit(tx, rev).await
    }

    /// Cancels the turn of a worker that is held; `report` is what it said last. Gives it back, or none when
    /// no turn is held.
    ///
    /// # Errors
    /// SQLite's own.
    pub async fn cancel_held(
        &self,
        worker: &WorkerId,
        reason: &str,
        report: Option<&str>,
    ) -> Result<Option<TurnId>, StoreError> {
        let (now, id) = (self.now(), worker.as_str());
        let mut tx = self.write().await?;
        let rev = self.next_rev(&mut tx).await?;
        let held = sqlx::query_scalar!(
            "UPDATE turns SET state = 'cancelled', ended_at = ?1, rev = ?2, error_code = 'stopped',
                 error_message = ?3, report = ?5
             WHERE worker_id = ?4 AND state IN ('waiting_limit', 'needs_login') RETURNING id",
            now,
            rev,
            reason,
            id,
            report
        )
        .fetch_optional(&mut *tx)
        .await?;
        let Some(turn) = held else { return Ok(None) };
        let turn: TurnId = turn.parse().map_err(|_| StoreError::Missing)?;
        state_event(&mut tx, &turn, worker, TurnState::Cancelled, rev, now).await?;
        refresh_worker(&mut tx, worker, rev, now).await?;
        self.commit(tx, rev).await?;
        Ok(Some(turn))
    }

    /// Looks at the holds before a claim: one whose time has come ends; while another lasts, what would
    /// begin waits for it. True when turns may be claimed.
    pub(super) async fn clear_to_claim(&self) -> Result<bool, StoreError> {
        let holds = self.holds().await?;
        if holds.is_empty() {
            return Ok(true);
        }
        let now = self.now();
        let (over, lasting): (Vec<_>, Vec<_>) =
            holds.into_iter().partition(|hold| hold.until.is_some_and(|until| until <= now));
        let mut tx = self.write().await?;
        let rev = self.next_rev(&mut tx).await?;
        let mut moved = 0;
        for hold in &over {
            let reason = hold.reason.as_str();
            sqlx::query!("DELETE FROM holds WHERE reason = ?1", reason).execute(&mut *tx).await?;
            moved += unpark(&mut tx, rev, now).await?;
        }
        if let Some(hold) = lasting.last() {
            moved += park(&mut tx, hold, rev, now).await?;
        }
        if moved > 0 || !over.is_empty() {
            self.commit(tx, rev).await?;
        }
        Ok(lasting.is_empty())
    }
}

struct RawHold {
    reason: String,
    since: i64,
    until: Option<i64>,
    known: i64,
    message: String,
    login_mark: String,
}

impl TryFrom<RawHold> for HoldRow {
    type Error = StoreError;
    fn try_from(raw: RawHold) -> Result<Self, StoreError> {
        Ok(Self {
            reason: HoldReason::parse(&raw.reason)?,
            since: raw.since,
            until: raw.until,
            known: raw.known != 0,
            message: raw.message,
            login_mark: raw.login_mark,
        })
    }
}

async fn put(tx: &mut Write, hold: &HoldRow) -> Result<(), StoreError> {
    let reason = hold.reason.as_str();
    sqlx::query!(
        "INSERT INTO holds (reason, since, until, known, message, login_mark)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)
         ON CONFLICT (reason) DO UPDATE SET until = excluded.until, known = excluded.known,
             message = excluded.message, login_mark = excluded.login_mark",
        reason,
        hold.since,
        hold.until,
        hold.known,
        hold.message,
        hold.login_mark
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// The next turn of each worker that has none waits for the end of the hold, and shows it.
async fn park(tx: &mut Write, hold: &HoldRow, rev: i64, now: i64) -> Result<usize, StoreError> {
    let state = hold.state();
    let word = state.as_str();
    let parked = sqlx::query!(
        "UPDATE turns SET state = ?1, rev = ?2
         WHERE state = 'queued'
           AND NOT EXISTS (SELECT 1 FROM turns a WHERE a.worker_id = turns.worker_id AND a.state IN (
               'preparing', 'running', 'waiting_approval', 'waiting_limit', 'needs_login',
               'stopping'))
           AND NOT EXISTS (SELECT 1 FROM turns q WHERE q.worker_id = turns.worker_id
               AND q.state = 'queued' AND q.position < turns.position)
         RETURNING id, worker_id",
        word,
        rev
    )
    .fetch_all(&mut **tx)
    .await?;
    for row in &parked {
        moved(tx, &row.id, &row.worker_id, state, rev, now).await?;
    }
    Ok(parked.len())
}

async fn unpark(tx: &mut Write, rev: i64, now: i64) -> Result<usize, StoreError> {
    let freed = sqlx::query!(
        "UPDATE turns SET state = 'queued', rev = ?1
         WHERE state IN ('waiting_limit', 'needs_login') RETURNING id, worker_id",
        rev
    )
    .fetch_all(&mut **tx)
    .await?;
    for row in &freed {
        moved(tx, &row.id, &row.worker_id, TurnState::Queued, rev, now).await?;
    }
    Ok(freed.len())
}

async fn moved(
    tx: &mut Write,
    turn: &str,
    worker: &str,
    state: TurnState,
    rev: i64,
    now: i64,
) -> Result<(), StoreError> {
    let corrupt = |id: &str| StoreError::Corrupt(id.to_owned());
    let turn: TurnId = turn.parse().map_err(|_| corrupt(turn))?;
    let worker: WorkerId = worker.parse().map_err(|_| corrupt(worker))?;
    state_event(tx, &turn, &worker, state, rev, now).await?;
    refresh_worker(tx, &worker, rev, now).await
}
