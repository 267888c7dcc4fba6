use super::StoreError;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $word:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
        pub enum $name {
            $($(#[$vdoc])* #[serde(rename = $word)] $variant,)+
        }

        impl $name {
            /// The word that is stored and shown.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)+ }
            }

            pub(in crate::store) fn parse(word: &str) -> Result<Self, StoreError> {
                match word {
                    $($word => Ok(Self::$variant),)+
                    _ => Err(StoreError::Corrupt(format!("{word:?} is no {}", stringify!($name)))),
                }
            }
        }
    };
}

words!(
    /// What a worker may touch.
    WorkerMode {
        /// Its own worktree; the base is reached only by an integration.
        IsolatedWrite = "isolated_write",
        /// Nothing: it reads the base checkout.
        ReadOnly = "read_only",
    }
);

words!(
    /// Where a turn is.
    TurnState {
        /// It waits for its worker, or for a free place.
        Queued = "queued",
        /// Its worktree and thread are being made.
        Preparing = "preparing",
        /// The agent works.
        Running = "running",
        /// The agent waits for a decision.
        WaitingApproval = "waiting_approval",
        /// The account's limit is used up.
        WaitingLimit = "waiting_limit",
        /// The account must log in again.
        NeedsLogin = "needs_login",
        /// It is being interrupted.
        Stopping = "stopping",
        /// The agent finished.
        Completed = "completed",
        /// It failed.
        Failed = "failed",
        /// It ended without anybody asking for that.
        Interrupted = "interrupted",
        /// It was stopped, or cancelled before it began.
        Cancelled = "cancelled",
    }
);

impl TurnState {
    /// Whether nothing follows.
    #[must_use]
    pub const fn is_terminal(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Interrupted | Self::Cancelled)
    }
}

words!(
    /// What a worker is doing, as it is shown. It follows from the worker's turns.
    WorkerState {
        /// A turn waits and none is active.
        Queued = "queued",
        /// Its worktree and thread are being made.
        Preparing = "preparing",
        /// The agent works.
        Running = "running",
        /// The agent waits for a decision.
        WaitingApproval = "waiting_approval",
        /// The account's limit is used up.
        WaitingLimit = "waiting_limit",
        /// The account must log in again.
        NeedsLogin = "needs_login",
        /// Its turn is being interrupted.
        Stopping = "stopping",
        /// Its last turn was completed or stopped; it can be messaged.
        Idle = "idle",
        /// Its last turn failed.
        Failed = "failed",
        /// Its last turn ended without anybody asking for that.
        Interrupted = "interrupted",
    }
);

impl WorkerState {
    /// Whether a turn is active or waits.
    #[must_use]
    pub const fn is_active(self) -> bool {
        !matches!(self, Self::Idle | Self::Failed | Self::Interrupted)
    }
}

words!(
    /// Why no turn is begun.
    HoldReason {
        /// The account's limit is used up.
        Limit = "limit",
        /// The account must log in again.
        Login = "login",
    }
);

words!(
    /// What a worker asks for.
    ApprovalKind {
        /// To run a command outside of its sandbox.
        Command = "command",
        /// To change files outside of its worktree.
        FileChange = "file_change",
        /// To get further permissions for the rest of the turn.
        Permissions = "permissions",
    }
);

words!(
    /// Where a question of a worker is.
    ApprovalState {
        /// It waits for a decision.
        Pending = "pending",
        /// It is decided; the agent has not been told yet.
        Decided = "decided",
        /// The agent was told.
        Delivered = "delivered",
        /// The agent does not wait for it any more.
        Withdrawn = "withdrawn",
    }
);

words!(
    /// The answer to a question of a worker.
    Decision {
        /// This once.
        Accept = "accept",
        /// No; the turn goes on.
        Decline = "decline",
        /// No, and the turn ends.
        Cancel = "cancel",
    }
);

words!(
    /// What a look at the base after a `read_only` turn showed.
    Verified {
        /// Nothing below the repository changed during the turn.
        Unchanged = "unchanged",
        /// Something changed during the turn, by the worker or by somebody else.
        Changed = "changed",
        /// It could not be looked at.
        Unknown = "unknown",
    }
);
