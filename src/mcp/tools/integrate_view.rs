//! What an integration would do or has done, as hosts see it; shared with `codex_worker_inspect`.

use super::receipt_view::ReceiptView;
use crate::git::{Change, GitPath};
use crate::integration::{Conflict, ConflictSide, Preview};
use crate::worktree::SnapshotNotes;
use serde::Serialize;
use serde_json::{Map, Value};

/// Most paths that one list names; the counts beside it are whole.
const LISTED: usize = 200;

/// A path, lossy, with the exact bytes where that loses something.
#[derive(Debug, Serialize)]
pub(super) struct PathView {
    path: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    path_b64: Option<String>,
}

impl From<&GitPath> for PathView {
    fn from(path: &GitPath) -> Self {
        Self { path: path.lossy(), path_b64: path.exact_b64() }
    }
}

/// One changed path.
#[derive(Debug, Serialize)]
pub(super) struct ChangeView {
    #[serde(flatten)]
    path: PathView,
    /// `added`, `modified`, `deleted`, `renamed` or `type_changed`.
    kind: crate::git::ChangeKind,
    #[serde(skip_serializing_if = "Option::is_none")]
    old_path: Option<String>,
    additions: u64,
    deletions: u64,
    binary: bool,
    /// The executable bit or the kind of file changed.
    mode_changed: bool,
}

impl From<&Change> for ChangeView {
    fn from(change: &Change) -> Self {
        Self {
            path: (&change.path).into(),
            kind: change.kind,
            old_path: change.old_path.as_ref().map(GitPath::lossy),
            additions: change.additions,
            deletions: change.deletions,
            binary: change.binary,
            mode_changed: change.mode_changed(),
        }
    }
}

#[derive(Debug, Serialize)]
struct ConflictView {
    #[serde(flatten)]
    path: PathView,
    kind: String,
    detail: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    base: Option<SideView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    worker: Option<SideView>,
}

/// One side of a conflict; its text is bounded.
#[derive(Debug, Serialize)]
struct SideView {
    mode: String,
    bytes: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    truncated: bool,
}

impl From<&ConflictSide> for SideView {
    fn from(side: &ConflictSide) -> Self {
        let mode = format!("{:06o}", side.mode);
        Self { mode, bytes: side.bytes, text: side.text.clone(), truncated: side.truncated }
    }
}

impl From<&Conflict> for ConflictView {
    fn from(conflict: &Conflict) -> Self {
        let (kind, detail) = (conflict.kind.clone(), conflict.detail.clone());
        let side = |side: &Option<ConflictSide>| side.as_ref().map(SideView::from);
        let (base, worker) = (side(&conflict.base), side(&conflict.worker));
        Self { path: (&conflict.path).into(), kind, detail, base, worker }
    }
}

#[derive(Debug, Serialize)]
struct NotIncluded {
    ignored_count: usize,
    ignored: Vec<PathView>,
    nested_repositories: Vec<PathView>,
    unstorable: Vec<PathView>,
}

#[derive(Debug, Serialize)]
struct PreviewView<'a> {
    can_apply: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    preview_token: Option<&'a str>,
    changed_files: Vec<ChangeView>,
    change_count: usize,
    conflicts: Vec<ConflictView>,
    conflict_count: usize,
    base_dirty: bool,
    base_dirty_count: usize,
    /// Uncommitted paths of the base that the apply would write.
    base_dirty_touched: Vec<PathView>,
    /// Those of them that `accepted_dirty_base` must name.
    base_dirty_unaccepted: Vec<PathView>,
    base_moved: bool,
    base_revision: String,
    worker_base_revision: String,
    worker_committed: bool,
    /// Checks of exactly this result.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    receipts: Vec<ReceiptView>,
    not_included: NotIncluded,
}

/// The members of a preview; of hidden paths no content is shown.
pub(super) fn preview_view(
    preview: &Preview,
    hides: &(dyn Fn(&GitPath) -> bool + Sync),
) -> Map<String, Value> {
    let mut conflicts: Vec<ConflictView> = listed(&preview.conflicts);
    for (view, conflict) in conflicts.iter_mut().zip(&preview.conflicts) {
        if hides(&conflict.path) {
            (view.base, view.worker) = (None, None);
        }
    }
    let view = PreviewView {
        can_apply: preview.can_apply,
        reason: preview.reason,
        preview_token: preview.token.as_deref(),
        changed_files: listed(&preview.changes),
        change_count: preview.changes.len(),
        conflicts,
        conflict_count: preview.conflicts.len(),
        base_dirty: !preview.base_dirty.is_empty(),
        base_dirty_count: preview.base_dirty.len(),
        base_dirty_touched: listed(&preview.base_dirty_touched),
        base_dirty_unaccepted: listed(&preview.base_dirty_unaccepted),
        base_moved: preview.base_moved,
        base_revision: short(&preview.base_head),
        worker_base_revision: short(&preview.worker_base),
        worker_committed: preview.worker_committed,
        receipts: listed(&preview.receipts),
        not_included: not_included(&preview.notes),
    };
    match serde_json::to_value(view) {
        Ok(Value::Object(members)) => members,
        _ => Map::new(),
    }
}

/// A preview in a few lines.
pub(super) fn preview_text(name: &str, preview: &Preview) -> String {
    let mut text = match (preview.can_apply, preview.reason) {
        (true, _) => format!("{name}: {} file(s) can be applied.", preview.changes.len()),
        (false, reason) => {
            format!("{name} cannot be applied now: {}.", why(reason.unwrap_or("unknown")))
        }
    };
    for change in preview.changes.iter().take(20) {
        let (plus, minus) = (change.additions, change.deletions);
        text.push_str(&format!("\n  {} +{plus} -{minus}", change.path.lossy()));
    }
    for conflict in preview.conflicts.iter().take(20) {
        text.push_str(&format!("\n  conflict ({}): {}", conflict.kind, conflict.path.lossy()));
    }
    for receipt in preview.receipts.iter().take(1) {
        text.push_str(&format!("\nChecks of this result: {}.", receipt.state));
    }
    if preview.base_moved {
        text.push_str(
            "\nThe base moved since the worker began; the merge takes that into account.",
        );
    }
    text
}

/// A reason in words.
pub(super) fn why(reason: &str) -> &'static str {
    match reason {
        "turn_active" => "the worker's turn still runs",
        "not_isolated" => "the worker only reads",
        "no_snapshot" => "the worker has not worked yet",
        "no_changes" => "there is nothing new in its result",
        "already_in_base" => "the base has all of it already",
        "conflict" => "paths stand in the way",
        "nothing_to_undo" => "nothing of it stands in the base",
        "base_dirty" => "it would write files with uncommitted edits",
        _ => "of an unknown reason",
    }
}

/// The first paths or changes, as they are shown.
pub(super) fn listed<'a, T, V: From<&'a T>>(items: &'a [T]) -> Vec<V> {
    items.iter().take(LISTED).map(V::from).collect()
}

fn not_included(notes: &SnapshotNotes) -> NotIncluded {
    NotIncluded {
        ignored_count: notes.ignored_count,
        ignored: listed(&notes.ignored),
        nested_repositories: listed(&notes.nested),
        unstorable: listed(&notes.refused),
    }
}

pub(super) fn short(commit: &str) -> String {
    commit.chars().take(12).collect()
}
