use super::Workers;
use super::active::Active;
use super::carry::Outcome;
use super::full::Pause;
use super::prepare::Prepared;
use crate::backend::Ending;
use crate::config::ResumeInterrupted;
use crate::failpoint;
use crate::journal::{Head, JournalError};
use crate::store::{
    EventRow, NewTurn, StoreError, TurnEnd, TurnLease, TurnRow, TurnState, Verified, WorkerMode,
};
use serde_json::Value;
use std::sync::Arc;

/// Tries to store the end of a turn when the store refuses for another reason than a full disk.
const TRIES: u32 = 6;

/// Bytes of a message that become the report; the journal keeps it whole.
const LONGEST_REPORT: usize = 1 << 20;

type Why = Option<(String, String)>;

impl Workers {
    /// Stores what a turn left, in this order: its events, its snapshot, its end with the report.
    pub(super) async fn settle(
        &self,
        turn: &TurnRow,
        lease: &TurnLease,
        active: &Arc<Active>,
        prepared: Option<&Prepared>,
        outcome: Outcome,
    ) {
        self.flush(turn).await;
        if self.store().cancelled_by_approval(&turn.id).await.unwrap_or(false) {
            active.ask_stop(Some("a request for approval was answered with cancel"));
        }
        if self.queued_again(lease, active, &outcome).await {
            return;
        }
        if self.held(turn, lease, active, prepared, &outcome).await {
            return;
        }
        let begun = !matches!(outcome, Outcome::NotBegun | Outcome::NeverTaken);
        failpoint::reach("turn_ended").await;
        let verdict = self.verdict(active, outcome);
        let (state, error) = match prepared.filter(|_| begun) {
            Some(prepared) => self.snapshot(prepared, turn, active).await.err().unwrap_or(verdict),
            None => verdict,
        };
        let end = TurnEnd {
            state,
            report: self.last_message(turn).await,
            error,
            verified: self.verify(prepared, turn, active).await,
        };
        failpoint::reach("turn_snapshotted").await;
        self.queue_undelivered(turn, active).await;
        self.finish(lease, &end, active).await;
    }

    /// Waits until the events of the turn are stored, however long the store refuses: a report that is
    /// read before would be another one.
    async fn flush(&self, turn: &TurnRow) {
        let journal = &self.room.deps.journal;
        let _ = journal.over(turn.id.clone()).await;
        let mut pause = Pause::new();
        loop {
            match journal.flush().await {
                Ok(()) | Err(JournalError::Closed) => return,
                Err(error) => {
                    tracing::error!(%error, turn = %turn.id, "the journal could not be flushed");
                }
            }
            pause.wait().await;
        }
    }

    /// Queues the turn again: when the agent never had it; once, when the agent died under it and the
    /// operator does not want to be asked.
    async fn queued_again(&self, lease: &TurnLease, active: &Active, outcome: &Outcome) -> bool {
        let untouched = matches!(outcome, Outcome::NeverTaken | Outcome::NotBegun);
        let broken = matches!(outcome, Outcome::Ended(Ending::Interrupted)) && self.resumes();
        let again = match active.stop.is_cancelled() {
            true => untouched && self.room.closing.is_cancelled(),
            false => untouched || broken,
        };
        if !again {
            return false;
        }
        let queued = active.with_room(|| self.store().requeue_turn(lease, broken)).await;
        match queued {
            Ok(_) => true,
            Err(StoreError::Conflict) => false,
            Err(error) => {
                tracing::error!(%error, turn = %lease.turn, "a turn was not queued again");
                false
            }
        }
    }

    fn resumes(&self) -> bool {
        self.room.deps.config.workers.resume_interrupted == ResumeInterrupted::Auto
    }

    /// The terminal state, and why.
    fn verdict(&self, active: &Active, outcome: Outcome) -> (TurnState, Why) {
        let why = |code: &str, text: String| Some((code.to_owned(), text));
        let stopped = active.stop.is_cancelled();
        match outcome {
            Outcome::Ended(Ending::Completed) => (TurnState::Completed, None),
            Outcome::Failed(code, text) => (TurnState::Failed, why(code, text)),
            Outcome::Ended(Ending::Failed(failure)) if !stopped => {
                (TurnState::Failed, why(&failure.code, failure.message))
            }
            _ if stopped && self.room.closing.is_cancelled() => (
                TurnState::Interrupted,
                why("engine_stopped", "patchbay was stopped while the turn ran".to_owned()),
            ),
            _ if stopped => (
                TurnState::Cancelled,
                why("stopped", active.stop_reason().unwrap_or_else(|| "stopped".to_owned())),
            ),
            Outcome::Unknown(code, text) => (TurnState::Interrupted, why(code, text)),
            Outcome::NotBegun | Outcome::NeverTaken => (
                TurnState::Interrupted,
                why(
                    "never_taken",
                    "codex did not take the turn, however often it was sent".to_owned(),
                ),
            ),
            Outcome::Ended(_) if self.resumes() => (
                TurnState::Interrupted,
                why("interrupted", "codex ended while the turn ran, twice".to_owned()),
            ),
            Outcome::Ended(_) => (
                TurnState::Interrupted,
                why("interrupted", "codex ended while the turn ran".to_owned()),
            ),
        }
    }

