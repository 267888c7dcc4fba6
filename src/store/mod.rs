//! SQLite: all SQL of the program, one file a table.
//!
//! Owns the schema (`migrations/`), the row types and the state enums. A change that spans tables is
//! one verb here, in one transaction. Only this room may hold SQL; it knows nothing of git, codex or MCP.

mod anchor;
mod approval_row;
mod approvals;
mod audit;
mod db;
mod error;
mod events;
mod holds;
mod integrations;
mod mcp_sessions;
mod meta;
mod owners;
mod processes;
mod receipts;
mod repo_locks;
#[cfg(test)]
mod seed;
mod sent_conflicts;
mod snapshots;
mod states;
mod threads;
mod turn_lease;
mod turns;
mod worker_list;
mod workers;
mod worktrees;

pub use approval_row::{ApprovalRow, NewApproval};
pub use audit::AuditRow;
pub use db::{Store, Write};
pub use error::{FULL_HINT, StoreError};
pub use events::{EventRow, NewEvent};
pub use holds::HoldRow;
pub use integrations::{IntegrationInputs, IntegrationRow};
pub use owners::OwnerRow;
pub use processes::ProcessRow;
pub use receipts::ReceiptRow;
pub use repo_locks::RepoLockRow;
pub use sent_conflicts::SentConflictsRow;
pub use snapshots::SnapshotRow;
pub use states::{
    ApprovalKind, ApprovalState, Decision, HoldReason, TurnState, Verified, WorkerMode, WorkerState,
};
pub use threads::ThreadRow;
pub use turn_lease::{TurnEnd, TurnLease};
pub use turns::{NewTurn, TurnRow};
pub use worker_list::{Scope, StateCount, WorkerFacts, WorkerFilter};
pub use workers::{NewWorker, WorkerRow, fold_name};
pub use worktrees::{RemovingRow, WorktreeRow};
