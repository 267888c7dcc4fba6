use super::approvals::withdraw_all;
use super::events::state_event;
use super::turns::turn_in;
use super::workers::refresh_worker;
use super::{Store, StoreError, TurnRow, TurnState, Verified};
use crate::ids::{EngineId, TurnId, WorkerId};

/// A turn that was claimed or adopted this often and has not begun is not queued again.
const MOST_CLAIMS: i64 = 50;

/// The right to change an active turn. A claim or adoption by somebody else makes it worthless: the
/// epoch is checked again in each UPDATE.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TurnLease {
    /// The turn.
    pub turn: TurnId,
    /// Its worker.
    pub worker: WorkerId,
    /// The claim's number.
    pub epoch: i64,
}

/// How a turn ended, with all that is kept of it.
#[derive(Debug, Clone)]
pub struct TurnEnd {
    /// A terminal state.
    pub state: TurnState,
    /// The last agent message.
    pub report: Option<String>,
    /// Why, as a stable word and a sentence.
    pub error: Option<(String, String)>,
    /// What a look at the base showed.
    pub verified: Option<Verified>,
}

impl Store {
    /// Claims the next turn that may run: nothing holds turns back, its worker has no active turn, and
    /// fewer than `max_active` turns are active at all. The turn is `preparing` afterwards.
    ///
    /// # Errors
    /// SQLite's own.
    pub async fn claim_turn(
        &self,
        engine: &EngineId,
        max_active: u32,
    ) -> Result<Option<(TurnRow, TurnLease)>, StoreError> {
        if !self.clear_to_claim().await? {
            return Ok(None);
        }
        let (now, holder) = (self.now(), engine.as_str());
        let mut tx = self.write().await?;
        let active = sqlx::query_scalar!(
            "SELECT COUNT(*) FROM turns
             WHERE state IN ('preparing', 'running', 'waiting_approval', 'stopping')"
        )
        .fetch_one(&mut *tx)
        .await?;
        if active >= i64::from(max_active) {
            return Ok(None);
        }
        let next = sqlx::query_scalar!(
            "SELECT t.id FROM turns t
             WHERE t.state = 'queued' AND t.available_at <= ?1
               AND NOT EXISTS (SELECT 1 FROM turns a WHERE a.worker_id = t.worker_id AND a.state IN (
                   'preparing', 'running', 'waiting_approval', 'waiting_limit', 'needs_login',
                   'stopping'))
               AND NOT EXISTS (SELECT 1 FROM turns q WHERE q.worker_id = t.worker_id
                   AND q.state = 'queued' AND q.position < t.position)
             ORDER BY t.available_at, t.created_at LIMIT 1",
            now
        )
        .fetch_optional(&mut *tx)
        .await?;
        let Some(id) = next else { return Ok(None) };
        let rev = self.next_rev(&mut tx).await?;
        sqlx::query!(
            "UPDATE turns SET state = 'preparing', started_at = ?1, lease_holder = ?2,
                 lease_epoch = lease_epoch + 1, rev = ?3
             WHERE id = ?4",
            now,
            holder,
            rev,
            id
        )
        .execute(&mut *tx)
        .await?;
        sqlx::query!(
            "UPDATE workers SET current_turn = ?1
             WHERE id = (SELECT worker_id FROM turns WHERE id = ?1)",
            id
        )
        .execute(&mut *tx)
        .await?;
        let row = turn_in(&mut tx, &id).await?;
        state_event(&mut tx, &row.id, &row.worker, TurnState::Preparing, rev, now).await?;
        refresh_worker(&mut tx, &row.worker, rev, now).await?;
        self.commit(tx, rev).await?;
        let lease = lease_of(&row);
        Ok(Some((row, lease)))
    }

