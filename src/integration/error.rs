use super::Preview;
use crate::git::{GitError, GitPath};
use crate::lock::LockError;
use crate::store::StoreError;
use crate::worktree::WorktreeError;
use std::path::{Path, PathBuf};

/// Why a result could not be previewed or applied.
#[derive(Debug, thiserror::Error)]
pub enum IntegrationError {
    /// The preview that the token names is not what would happen now; a fresh one is here.
    #[error("the base or the worker's result changed since the preview")]
    PreviewStale(Box<Preview>),
    /// The preview says that it cannot be applied.
    #[error("the result cannot be applied: {}", .0.reason.unwrap_or("unknown"))]
    NotApplicable(Box<Preview>),
    /// Somebody edited a file of the base while it was being written; everything was put back.
    #[error("{} was changed by somebody else; the base is as it was", .0.lossy())]
    BaseChanged(GitPath),
    /// What was written is not what was meant; everything was put back.
    #[error("{} did not become what it should; the base is as it was", .0.lossy())]
    NotExact(GitPath),
    /// A link or a file stands where a directory is needed.
    #[error("{}: the way there leads through a link or a file", .0.lossy())]
    Obstructed(GitPath),
    /// The key was used for another apply of this worker.
    #[error("the idempotency key was used for another apply")]
    KeyReused,
    /// No check of the operator's settings.
    #[error("there is no check {name}; there {}", named(known))]
    UnknownCheck {
        /// What was asked for.
        name: String,
        /// What there is.
        known: Vec<String>,
    },
    /// Checks have not passed on exactly what would be applied.
    #[error("not checked on exactly this result: {}", missing.join(", "))]
    ChecksRequired {
        /// Their names.
        missing: Vec<String>,
        /// What would be applied, with the receipts that there are.
        preview: Box<Preview>,
    },
    /// Checks could not be run to their end.
    #[error("the checks could not be run: {0}")]
    CheckBroken(String),
    /// A pattern of accepted base changes cannot be read.
    #[error("not a usable pattern: {0}")]
    BadPattern(String),
    /// Neither `checkout` nor `branch:<name>`.
    #[error("not a target: {0}")]
    BadTarget(String),
    /// Not `Name <email>`.
    #[error("not an author: {0}")]
    BadAuthor(String),
    /// A checkout has the branch: moving it would change what that checkout shows as edited.
    #[error("branch {branch} is checked out in {}", path.display())]
    BranchCheckedOut {
        /// Its short name.
        branch: String,
        /// Where.
        path: PathBuf,
    },
    /// Somebody moved the branch while the commit was made.
    #[error("{0} was moved by somebody else; it is as they left it")]
    BranchMoved(String),
    /// The lock is held by somebody else, or failed.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// Git failed.
    #[error(transparent)]
    Git(#[from] GitError),
    /// The worktree or its snapshots failed.
    #[error(transparent)]
    Worktree(#[from] WorktreeError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The file system refused.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
}

fn named(known: &[String]) -> String {
    if known.is_empty() { "are none".to_owned() } else { format!("are: {}", known.join(", ")) }
}

impl IntegrationError {
    pub(super) fn io(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_path_buf();
        move |source| Self::Io { path, source }
    }

    /// What to do next.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            Self::PreviewStale(_) | Self::NotApplicable(_) => "Look at the fresh preview.",
            Self::BaseChanged(_) | Self::NotExact(_) => {
                "Nothing was changed. Preview again when nobody edits that file, and apply then."
            }
            Self::Obstructed(_) => "Remove what is in the way, then preview again.",
            Self::KeyReused => "Use a new idempotency_key for another apply.",
            Self::UnknownCheck { .. } => {
                "Name checks that the operator configured (checks.commands in config.yaml), or none."
            }
            Self::ChecksRequired { .. } => {
                "Call codex_worker_integrate with checks naming them, then apply what was checked."
            }
            Self::CheckBroken(_) => "Call again with the same checks.",
            Self::BadPattern(_) => "Pass globs such as src/*.txt.",
            Self::BadTarget(_) => "Pass checkout, or branch:NAME with a name that git allows.",
            Self::BadAuthor(_) => "Pass the author as: Name <name@example.org>.",
            Self::BranchCheckedOut { .. } => "Use target checkout there, or name another branch.",
            Self::BranchMoved(_) => "Preview again.",
            Self::Lock(LockError::Busy { .. }) => "Wait until the holder is done, then try again.",
            Self::Lock(LockError::ForeignFile(_)) => "Remove that file if no patchbay runs.",
            Self::Git(_) => "Pass the repo_path of a git repository with at least one commit.",
            _ => "Call codex_worker_status to see what is so, and look at the server's log.",
        }
    }

    /// A stable snake_case code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::PreviewStale(_) => "preview_stale",
            Self::NotApplicable(_) => "not_applicable",
            Self::BaseChanged(_) => "base_changed",
            Self::NotExact(_) => "not_exact",
            Self::Obstructed(_) => "path_obstructed",
            Self::KeyReused => "idempotency_key_reused",
            Self::UnknownCheck { .. } => "unknown_check",
            Self::ChecksRequired { .. } => "checks_required",
            Self::CheckBroken(_) => "checks_broken",
            Self::BadPattern(_) | Self::BadTarget(_) | Self::BadAuthor(_) => "invalid_argument",
            Self::BranchCheckedOut { .. } => "branch_checked_out",
            Self::BranchMoved(_) => "branch_moved",
            Self::Lock(LockError::Busy { .. }) => "repo_busy",
            Self::Lock(LockError::ForeignFile(_)) => "lock_file_unreadable",
            Self::Git(GitError::NotARepository(_)) => "not_a_repository",
            Self::Git(GitError::NoCommit(_)) => "no_commit",
            _ => "integration_failed",
        }
    }
}
