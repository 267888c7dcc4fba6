use super::approval_row::RawApproval;
use super::events::state_event;
use super::workers::refresh_worker;
use super::{
    ApprovalRow, ApprovalState, Decision, NewApproval, Store, StoreError, TurnLease, TurnState,
    Write,
};
use crate::ids::{ApprovalId, TurnId, WorkerId};
use serde_json::json;

/// Selects whole questions; the tail of the statement follows.
macro_rules! select_approvals {
    ($tail:tt $(, $arg:expr)* $(,)?) => {
        sqlx::query_as!(
            RawApproval,
            "SELECT a.id, a.worker_id, a.turn_id, a.item_id, a.ask_key, a.kind, a.request, a.state,
                    a.decision, a.decided_by, a.requested_at, a.decided_at
             FROM approvals a " + $tail $(, $arg)*
        )
    };
}

impl Store {
    /// Stores a question of a running turn, which waits from now on. A question that has a row already
    /// changes nothing; its row tells what was decided.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the lease is old or the turn is over.
    pub async fn ask_approval(
        &self,
        lease: &TurnLease,
        new: &NewApproval,
    ) -> Result<ApprovalRow, StoreError> {
        let (now, turn) = (self.now(), lease.turn.as_str());
        let (id, kind) = (new.id.as_str(), new.kind.as_str());
        let mut tx = self.write().await?;
        let rev = self.next_rev(&mut tx).await?;
        let inserted = sqlx::query!(
            "INSERT INTO approvals (id, worker_id, turn_id, item_id, ask_key, kind, request, state,
                 requested_at)
             SELECT ?1, t.worker_id, t.id, ?2, ?3, ?4, ?5, 'pending', ?6 FROM turns t
             WHERE t.id = ?7 AND t.lease_epoch = ?8 AND t.state IN ('preparing', 'running',
                 'waiting_approval', 'stopping')
             ON CONFLICT (turn_id, ask_key) DO NOTHING",
            id,
            new.item,
            new.key,
            kind,
            new.request,
            now,
            turn,
            lease.epoch
        )
        .execute(&mut *tx)
        .await?;
        let row = asked_in(&mut tx, turn, &new.key).await?.ok_or(StoreError::Conflict)?;
        if inserted.rows_affected() > 0 {
            note(&mut tx, &row, "requested", now).await?;
            settle_state(&mut tx, &row, rev, now).await?;
        }
        self.commit(tx, rev).await?;
        Ok(row)
    }

    /// Decides a question. Deciding it the same way again changes nothing.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when it was decided otherwise, or is not waited for any more;
    /// [`StoreError::Missing`] without such a row.
    pub async fn decide_approval(
        &self,
        id: &ApprovalId,
        decision: Decision,
        by: &str,
    ) -> Result<ApprovalRow, StoreError> {
        let (now, key, word) = (self.now(), id.as_str(), decision.as_str());
        let mut tx = self.write().await?;
        let rev = self.next_rev(&mut tx).await?;
        let done = sqlx::query!(
            "UPDATE approvals SET state = 'decided', decision = ?1, decided_by = ?2, decided_at = ?3
             WHERE id = ?4 AND state = 'pending'",
            word,
            by,
            now,
            key
        )
        .execute(&mut *tx)
        .await?;
        let row = approval_in(&mut tx, key).await?;
        if done.rows_affected() == 0 {
            let same = row.decision == Some(decision);
            return if same { Ok(row) } else { Err(StoreError::Conflict) };
        }
        note(&mut tx, &row, "decided", now).await?;
        refresh_worker(&mut tx, &row.worker, rev, now).await?;
        self.commit(tx, rev).await?;
        Ok(row)
    }

    /// Notes that the agent was told, even when the end of the item was quicker. A turn that waits for
    /// nothing else runs again.
    ///
    /// # Errors
    /// SQLite's own.
    pub async fn deliver_approval(&self, id: &ApprovalId) -> Result<(), StoreError> {
        let (now, key) = (self.now(), id.as_str());
        let mut tx = self.write().await?;
        let rev = self.next_rev(&mut tx).await?;
        let done = sqlx::query!(
            "UPDATE approvals SET state = 'delivered', delivered_at = ?1
             WHERE id = ?2 AND state IN ('decided', 'withdrawn') AND decision IS NOT NULL",
            now,
            key
        )
        .execute(&mut *tx)
        .await?;
        if done.rows_affected() == 0 {
            return Ok(());
        }
        let row = approval_in(&mut tx, key).await?;
        note(&mut tx, &row, "delivered", now).await?;
        settle_state(&mut tx, &row, rev, now).await?;
        self.commit(tx, rev).await
    }

    /// Notes that the agent does not wait for answers any more: to the turn's question with this key, or
    /// to those of this item.
    ///
    /// # Errors
    /// SQLite's own.
    pub async fn withdraw_approvals(
        &self,
        turn: &TurnId,
        key_or_item: &str,
    ) -> Result<(), StoreError> {
        let (now, id) = (self.now(), turn.as_str());
        let mut tx = self.write().await?;
        let open = select_approvals!(
            "WHERE a.turn_id = ?1 AND (a.ask_key = ?2 OR a.item_id = ?2)
               AND a.state IN ('pending', 'decided')",
            id,
            key_or_item
        )
        .fetch_all(&mut *tx)
        .await?;
        if open.is_empty() {
            return Ok(());
        }
        let rev = self.next_rev(&mut tx).await?;
        for raw in open {
            let row: ApprovalRow = raw.try_into()?;
            pass(&mut tx, &row, now).await?;
            settle_state(&mut tx, &row, rev, now).await?;
        }
        self.commit(tx, rev).await
    }

    /// A worker's questions: those that wait first, then the newest; at most `limit`.
    ///
    /// # Errors
    /// SQLite's own.
    pub async fn approvals(
        &self,
        worker: &WorkerId,
        limit: u32,
    ) -> Result<Vec<ApprovalRow>, StoreError> {
        let worker = worker.as_str();
        let raw = select_approvals!(
            "WHERE a.worker_id = ?1
             ORDER BY a.state <> 'pending', a.requested_at DESC, a.id DESC LIMIT ?2",
            worker,
            limit
        )
        .fetch_all(self.read())
        .await?;
        raw.into_iter().map(TryInto::try_into).collect()
    }

    /// The question with this id.
    ///
    /// # Errors
    /// SQLite's own.
    pub async fn approval(&self, id: &ApprovalId) -> Result<Option<ApprovalRow>, StoreError> {
        let id = id.as_str();
        let raw = select_approvals!("WHERE a.id = ?1", id).fetch_optional(self.read()).await?;
        raw.map(TryInto::try_into).transpose()
    }

    /// Whether a question of the turn was answered with the end of the turn.
    ///
    /// # Errors
    /// SQLite's own.
    pub async fn cancelled_by_approval(&self, turn: &TurnId) -> Result<bool, StoreError> {
        let turn = turn.as_str();
        let found = sqlx::query_scalar!(
            "SELECT COUNT(*) FROM approvals WHERE turn_id = ?1 AND decision = 'cancel'",
            turn
        )
        .fetch_one(self.read())
        .await?;
        Ok(found > 0)
    }
}

