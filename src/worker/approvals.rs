use super::begin::Trip;
use super::{WorkerError, Workers};
use crate::backend::{Ask, AskKind, BackendError, ThreadRef, Verdict};
use crate::config::ApprovalPolicy;
use crate::ids::ApprovalId;
use crate::journal::JournalError;
use crate::ownership::Caller;
use crate::store::{
    ApprovalKind, ApprovalRow, ApprovalState, Decision, NewApproval, NewEvent, StoreError,
    WorkerMode, WorkerRow,
};
use serde_json::{Value, json};

/// Most questions that a view lists.
const LISTED: u32 = 100;

/// What became of a decision.
#[derive(Debug, Clone)]
pub struct Decided {
    /// The question.
    pub approval: ApprovalRow,
    /// Whether the agent was told; otherwise it is told as soon as it asks again.
    pub delivered: bool,
}

impl Workers {
    /// Whether a worker may ask for what its sandbox does not allow: only where the operator says so,
    /// and never one that reads only.
    pub(super) fn may_ask(&self, mode: WorkerMode) -> bool {
        let policy = self.room.deps.config.codex.approval_policy;
        policy == ApprovalPolicy::OnRequest && mode == WorkerMode::IsolatedWrite
    }

    /// A worker's questions: those that wait first, then the newest; at most 100.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn approvals(&self, worker: &WorkerRow) -> Result<Vec<ApprovalRow>, WorkerError> {
        Ok(self.store().approvals(&worker.id, LISTED).await?)
    }

    /// Decides a question of a worker. The decision is stored first: when the agent cannot be told now,
    /// it is told when it asks again.
    ///
    /// # Errors
    /// [`WorkerError::NoApproval`] for an unknown question or another worker's,
    /// [`WorkerError::AlreadyDecided`] when it was decided otherwise or is not waited for any more.
    pub async fn decide(
        &self,
        worker: &WorkerRow,
        id: &str,
        decision: Decision,
        caller: &Caller,
    ) -> Result<Decided, WorkerError> {
        let unknown = || WorkerError::NoApproval(id.to_owned());
        let id: ApprovalId = id.trim().parse().map_err(|_| unknown())?;
        let row = self.store().approval(&id).await?.filter(|row| row.worker == worker.id);
        row.ok_or_else(unknown)?;
        let decided = self.store().decide_approval(&id, decision, &caller.owner_ref).await;
        let approval = match decided {
            Ok(row) => row,
            Err(StoreError::Conflict) => return Err(self.decided_before(&id).await?),
            Err(error) => return Err(error.into()),
        };
        let delivered = match self.thread_of(&worker.id).await? {
            _ if approval.state == ApprovalState::Delivered => true,
            Some(thread) => self.deliver(&thread, &approval).await?,
            None => false,
        };
        Ok(Decided { approval, delivered })
    }

    async fn decided_before(&self, id: &ApprovalId) -> Result<WorkerError, WorkerError> {
        let row = self.store().approval(id).await?.ok_or(StoreError::Missing)?;
        Ok(WorkerError::AlreadyDecided {
            id: id.to_string(),
            decision: row.decision.map(Decision::as_str),
        })
    }

    /// Tells the agent what was decided; false when it does not wait for it (yet).
    async fn deliver(&self, thread: &ThreadRef, row: &ApprovalRow) -> Result<bool, WorkerError> {
        let Some(decision) = row.decision else { return Ok(false) };
        match self.room.deps.backend.answer(thread, &row.key, verdict(decision)).await {
            Ok(()) => {
                self.store().deliver_approval(&row.id).await?;
                Ok(true)
            }
            Err(BackendError::NotAsked | BackendError::Disconnected(_)) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Takes a question of the agent. One that was decided already is answered at once.
    pub(super) async fn asked(&self, trip: &Trip, ask: Ask) {
        let stored = async {
            let new = trip.active.with_room(|| self.new_approval(trip, &ask)).await?;
            let store = || self.store().ask_approval(&trip.lease, &new);
            let row = trip.active.with_room(store).await?;
            self.deliver(&trip.thread, &row).await
        };
        if let Err(error) = stored.await {
            tracing::error!(%error, turn = %trip.lease.turn, "a question was not taken");
        }
    }

    async fn new_approval(&self, trip: &Trip, ask: &Ask) -> Result<NewApproval, WorkerError> {
        let mut request = ask.payload.clone();
        if ask.kind == AskKind::FileChange {
            // Codex names only the item; what it would change stands in the item's own event.
            self.room.deps.journal.flush().await?;
            request["changes"] = self.changes_of(trip, &ask.item_id).await?;
        }
        Ok(NewApproval {
            id: ApprovalId::mint(&self.room.deps.clock),
            item: ask.item_id.clone(),
            key: ask.key.clone(),
            kind: match ask.kind {
                AskKind::Command => ApprovalKind::Command,
                AskKind::FileChange => ApprovalKind::FileChange,
                AskKind::Permissions => ApprovalKind::Permissions,
            },
            request: request.to_string(),
        })
    }

    async fn changes_of(&self, trip: &Trip, item: &str) -> Result<Value, WorkerError> {
        let events = self.store().events_of_kind(&trip.lease.turn, "fileChange").await?;
        let Some(event) = events.iter().find(|event| event.item_id == item) else {
            return Ok(Value::Null);
        };
        let payload = self.room.deps.journal.payload(event)?;
        let mut payload: Value = serde_json::from_str(&payload).unwrap_or_default();
        Ok(payload["changes"].take())
    }

    /// The agent does not wait for an answer any more.
    pub(super) async fn unasked(&self, trip: &Trip, key_or_item: &str) {
        let withdraw = || self.store().withdraw_approvals(&trip.lease.turn, key_or_item);
        if let Err(error) = trip.active.with_room(withdraw).await {
            tracing::error!(%error, turn = %trip.lease.turn, "a question was not withdrawn");
        }
    }

    /// Notes that the agent asked for something that is never given.
    pub(super) async fn declined(&self, trip: &Trip, request: &str) -> Result<(), JournalError> {
        let item = ApprovalId::mint(&self.room.deps.clock);
        let event = NewEvent {
            turn: trip.lease.turn.clone(),
            item: item.to_string(),
            phase: "declined".to_owned(),
            kind: "approval".to_owned(),
            payload: json!({ "request": request, "message": format!("codex asked for {request}; it was declined") })
                .to_string(),
            at: self.room.deps.clock.now_ms(),
            notable: true,
        };
        self.room.deps.journal.append(event).await
    }
}

fn verdict(decision: Decision) -> Verdict {
    match decision {
        Decision::Accept => Verdict::Accept,
        Decision::Decline => Verdict::Decline,
        Decision::Cancel => Verdict::Cancel,
    }
}
