use super::active::Running;
use super::{Choice, WorkerError, Workers, rules};
use crate::backend::BackendError;
use crate::ids::TurnId;
use crate::ownership::Caller;
use crate::store::{NewEvent, NewTurn, StoreError, TurnRow, WorkerRow};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;
use std::time::Duration;

/// How long a steer may take; the app-server answers within some milliseconds (seen).
const STEER_LIMIT: Duration = Duration::from_secs(10);

/// Where a message goes when its worker is busy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Delivery {
    /// Into the running turn.
    Steer,
    /// Behind it, as the next turn.
    Queue,
}

/// A message for a worker.
#[derive(Debug, Clone)]
pub struct MessageRequest {
    /// The words, at most 200,000 bytes.
    pub text: String,
    /// Where it goes; nothing = into the running turn where that is possible, else the queue.
    pub delivery: Option<Delivery>,
    /// Model id, `default`, or nothing for the worker's.
    pub model: Option<String>,
    /// Reasoning effort, `default`, or nothing for the worker's.
    pub effort: Option<String>,
    /// Who asks.
    pub caller: Caller,
}

/// What became of a message.
#[derive(Debug, Clone)]
pub enum Delivered {
    /// It went into the running turn.
    Steered {
        /// The turn.
        turn: TurnId,
    },
    /// It waits as a turn of its own, which runs as soon as it can.
    Queued {
        /// That turn.
        turn: Box<TurnRow>,
        /// Why it was not steered, where that was the default.
        why: Option<String>,
    },
}

impl Workers {
    /// Sends a message: into the running turn by default, else as the next turn, on the same thread
    /// and in the same worktree.
    ///
    /// # Errors
    /// Arguments out of bounds, [`WorkerError::Archived`], and [`WorkerError::NotSteerable`] when
    /// steering was asked for by name and is not possible.
    pub async fn message(
        &self,
        worker: &WorkerRow,
        request: MessageRequest,
    ) -> Result<Delivered, WorkerError> {
        let text = rules::text("message", &request.text)?;
        let model = rules::model(request.model.as_deref())?;
        let effort = rules::effort(request.effort.as_deref())?;
        if worker.archived_at.is_some() {
            return Err(WorkerError::Archived(worker.name.clone()));
        }
        let caller = &request.caller;
        self.store()
            .touch_owner(&caller.owner_ref, &caller.connector, caller.label.as_deref())
            .await?;
        self.retry_login().await?;
        let id = TurnId::mint(&self.room.deps.clock);
        let why = match request.delivery {
            Some(Delivery::Queue) => None,
            _ if model != Choice::Keep || effort != Choice::Keep => {
                Some("a running turn keeps its model and effort".to_owned())
            }
            _ => match self.steer(worker, &id, &text).await? {
                Steer::Taken(turn) => return Ok(Delivered::Steered { turn }),
                Steer::Idle => None,
                Steer::Refused(why) => Some(why),
            },
        };
        if request.delivery == Some(Delivery::Steer) {
            let why = why.unwrap_or_else(|| format!("no turn of {:?} runs", worker.name));
            return Err(WorkerError::NotSteerable(why));
        }
        let (model, effort) = self.choices(worker, model, effort);
        let new = NewTurn { id, worker: worker.id.clone(), brief: text, model, effort };
        let (turn, _) = self.store().enqueue_turn(&new).await.map_err(|error| match error {
            StoreError::Conflict => WorkerError::Archived(worker.name.clone()),
            other => other.into(),
        })?;
        self.room.wake.notify_one();
        Ok(Delivered::Queued { turn: Box::new(turn), why })
    }

    /// Replaces the words of a message that waits.
    ///
    /// # Errors
    /// [`WorkerError::NotQueued`] when it waits no longer, or is another worker's.
    pub async fn edit_queued(
        &self,
        worker: &WorkerRow,
        id: &str,
        text: &str,
    ) -> Result<(), WorkerError> {
        let text = rules::text("message", text)?;
        let turn = self.queued(worker, id).await?;
        self.store().edit_queued(&turn, &text).await.map_err(|error| not_queued(id, error))?;
        Ok(())
    }

    /// Cancels a message that waits.
    ///
    /// # Errors
    /// [`WorkerError::NotQueued`] when it waits no longer, or is another worker's.
    pub async fn cancel_queued(&self, worker: &WorkerRow, id: &str) -> Result<(), WorkerError> {
        let turn = self.queued(worker, id).await?;
        let reason = "cancelled while it waited";
        self.store().cancel_queued(&turn, reason).await.map_err(|error| not_queued(id, error))?;
        Ok(())
    }

    async fn queued(&self, worker: &WorkerRow, id: &str) -> Result<TurnId, WorkerError> {
        let unknown = || WorkerError::NotQueued(id.to_owned());
        let turn: TurnId = id.trim().parse().map_err(|_| unknown())?;
        match self.store().turn(&turn).await? {
            Some(row) if row.worker == worker.id => Ok(turn),
            _ => Err(unknown()),
        }
    }

    /// Tries to steer. The words are in the journal before the agent gets them: if its answer is
    /// lost, the end of the turn shows whether it saw them, and they are queued if not.
    async fn steer(
        &self,
        worker: &WorkerRow,
        id: &TurnId,
        text: &str,
    ) -> Result<Steer, WorkerError> {
        let Some(active) = self.room.active.of(&worker.id) else { return Ok(Steer::Idle) };
        if active.stop.is_cancelled() {
            return Ok(Steer::Refused("the running turn is being stopped".to_owned()));
        }
        let Some(Running { thread, agent_turn }) = active.running.borrow().clone() else {
            return Ok(Steer::Refused("the turn has not begun yet".to_owned()));
        };
        self.note_steer(&active.turn, id, "sent", text).await?;
        let backend = &self.room.deps.backend;
        let call = backend.steer(&thread, &agent_turn, id.as_str(), text);
        match tokio::time::timeout(STEER_LIMIT, call).await {
            Ok(Ok(()) | Err(BackendError::Disconnected(_))) | Err(_) => {
                Ok(Steer::Taken(active.turn.clone()))
            }
            Ok(Err(error)) => {
                self.note_steer(&active.turn, id, "refused", text).await?;
                Ok(Steer::Refused(error.to_string()))
            }
        }
    }

    async fn note_steer(
        &self,
        turn: &TurnId,
        id: &TurnId,
        phase: &str,
        text: &str,
    ) -> Result<(), WorkerError> {
        let event = NewEvent {
            turn: turn.clone(),
            item: id.as_str().to_owned(),
            phase: phase.to_owned(),
            kind: "steer".to_owned(),
            payload: json!({ "text": text }).to_string(),
            at: self.room.deps.clock.now_ms(),
            notable: true,
        };
        self.room.deps.journal.append(event).await?;
        Ok(self.room.deps.journal.flush().await?)
    }
}

enum Steer {
    Taken(TurnId),
    Idle,
    Refused(String),
}

fn not_queued(id: &str, error: StoreError) -> WorkerError {
    match error {
        StoreError::Conflict => WorkerError::NotQueued(id.to_owned()),
        other => other.into(),
    }
}