    /// Takes over an active turn of an engine that is gone.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the turn is not active any more.
    pub async fn adopt_turn(
        &self,
        turn: &TurnId,
        engine: &EngineId,
    ) -> Result<TurnLease, StoreError> {
        let (id, holder) = (turn.as_str(), engine.as_str());
        let mut tx = self.write().await?;
        let rev = self.next_rev(&mut tx).await?;
        let done = sqlx::query!(
            "UPDATE turns SET lease_holder = ?1, lease_epoch = lease_epoch + 1, rev = ?2
             WHERE id = ?3 AND state IN ('preparing', 'running', 'waiting_approval',
                 'waiting_limit', 'needs_login', 'stopping')",
            holder,
            rev,
            id
        )
        .execute(&mut *tx)
        .await?;
        if done.rows_affected() == 0 {
            return Err(StoreError::Conflict);
        }
        let row = turn_in(&mut tx, id).await?;
        self.commit(tx, rev).await?;
        Ok(lease_of(&row))
    }

    /// Moves an active turn to another active state. A turn that is `stopping` stays so.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the lease is old, the turn is over, or it is being stopped.
    pub async fn set_turn_state(
        &self,
        lease: &TurnLease,
        state: TurnState,
    ) -> Result<i64, StoreError> {
        let (now, id, word) = (self.now(), lease.turn.as_str(), state.as_str());
        let mut tx = self.write().await?;
        let rev = self.next_rev(&mut tx).await?;
        let done = sqlx::query!(
            "UPDATE turns SET state = ?1, rev = ?2
             WHERE id = ?3 AND lease_epoch = ?4 AND state <> ?1
               AND state IN ('preparing', 'running', 'waiting_approval', 'waiting_limit',
                   'needs_login')",
            word,
            rev,
            id,
            lease.epoch
        )
        .execute(&mut *tx)
        .await?;
        if done.rows_affected() == 0 {
            return Err(StoreError::Conflict);
        }
        state_event(&mut tx, &lease.turn, &lease.worker, state, rev, now).await?;
        refresh_worker(&mut tx, &lease.worker, rev, now).await?;
        self.commit(tx, rev).await?;
        Ok(rev)
    }

    /// Notes the agent's id of the turn, and that it runs (unless it is being stopped).
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the lease is old or the turn is over.
    pub async fn turn_began(&self, lease: &TurnLease, agent_id: &str) -> Result<(), StoreError> {
        let (now, id) = (self.now(), lease.turn.as_str());
        let mut tx = self.write().await?;
        let rev = self.next_rev(&mut tx).await?;
        let changed = sqlx::query!(
            "UPDATE turns SET codex_turn_id = ?1, rev = ?2, error_code = NULL, error_message = NULL,
                 state = CASE state WHEN 'preparing' THEN 'running' ELSE state END
             WHERE id = ?3 AND lease_epoch = ?4
               AND (codex_turn_id IS NOT ?1 OR state = 'preparing')
               AND state IN ('preparing', 'running', 'waiting_approval', 'waiting_limit',
                   'needs_login', 'stopping')
             RETURNING state",
            agent_id,
            rev,
            id,
            lease.epoch
        )
        .fetch_optional(&mut *tx)
        .await?;
        let Some(row) = changed else { return self.still_ours(lease).await };
        let state = TurnState::parse(&row.state)?;
        if state == TurnState::Running {
            state_event(&mut tx, &lease.turn, &lease.worker, state, rev, now).await?;
        }
        refresh_worker(&mut tx, &lease.worker, rev, now).await?;
        self.commit(tx, rev).await
    }

    /// Keeps the fingerprint of the base as it was before a `read_only` turn. The first one counts.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the lease is old.
    pub async fn set_base_before(&self, lease: &TurnLease, print: &str) -> Result<(), StoreError> {
        let id = lease.turn.as_str();
        let mut tx = self.write().await?;
        let done = sqlx::query!(
            "UPDATE turns SET base_before = COALESCE(base_before, ?1)
             WHERE id = ?2 AND lease_epoch = ?3",
            print,
            id,
            lease.epoch
        )
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        if done.rows_affected() == 0 { Err(StoreError::Conflict) } else { Ok(()) }
    }

