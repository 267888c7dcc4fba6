//! Worktrees of workers: creation, snapshots, removal, and the check that a reader changed nothing.
//!
//! Owns `<state>/worktrees/<repo_key>/<worker_id>/` and the refs below `refs/patchbay/<worker_id>/`. A
//! worktree is made from the base's HEAD commit; it is removed only after its work is a snapshot. The
//! base's index, HEAD and files are never touched here. A throwaway worktree beside them is no worker's: checks
//! run in it, and whoever made it removes it.

mod admin;
mod error;
mod fingerprint;
mod notes;
mod raw;
mod snapshot;
mod take;
mod throwaway;
mod touched;
mod worktrees;

#[cfg(test)]
mod tests;

pub use error::WorktreeError;
pub use notes::SnapshotNotes;
pub use snapshot::Snapshot;
pub use throwaway::Throwaway;
pub use worktrees::{Removed, Worktree, Worktrees};
