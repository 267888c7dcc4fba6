use super::{Store, StoreError, TurnState, Write};
use crate::ids::{TurnId, WorkerId};
use serde::Serialize;

/// An event that is about to be stored. (turn, item, phase) is unique: storing it twice changes nothing.
#[derive(Debug, Clone, Serialize)]
pub struct NewEvent {
    /// Its turn.
    pub turn: TurnId,
    /// The agent's id of the item, or ours of the thing.
    pub item: String,
    /// `started`, `completed`, `sent`, a state, …
    pub phase: String,
    /// `agentMessage`, `commandExecution`, `state`, `error`, `steer`, …
    pub kind: String,
    /// JSON.
    pub payload: String,
    /// Unix milliseconds.
    pub at: i64,
    /// Whether somebody who waits for the worker wants to know.
    pub notable: bool,
}

/// An event of the journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventRow {
    /// The cursor.
    pub seq: i64,
    /// Its turn.
    pub turn_id: String,
    /// The item.
    pub item_id: String,
    /// The phase.
    pub phase: String,
    /// The kind.
    pub kind: String,
    /// JSON.
    pub payload: String,
    /// Unix milliseconds.
    pub at: i64,
}

impl Store {
    /// Stores a batch in one transaction, and the last token usage of turns beside it.
    /// Events of unknown turns are left out.
    ///
    /// # Errors
    /// SQLite's own; nothing of the batch is stored then.
    pub async fn append_events(
        &self,
        events: &[NewEvent],
        usage: &[(TurnId, String)],
    ) -> Result<(), StoreError> {
        let batch = serde_json::to_string(events)
            .map_err(|error| StoreError::Corrupt(error.to_string()))?;
        let mut tx = self.write().await?;
        let rev = self.next_rev(&mut tx).await?;
        // One statement a batch: each further one would cost a trip to SQLite's thread.
        let stored = sqlx::query!(
            "INSERT INTO events (worker_id, turn_id, item_id, phase, kind, payload, at)
             SELECT t.worker_id, t.id, e.value ->> 'item', e.value ->> 'phase', e.value ->> 'kind',
                    e.value ->> 'payload', e.value ->> 'at'
             FROM json_each(?1) e CROSS JOIN turns t ON t.id = e.value ->> 'turn'
             WHERE true ORDER BY e.key
             ON CONFLICT (turn_id, item_id, phase) DO NOTHING",
            batch
        )
        .execute(&mut *tx)
        .await?
        .rows_affected();
        for (turn, usage) in usage {
            let turn = turn.as_str();
            sqlx::query!(
                "UPDATE turns SET usage_json = ?1, rev = ?2 WHERE id = ?3",
                usage,
                rev,
                turn
            )
            .execute(&mut *tx)
            .await?;
        }
        if stored > 0 {
            touch_notable(&mut tx, events, rev, self.now()).await?;
        }
        self.commit(tx, rev).await
    }

    /// Events of a worker after the cursor `seq`, oldest first, at most `limit`.
    ///
    /// # Errors
    /// SQLite's own.
    pub async fn events_after(
        &self,
        worker: &WorkerId,
        seq: i64,
        limit: u32,
    ) -> Result<Vec<EventRow>, StoreError> {
        let worker = worker.as_str();
        Ok(sqlx::query_as!(
            EventRow,
            "SELECT seq, turn_id, item_id, phase, kind, payload, at FROM events
             WHERE worker_id = ?1 AND seq > ?2 ORDER BY seq LIMIT ?3",
            worker,
            seq,
            limit
        )
        .fetch_all(self.read())
        .await?)
    }

    /// The newest cursor of a worker's events; 0 without any.
    ///
    /// # Errors
    /// SQLite's own.
    pub async fn last_seq(&self, worker: &WorkerId) -> Result<i64, StoreError> {
        let worker = worker.as_str();
        let seq = sqlx::query_scalar!(
            "SELECT seq FROM events WHERE worker_id = ?1 ORDER BY seq DESC LIMIT 1",
            worker
        )
        .fetch_optional(self.read())
        .await?;
        Ok(seq.unwrap_or(0))
    }

    /// When the state of one of the worker's turns that are not over changed last.
    ///
    /// # Errors
    /// SQLite's own.
    pub async fn last_state_at(&self, worker: &WorkerId) -> Result<Option<i64>, StoreError> {
        let worker = worker.as_str();
        Ok(sqlx::query_scalar!(
            r#"SELECT MAX(e.at) AS "at: i64" FROM turns t
               JOIN events e ON e.turn_id = t.id AND e.kind = 'state' AND e.phase = t.state
             WHERE t.worker_id = ?1
               AND t.state NOT IN ('completed', 'failed', 'interrupted', 'cancelled')"#,
            worker
        )
        .fetch_one(self.read())
        .await?)
    }

    /// The last event of a kind and phase in a turn.
    ///
    /// # Errors
    /// SQLite's own.
    pub async fn last_event(
        &self,
        turn: &TurnId,
        kind: &str,
        phase: &str,
    ) -> Result<Option<EventRow>, StoreError> {
        let turn = turn.as_str();
        Ok(sqlx::query_as!(
            EventRow,
            "SELECT seq, turn_id, item_id, phase, kind, payload, at FROM events
             WHERE turn_id = ?1 AND kind = ?2 AND phase = ?3 ORDER BY seq DESC LIMIT 1",
            turn,
            kind,
            phase
        )
        .fetch_optional(self.read())
        .await?)
    }

    /// All events of a kind in a turn, oldest first, at most 1,000.
    ///
    /// # Errors
    /// SQLite's own.
    pub async fn events_of_kind(
        &self,
        turn: &TurnId,
        kind: &str,
    ) -> Result<Vec<EventRow>, StoreError> {
        let turn = turn.as_str();
        Ok(sqlx::query_as!(
            EventRow,
            "SELECT seq, turn_id, item_id, phase, kind, payload, at FROM events
             WHERE turn_id = ?1 AND kind = ?2 ORDER BY seq LIMIT 1000",
            turn,
            kind
        )
        .fetch_all(self.read())
        .await?)
    }
}

/// The event of a change of state; `rev` makes it unique, whatever states a turn goes through twice.
pub(super) async fn state_event(
    tx: &mut Write,
    turn: &TurnId,
    worker: &WorkerId,
    state: TurnState,
    rev: i64,
    now: i64,
) -> Result<(), StoreError> {
    let (turn, worker, word) = (turn.as_str(), worker.as_str(), state.as_str());
    let item = format!("state.{rev}");
    sqlx::query!(
        "INSERT INTO events (worker_id, turn_id, item_id, phase, kind, payload, at)
         VALUES (?1, ?2, ?3, ?4, 'state', '{}', ?5)",
        worker,
        turn,
        item,
        word,
        now
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Gives the workers of notable events the revision, so that waiters wake for them.
async fn touch_notable(
    tx: &mut Write,
    events: &[NewEvent],
    rev: i64,
    now: i64,
) -> Result<(), StoreError> {
    let mut turns: Vec<&str> =
        events.iter().filter(|e| e.notable).map(|e| e.turn.as_str()).collect();
    turns.sort_unstable();
    turns.dedup();
    for turn in turns {
        sqlx::query!(
            "UPDATE workers SET rev = ?1, updated_at = ?2
             WHERE id = (SELECT worker_id FROM turns WHERE id = ?3)",
            rev,
            now,
            turn
        )
        .execute(&mut **tx)
        .await?;
    }
    Ok(())
}
