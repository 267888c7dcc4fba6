use super::{ConflictSide, Receipt};
use crate::git::{Change, GitPath};
use crate::worktree::{Snapshot, SnapshotNotes};

/// A path that stands in the way of an apply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conflict {
    /// The path.
    pub path: GitPath,
    /// Stable snake_case class. From the merge: `contents`, `modify_delete`, `add_add`, `binary`,
    /// `file_directory`, `rename_delete`, …. From the checks: `nested_repository`, `submodule`,
    /// `unsafe_path`, `unmerged_in_base`, `assumed_unchanged`, `outside_sparse_checkout`,
    /// `path_obstructed`, `ignored_file_in_the_way`, `directory_not_empty`, `filters`, `unstorable`,
    /// `unstorable_in_base`. Of an undo: `edited_since`.
    pub kind: String,
    /// A sentence, perhaps empty.
    pub detail: String,
    /// What the base has there; `None` for nothing, and past the first twenty conflicts.
    pub base: Option<ConflictSide>,
    /// What the worker has there.
    pub worker: Option<ConflictSide>,
}

impl Conflict {
    pub(super) fn new(path: GitPath, kind: &str, detail: &str) -> Self {
        Self { path, kind: kind.to_owned(), detail: detail.to_owned(), base: None, worker: None }
    }
}

/// What applying a worker's result would do now.
#[derive(Debug, Clone, Default)]
pub struct Preview {
    /// Whether it can be applied as it is.
    pub can_apply: bool,
    /// Why not: `turn_active`, `not_isolated`, `no_snapshot`, `no_changes`, `already_in_base`,
    /// `conflict`, `base_dirty`; of an undo `nothing_to_undo`.
    pub reason: Option<&'static str>,
    /// What an apply must show; stays the same while the affected paths do. Absent = nothing to apply.
    pub token: Option<String>,
    /// The snapshot that would be applied.
    pub snapshot: Option<Snapshot>,
    /// What the base would get, renames found.
    pub changes: Vec<Change>,
    /// What stands in the way.
    pub conflicts: Vec<Conflict>,
    /// Paths of the base that differ from its HEAD, untracked ones included.
    pub base_dirty: Vec<GitPath>,
    /// Those of them that the apply would write.
    pub base_dirty_touched: Vec<GitPath>,
    /// Those of them that no accepted pattern covers.
    pub base_dirty_unaccepted: Vec<GitPath>,
    /// Whether the base's HEAD is another commit than the worker started from.
    pub base_moved: bool,
    /// HEAD of the base.
    pub base_head: String,
    /// The commit the worker started from.
    pub worker_base: String,
    /// Whether the worker made commits; they are integrated through their tree.
    pub worker_committed: bool,
    /// The base's working tree now.
    pub ours_tree: String,
    /// What it would be.
    pub merged_tree: String,
    /// Checks of exactly this result, newest first.
    pub receipts: Vec<Receipt>,
    /// What is not part of the result.
    pub notes: SnapshotNotes,
}

impl Preview {
    pub(super) fn refuse(mut self, reason: &'static str) -> Self {
        self.can_apply = false;
        self.reason = Some(reason);
        self
    }
}
