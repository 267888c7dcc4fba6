use crate::backend::BackendError;
use crate::git::GitError;
use crate::journal::JournalError;
use crate::store::{FULL_HINT, StoreError, WorkerRow};
use crate::worktree::WorktreeError;

/// Why a worker could not do what was asked of it.
#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    /// An argument that is not acceptable.
    #[error("{0}")]
    Argument(String),
    /// No worker has this name or id.
    #[error("there is no worker called {0:?} here")]
    Unknown(String),
    /// Workers of several repositories have the name.
    #[error("{name:?} names {} workers", candidates.len())]
    Ambiguous {
        /// The name.
        name: String,
        /// Who is meant perhaps.
        candidates: Vec<WorkerRow>,
    },
    /// A live worker of the repository has the name.
    #[error("a worker named {:?} exists already in this repository", .0.name)]
    NameTaken(Box<WorkerRow>),
    /// The worker's workspace was cleaned up; its rows and snapshots stay.
    #[error("the workspace of {0:?} was cleaned up; it cannot work any more")]
    Archived(String),
    /// The queued message runs already, was cancelled, or never was.
    #[error("no such message waits: {0}")]
    NotQueued(String),
    /// No question of the worker has this id.
    #[error("the worker asked no such thing: {0}")]
    NoApproval(String),
    /// The question was answered otherwise, or the worker does not wait for an answer any more.
    #[error("{id} is {}", .decision.map_or("not waited for any more", |_| "decided already"))]
    AlreadyDecided {
        /// The question.
        id: String,
        /// What was decided; nothing when the worker does not wait any more.
        decision: Option<&'static str>,
    },
    /// Steering was asked for and nothing can be steered.
    #[error("{0}")]
    NotSteerable(String),
    /// The turn looks healthy: stopping it needs a confirmation.
    #[error(
        "{name:?} works since {elapsed_s} s, gave a sign of life {quiet_s} s ago and looks healthy"
    )]
    ConfirmStop {
        /// The worker.
        name: String,
        /// How long its turn runs.
        elapsed_s: i64,
        /// How long ago anything was heard of it.
        quiet_s: i64,
        /// Turns that are silent for longer are stopped without asking.
        grace_s: u64,
    },
    /// The cleanup would discard work that is not in the base.
    #[error("{name:?} has changes that are not integrated")]
    ConfirmDiscard {
        /// The worker.
        name: String,
        /// Their paths, at most 50; empty when a turn still runs.
        paths: Vec<String>,
    },
    /// The turn did not end in time after it was interrupted.
    #[error("{0:?} is being stopped, but its turn has not ended yet")]
    StillStopping(String),
    /// There is nothing to show: the worker reads only, or has not begun.
    #[error("{0}")]
    NoSnapshot(String),
    /// The agent refused or is missing.
    #[error(transparent)]
    Backend(#[from] BackendError),
    /// Git refused.
    #[error(transparent)]
    Git(#[from] GitError),
    /// The worktree refused.
    #[error(transparent)]
    Worktree(#[from] WorktreeError),
    /// The journal failed.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl WorkerError {
    /// The stable snake_case code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Argument(_) => "invalid_argument",
            Self::Unknown(_) => "worker_unknown",
            Self::Ambiguous { .. } => "worker_ambiguous",
            Self::NameTaken(_) => "name_taken",
            Self::Archived(_) => "worker_archived",
            Self::NotQueued(_) => "not_queued",
            Self::NoApproval(_) => "approval_unknown",
            Self::AlreadyDecided { .. } => "already_decided",
            Self::NotSteerable(_) => "not_steerable",
            Self::ConfirmStop { .. } | Self::ConfirmDiscard { .. } => "confirmation_required",
            Self::StillStopping(_) => "still_stopping",
            Self::NoSnapshot(_) => "no_snapshot",
            Self::Backend(error) => backend_code(error),
            Self::Git(GitError::NotARepository(_)) => "not_a_repository",
            Self::Git(GitError::NoCommit(_)) => "no_commit",
            Self::Git(error) if error.is_full() => "disk_full",
            Self::Git(_) => "git_failed",
            Self::Worktree(error) => error.code(),
            Self::Store(error) | Self::Journal(JournalError::Store(error)) => error.code(),
            Self::Journal(_) => "internal_error",
        }
    }

    /// What to do next.
    #[must_use]
    pub fn hint(&self) -> String {
        let text = match self {
            Self::Backend(BackendError::Unavailable { hint, .. }) => hint.as_str(),
            Self::Unknown(_) => {
                "Call codex_worker_list with scope=all, or name the repository with repo_path."
            }
            Self::Ambiguous { .. } => "Pass the worker_id of the one you mean, or repo_path.",
            Self::NameTaken(_) => {
                "Continue it with codex_worker_message, choose another name, or pass auto_suffix=true."
            }
            Self::Archived(_) => "Start a new worker; the name is free.",
            Self::NotQueued(_) => "Call codex_worker_inspect with view=queue to see what waits.",
            Self::NoApproval(_) | Self::AlreadyDecided { .. } => {
                "Call codex_worker_inspect with view=approvals to see what waits."
            }
            Self::NotSteerable(_) => "Send it with delivery=queue; it runs as the next turn.",
            Self::ConfirmStop { .. } => {
                "Wait with codex_worker_wait, or call codex_worker_stop again with force=true."
            }
            Self::ConfirmDiscard { .. } => {
                "Look at codex_worker_inspect view=changes; integrate, or call again with \
                 discard_unintegrated_changes=true (the last snapshot is kept)."
            }
            Self::StillStopping(_) => "Call codex_worker_status in some seconds.",
            Self::NoSnapshot(_) => "Call codex_worker_inspect with view=report.",
            Self::Git(GitError::NoCommit(_))
            | Self::Worktree(WorktreeError::Git(GitError::NoCommit(_))) => {
                "Make a first commit: a worker starts from HEAD."
            }
            Self::Git(GitError::NotARepository(_)) => {
                "Name a git repository with repo_path, or run `git init` and commit."
            }
            Self::Worktree(WorktreeError::Gone(_)) => {
                "Somebody deleted the worktree; its snapshots are kept. Start a new worker."
            }
            Self::Backend(BackendError::ThreadGone(_)) => {
                "The conversation is lost; start a new worker and give it the context."
            }
            Self::Argument(_) => "Correct the argument and call again.",
            Self::Git(error) if error.is_full() => FULL_HINT,
            Self::Worktree(error) if error.is_full() => FULL_HINT,
            Self::Store(error) | Self::Journal(JournalError::Store(error)) => error.hint(),
            _ => "Look at the server's log; `patchbay doctor` checks the set-up.",
        };
        text.to_owned()
    }
}

/// The stable code of a refusal of the agent.
pub(super) fn backend_code(error: &BackendError) -> &'static str {
    match error {
        BackendError::Unavailable { code, .. } => code,
        BackendError::ConfigRejected(_) => "codex_config_rejected",
        BackendError::ThreadGone(_) => "thread_gone",
        BackendError::NoActiveTurn => "no_active_turn",
        BackendError::NotAsked => "not_asked",
        BackendError::Refused(_) => "codex_refused",
        BackendError::Disconnected(_) => "codex_unreachable",
    }
}