/// Closes what a turn still asks: it is over, or begins anew.
pub(super) async fn withdraw_all(
    tx: &mut Write,
    turn: &TurnId,
    now: i64,
) -> Result<(), StoreError> {
    let id = turn.as_str();
    let open = select_approvals!("WHERE a.turn_id = ?1 AND a.state IN ('pending', 'decided')", id)
        .fetch_all(&mut **tx)
        .await?;
    for raw in open {
        close(tx, &raw.try_into()?, now).await?;
    }
    Ok(())
}

async fn close(tx: &mut Write, row: &ApprovalRow, now: i64) -> Result<(), StoreError> {
    let id = row.id.as_str();
    sqlx::query!("UPDATE approvals SET state = 'withdrawn' WHERE id = ?1", id)
        .execute(&mut **tx)
        .await?;
    note(tx, row, "withdrawn", now).await
}

/// The agent went on: it has the decision where there is one, and needs none otherwise.
async fn pass(tx: &mut Write, row: &ApprovalRow, now: i64) -> Result<(), StoreError> {
    if row.state != ApprovalState::Decided {
        return close(tx, row, now).await;
    }
    let id = row.id.as_str();
    sqlx::query!(
        "UPDATE approvals SET state = 'delivered', delivered_at = ?1 WHERE id = ?2",
        now,
        id
    )
    .execute(&mut **tx)
    .await?;
    note(tx, row, "delivered", now).await
}

/// The turn waits while a question of it is open, and runs when none is.
async fn settle_state(
    tx: &mut Write,
    row: &ApprovalRow,
    rev: i64,
    now: i64,
) -> Result<(), StoreError> {
    let turn = row.turn.as_str();
    let changed = sqlx::query!(
        "UPDATE turns SET rev = ?1, state = CASE state WHEN 'waiting_approval' THEN 'running'
                 ELSE 'waiting_approval' END
         WHERE id = ?2 AND state IN ('preparing', 'running', 'waiting_approval')
           AND (state <> 'waiting_approval') = EXISTS (SELECT 1 FROM approvals a
               WHERE a.turn_id = ?2 AND a.state IN ('pending', 'decided'))
         RETURNING state",
        rev,
        turn
    )
    .fetch_optional(&mut **tx)
    .await?;
    if let Some(changed) = changed {
        let state = TurnState::parse(&changed.state)?;
        state_event(tx, &row.turn, &row.worker, state, rev, now).await?;
    }
    refresh_worker(tx, &row.worker, rev, now).await
}

/// The journal's event of a question.
async fn note(tx: &mut Write, row: &ApprovalRow, phase: &str, now: i64) -> Result<(), StoreError> {
    let (worker, turn, id) = (row.worker.as_str(), row.turn.as_str(), row.id.as_str());
    let request: serde_json::Value = serde_json::from_str(&row.request).unwrap_or_default();
    let payload = json!({
        "approval_id": id, "item": row.item, "kind": row.kind, "decision": row.decision,
        "command": request["command"], "reason": request["reason"],
    });
    let payload = payload.to_string();
    sqlx::query!(
        "INSERT INTO events (worker_id, turn_id, item_id, phase, kind, payload, at)
         VALUES (?1, ?2, ?3, ?4, 'approval', ?5, ?6) ON CONFLICT (turn_id, item_id, phase) DO NOTHING",
        worker,
        turn,
        id,
        phase,
        payload,
        now
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

async fn asked_in(
    tx: &mut Write,
    turn: &str,
    key: &str,
) -> Result<Option<ApprovalRow>, StoreError> {
    let raw = select_approvals!("WHERE a.turn_id = ?1 AND a.ask_key = ?2", turn, key)
        .fetch_optional(&mut **tx)
        .await?;
    raw.map(TryInto::try_into).transpose()
}

async fn approval_in(tx: &mut Write, id: &str) -> Result<ApprovalRow, StoreError> {
    select_approvals!("WHERE a.id = ?1", id)
        .fetch_optional(&mut **tx)
        .await?
        .ok_or(StoreError::Missing)?
        .try_into()
}
