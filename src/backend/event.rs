use serde_json::Value;

/// Whether an item has begun or is whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ItemPhase {
    /// The item has begun; its payload may still be empty.
    Started,
    /// The item is whole.
    Completed,
}

/// Something that happened in a turn.
#[derive(Debug, Clone)]
pub enum TurnEvent {
    /// The agent took the turn; `backend_turn_id` is its own name for it.
    Began {
        /// The agent's id of the turn.
        backend_turn_id: String,
    },
    /// An item began or is whole. Delivered at least once; (turn, item, phase) is unique.
    Item {
        /// The agent's id of the item.
        item_id: String,
        /// Begun or whole.
        phase: ItemPhase,
        /// `agentMessage`, `commandExecution`, `fileChange`, `reasoning`, …
        kind: String,
        /// The item as the agent gave it.
        payload: Value,
    },
    /// A piece of output of a running item. Live only: it is never stored and may be lost.
    Delta {
        /// The agent's id of the item.
        item_id: String,
        /// The piece.
        text: String,
    },
    /// Token usage, cumulative for the thread; the last one wins.
    Usage {
        /// As the agent gave it.
        usage: Value,
    },
    /// An error that does not end the turn by itself.
    Error {
        /// The agent's words.
        message: String,
        /// Whether the agent tries again by itself.
        will_retry: bool,
    },
    /// The turn is over. Nothing follows.
    Ended(Ending),
    /// The connection is gone without an end; call [`super::Backend::attach`].
    Lost,
}

/// How a turn ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Ending {
    /// The agent finished.
    Completed,
    /// It was interrupted, by us or by the death of the agent.
    Interrupted,
    /// It failed.
    Failed(TurnFailure),
}

/// Why a turn failed, in the agent's words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TurnFailure {
    /// Stable snake_case class: `usage_limit`, `unauthorized`, `model_unavailable`, `context_window`,
    /// `stream_disconnected`, `server_error`, `other`.
    pub code: String,
    /// The agent's own text.
    pub message: String,
}
