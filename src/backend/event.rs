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
        /// The piece; empty where all that is to say is that there is a gap.
        text: String,
        /// Pieces of the item before this one were lost.
        gap: bool,
    },
    /// Token usage, cumulative for the thread; the last one wins.
    Usage {
        /// As the agent gave it.
        usage: Value,
    },
    /// The agent asks whether it may do what its sandbox does not allow, and waits. Delivered again
    /// after a lost connection, with the same key, as long as nobody answered.
    Ask(Ask),
    /// The agent does not wait for an answer to this question any more.
    Unasked {
        /// The key of the question.
        key: String,
    },
    /// The agent asked for something that is never given here; it was told so.
    Declined {
        /// The agent's name of the request.
        request: String,
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

/// What kind of thing an agent asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AskKind {
    /// To run a command outside of the sandbox.
    Command,
    /// To change files outside of the workspace.
    FileChange,
    /// To get further permissions for the rest of the turn.
    Permissions,
}

/// A question of the agent.
#[derive(Debug, Clone)]
pub struct Ask {
    /// Names the question within its thread; it stays the same when the question is asked again.
    pub key: String,
    /// The agent's id of the item that waits.
    pub item_id: String,
    /// What is asked for.
    pub kind: AskKind,
    /// The question as the agent gave it.
    pub payload: Value,
}

/// The answer to an [`Ask`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// This once.
    Accept,
    /// No; the turn goes on.
    Decline,
    /// No, and the turn ends.
    Cancel,
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
    /// When the limit ends, Unix milliseconds, where the agent says so.
    pub resets_at: Option<i64>,
}
