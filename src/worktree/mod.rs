//! Worktrees of workers: creation, snapshots, removal.