    /// Records the worktree; without a record the turn has failed, whatever the agent says.
    pub(super) async fn snapshot(
        &self,
        prepared: &Prepared,
        turn: &TurnRow,
        active: &Active,
    ) -> Result<(), (TurnState, Why)> {
        if prepared.worker.mode != WorkerMode::IsolatedWrite {
            return Ok(());
        }
        let worktrees = &self.room.deps.worktrees;
        let take = || worktrees.snapshot(&prepared.repo, &turn.worker, Some(&turn.id));
        let taken = active.with_room(take).await;
        taken.map(|_| ()).map_err(|error| {
            tracing::error!(%error, turn = %turn.id, "no snapshot after a turn");
            let text = format!("the turn ended, but its files could not be recorded: {error}");
            (TurnState::Failed, Some(("snapshot_failed".to_owned(), text)))
        })
    }

    async fn verify(
        &self,
        prepared: Option<&Prepared>,
        turn: &TurnRow,
        active: &Active,
    ) -> Option<Verified> {
        let prepared = prepared.filter(|p| p.worker.mode == WorkerMode::ReadOnly)?;
        let row = self.store().turn(&turn.id).await.ok().flatten()?;
        let before = row.base_before?;
        let worktrees = &self.room.deps.worktrees;
        match active.with_room(|| worktrees.read_only_fingerprint(&prepared.repo)).await {
            Ok(after) if after == before => Some(Verified::Unchanged),
            Ok(_) => Some(Verified::Changed),
            Err(error) => {
                tracing::warn!(%error, turn = %turn.id, "the base could not be looked at");
                Some(Verified::Unknown)
            }
        }
    }

    /// The report: the last whole message of the agent.
    async fn last_message(&self, turn: &TurnRow) -> Option<String> {
        let event = self.store().last_event(&turn.id, "agentMessage", "completed").await;
        self.text_of(event.ok().flatten()?).await
    }

    pub(super) async fn text_of(&self, event: EventRow) -> Option<String> {
        let head = self.room.deps.journal.head(event, "text", LONGEST_REPORT).await;
        let Head { text, of } = head.ok()??;
        let end = text.len();
        if end as u64 == of {
            return Some(text);
        }
        Some(format!(
            "{text}\n\n[Cut after {end} of {of} bytes; the log of the turn holds it whole.]"
        ))
    }

    /// Messages that were steered into the turn but that the agent never saw become turns.
    pub(super) async fn queue_undelivered(&self, turn: &TurnRow, active: &Active) {
        if active.stop.is_cancelled() && !self.room.closing.is_cancelled() {
            return;
        }
        match self.undelivered(turn).await {
            Ok(waiting) => {
                for new in waiting {
                    self.queue_one(turn, &new, active).await;
                }
            }
            Err(error) => tracing::error!(%error, turn = %turn.id, "steers were not looked at"),
        }
    }

    async fn queue_one(&self, turn: &TurnRow, new: &NewTurn, active: &Active) {
        if let Err(error) = active.with_room(|| self.store().enqueue_turn(new)).await {
            tracing::error!(%error, turn = %turn.id, "a message was not queued");
        }
    }

    async fn undelivered(&self, turn: &TurnRow) -> Result<Vec<NewTurn>, StoreError> {
        let steers = self.store().events_of_kind(&turn.id, "steer").await?;
        if steers.is_empty() {
            return Ok(Vec::new());
        }
        let mut seen: Vec<Value> = Vec::new();
        for event in self.store().events_of_kind(&turn.id, "userMessage").await? {
            let payload = self.room.deps.journal.payload(&event).unwrap_or_default();
            seen.extend(serde_json::from_str::<Value>(&payload).ok());
        }
        let refused = |id: &str| steers.iter().any(|s| s.item_id == id && s.phase == "refused");
        let mut waiting = Vec::new();
        for steer in steers.iter().filter(|s| s.phase == "sent" && !refused(&s.item_id)) {
            let payload = self.room.deps.journal.payload(steer).unwrap_or_default();
            let payload: Value = serde_json::from_str(&payload).unwrap_or_default();
            let text = payload["text"].as_str().unwrap_or_default();
            let delivered = seen.iter().any(|user| is_message(user, &steer.item_id, text));
            if let (false, Ok(id)) = (delivered, steer.item_id.parse()) {
                waiting.push(NewTurn {
                    id,
                    worker: turn.worker.clone(),
                    brief: text.to_owned(),
                    model: turn.model.clone(),
                    effort: turn.effort.clone(),
                });
            }
        }
        Ok(waiting)
    }

    /// Ends a turn whose task died of a fault of ours.
    pub(super) async fn give_up(&self, lease: &TurnLease, active: &Active) {
        let text = "patchbay hit an internal error while it carried the turn";
        let end = TurnEnd {
            state: TurnState::Failed,
            report: None,
            error: Some(("internal_error".to_owned(), text.to_owned())),
            verified: None,
        };
        self.finish(lease, &end, active).await;
    }

    async fn finish(&self, lease: &TurnLease, end: &TurnEnd, active: &Active) {
        let mut pause = Pause::new();
        for _ in 0..TRIES {
            match active.with_room(|| self.store().finish_turn(lease, end)).await {
                Ok(_) => return,
                Err(StoreError::Conflict) => {
                    tracing::warn!(turn = %lease.turn, "somebody else ended the turn first");
                    return;
                }
                Err(error) => {
                    tracing::error!(%error, turn = %lease.turn, "the end of a turn is not stored yet");
                    pause.wait().await;
                }
            }
        }
    }
}

/// Whether the agent's record of a user message is this one: by its client id, else by its words.
fn is_message(user: &Value, client_id: &str, text: &str) -> bool {
    if let Some(id) = user.get("clientId").and_then(Value::as_str) {
        return id == client_id;
    }
    let content = user.get("content").and_then(Value::as_array);
    content.into_iter().flatten().any(|part| part["text"].as_str() == Some(text))
}
