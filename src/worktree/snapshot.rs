use super::WorktreeError;
use crate::ids::{SnapshotId, TurnId, WorkerId};
use crate::store::{SnapshotRow, StoreError};

/// What a worktree held at one moment, as git objects in the base repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// Its id.
    pub id: SnapshotId,
    /// Whose worktree it was.
    pub worker: WorkerId,
    /// The turn after which it was taken; `None` for where the worker started.
    pub turn: Option<TurnId>,
    /// The commit that holds it; its first parent is `head`.
    pub commit: String,
    /// Its tree.
    pub tree: String,
    /// HEAD of the worktree then; not the base commit = the worker committed.
    pub head: String,
    /// The ref that keeps it: `refs/patchbay/<worker>/<snapshot>`.
    pub ref_name: String,
    /// Unix milliseconds.
    pub created_at: i64,
}

impl Snapshot {
    pub(super) fn to_row(&self) -> SnapshotRow {
        SnapshotRow {
            id: self.id.to_string(),
            worker_id: self.worker.to_string(),
            turn_id: self.turn.as_ref().map(ToString::to_string),
            commit_oid: self.commit.clone(),
            tree_oid: self.tree.clone(),
            ref_name: self.ref_name.clone(),
            head_oid: self.head.clone(),
            created_at: self.created_at,
        }
    }

    pub(super) fn from_row(row: SnapshotRow) -> Result<Self, WorktreeError> {
        let corrupt = |text: &str| StoreError::Corrupt(text.to_owned());
        Ok(Self {
            id: row.id.parse().map_err(|_| corrupt("snapshots.id"))?,
            worker: row.worker_id.parse().map_err(|_| corrupt("snapshots.worker_id"))?,
            turn: row
                .turn_id
                .map(|turn| turn.parse().map_err(|_| corrupt("snapshots.turn_id")))
                .transpose()?,
            commit: row.commit_oid,
            tree: row.tree_oid,
            head: row.head_oid,
            ref_name: row.ref_name,
            created_at: row.created_at,
        })
    }
}