    /// Ends a turn. The first end wins.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the lease is old or the turn is over already.
    pub async fn finish_turn(&self, lease: &TurnLease, end: &TurnEnd) -> Result<i64, StoreError> {
        let (now, id, state) = (self.now(), lease.turn.as_str(), end.state.as_str());
        let (code, message) = end.error.clone().unzip();
        let verified = end.verified.map(Verified::as_str);
        let mut tx = self.write().await?;
        let rev = self.next_rev(&mut tx).await?;
        let done = sqlx::query!(
            "UPDATE turns SET state = ?1, report = ?2, error_code = ?3, error_message = ?4,
                 verified = ?5, ended_at = ?6, rev = ?7
             WHERE id = ?8 AND lease_epoch = ?9 AND state IN ('preparing', 'running',
                 'waiting_approval', 'waiting_limit', 'needs_login', 'stopping')",
            state,
            end.report,
            code,
            message,
            verified,
            now,
            rev,
            id,
            lease.epoch
        )
        .execute(&mut *tx)
        .await?;
        if done.rows_affected() == 0 {
            return Err(StoreError::Conflict);
        }
        withdraw_all(&mut tx, &lease.turn, now).await?;
        state_event(&mut tx, &lease.turn, &lease.worker, end.state, rev, now).await?;
        refresh_worker(&mut tx, &lease.worker, rev, now).await?;
        self.commit(tx, rev).await?;
        Ok(rev)
    }

    /// Queues an active turn again, with a new client id. One that the agent had begun is `continued`:
    /// that happens once. One that it never took may come again, but not for ever; the agent's id
    /// of it, if it ever had one, names nothing any more.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the lease is old, the turn is being stopped, it was continued
    /// before, or it was claimed too often.
    pub async fn requeue_turn(
        &self,
        lease: &TurnLease,
        continued: bool,
    ) -> Result<i64, StoreError> {
        let (now, id, step) = (self.now(), lease.turn.as_str(), i64::from(continued));
        let mut tx = self.write().await?;
        let rev = self.next_rev(&mut tx).await?;
        let done = sqlx::query!(
            "UPDATE turns SET state = 'queued', requeues = requeues + ?1,
                 lease_holder = NULL, rev = ?2, client_id = id || '.' || lease_epoch,
                 codex_turn_id = CASE ?1 WHEN 1 THEN codex_turn_id END,
                 error_code = CASE ?1 WHEN 0 THEN error_code END,
                 error_message = CASE ?1 WHEN 0 THEN error_message END
             WHERE id = ?3 AND lease_epoch = ?4 AND (?1 = 0 OR requeues = 0) AND lease_epoch < ?5
               AND state IN ('preparing', 'running', 'waiting_approval', 'waiting_limit',
                   'needs_login')",
            step,
            rev,
            id,
            lease.epoch,
            MOST_CLAIMS
        )
        .execute(&mut *tx)
        .await?;
        if done.rows_affected() == 0 {
            return Err(StoreError::Conflict);
        }
        withdraw_all(&mut tx, &lease.turn, now).await?;
        state_event(&mut tx, &lease.turn, &lease.worker, TurnState::Queued, rev, now).await?;
        refresh_worker(&mut tx, &lease.worker, rev, now).await?;
        self.commit(tx, rev).await?;
        Ok(rev)
    }

    async fn still_ours(&self, lease: &TurnLease) -> Result<(), StoreError> {
        let id = lease.turn.as_str();
        let epoch = sqlx::query_scalar!("SELECT lease_epoch FROM turns WHERE id = ?1", id)
            .fetch_optional(self.read())
            .await?;
        if epoch == Some(lease.epoch) { Ok(()) } else { Err(StoreError::Conflict) }
    }
}

fn lease_of(row: &TurnRow) -> TurnLease {
    TurnLease { turn: row.id.clone(), worker: row.worker.clone(), epoch: row.lease_epoch }
}
