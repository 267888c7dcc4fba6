use super::{ApprovalKind, ApprovalState, Decision, StoreError};
use crate::ids::{ApprovalId, TurnId, WorkerId};

/// A question that is about to be stored.
#[derive(Debug, Clone)]
pub struct NewApproval {
    /// Its id, unless the question has a row already.
    pub id: ApprovalId,
    /// The agent's id of the item that waits.
    pub item: String,
    /// Names the question within the turn.
    pub key: String,
    /// What is asked for.
    pub kind: ApprovalKind,
    /// The question, JSON.
    pub request: String,
}

/// A question of a worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApprovalRow {
    /// Its id.
    pub id: ApprovalId,
    /// Whose.
    pub worker: WorkerId,
    /// In which turn.
    pub turn: TurnId,
    /// The agent's id of the item that waits.
    pub item: String,
    /// Names the question within the turn.
    pub key: String,
    /// What is asked for.
    pub kind: ApprovalKind,
    /// The question, JSON.
    pub request: String,
    /// Where it is.
    pub state: ApprovalState,
    /// The answer, once there is one.
    pub decision: Option<Decision>,
    /// The owner ref of who decided.
    pub decided_by: Option<String>,
    /// Unix milliseconds.
    pub requested_at: i64,
    /// Unix milliseconds.
    pub decided_at: Option<i64>,
}

impl ApprovalRow {
    /// Whether the agent still waits for it.
    #[must_use]
    pub fn is_open(&self) -> bool {
        matches!(self.state, ApprovalState::Pending | ApprovalState::Decided)
    }
}

pub(super) struct RawApproval {
    pub(super) id: String,
    pub(super) worker_id: String,
    pub(super) turn_id: String,
    pub(super) item_id: String,
    pub(super) ask_key: String,
    pub(super) kind: String,
    pub(super) request: String,
    pub(super) state: String,
    pub(super) decision: Option<String>,
    pub(super) decided_by: Option<String>,
    pub(super) requested_at: i64,
    pub(super) decided_at: Option<i64>,
}

impl TryFrom<RawApproval> for ApprovalRow {
    type Error = StoreError;
    fn try_from(raw: RawApproval) -> Result<Self, StoreError> {
        let corrupt = || StoreError::Corrupt(raw.id.clone());
        Ok(Self {
            id: raw.id.parse().map_err(|_| corrupt())?,
            worker: raw.worker_id.parse().map_err(|_| corrupt())?,
            turn: raw.turn_id.parse().map_err(|_| corrupt())?,
            item: raw.item_id,
            key: raw.ask_key,
            kind: ApprovalKind::parse(&raw.kind)?,
            request: raw.request,
            state: ApprovalState::parse(&raw.state)?,
            decision: raw.decision.as_deref().map(Decision::parse).transpose()?,
            decided_by: raw.decided_by,
            requested_at: raw.requested_at,
            decided_at: raw.decided_at,
        })
    }
}
