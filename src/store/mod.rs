//! SQLite: all SQL of the program, one file a table.
//!
//! Owns the schema (`migrations/`), the row types and the state enums. A change that spans tables is
//! one verb here, in one transaction. Only this room may hold SQL; it knows nothing of git, codex or MCP.

mod db;
mod error;
mod integrations;
mod repo_locks;
#[cfg(test)]
mod seed;
mod snapshots;
mod worktrees;

pub use db::{Store, Write};
pub use error::StoreError;
pub use integrations::{IntegrationInputs, IntegrationRow};
pub use repo_locks::RepoLockRow;
pub use snapshots::SnapshotRow;
pub use worktrees::{RemovingRow, WorktreeRow};
