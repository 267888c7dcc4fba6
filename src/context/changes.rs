use super::patch::{DiffQuery, FileChange, differences};
use super::summary::{ChangedPath, GIT_LIMIT, GitSummary, summary_and_status};
use super::{Context, ContextError, ShownPath, Workspace};
use crate::git::{Repo, Status, StatusEntry};
use schemars::JsonSchema;
use serde::Serialize;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// Most changed paths that one answer lists.
const MAX_LISTED: usize = 200;

/// The status of a checkout.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(transform = super::bare)]
pub struct StatusView {
    /// Id of the workspace.
    #[schemars(skip)]
    pub workspace_id: String,
    /// Where it stands, with all counts.
    #[schemars(with = "super::Open")]
    pub git: GitSummary,
    /// The first 200 changed and untracked paths, in byte order.
    #[schemars(with = "Vec<super::Open>")]
    pub changes: Vec<ChangedPath>,
    /// Whether there are more than are listed.
    pub truncated: bool,
    /// Changed paths that are not listed because the operator hides them.
    pub blocked: usize,
}

/// What differs, staged or not, without untracked files.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(transform = super::bare)]
pub struct DiffView {
    /// Id of the workspace.
    #[schemars(skip)]
    pub workspace_id: String,
    /// What was looked at; `.` is everything.
    #[serde(flatten)]
    pub path: ShownPath,
    /// `true`: index against HEAD. `false`: working tree against index.
    pub staged: bool,
    /// The patch, up to `max_bytes`, whole lines.
    pub diff: String,
    /// Added lines of all changed text files, whatever was cut.
    pub additions: u64,
    /// Removed lines of all changed text files, whatever was cut.
    pub deletions: u64,
    /// Whether anything differs.
    pub changed: bool,
    /// The first 200 changed files.
    #[schemars(with = "Vec<super::Open>")]
    pub files_changed: Vec<FileChange>,
    /// How many files differ.
    pub files_total: usize,
    /// Untracked files and directories, which no diff shows.
    pub untracked: usize,
    /// Whether the patch or the list was cut.
    pub truncated: bool,
    /// What else is to be known: blocked files, the other side, bytes that are no text.
    pub notes: Vec<String>,
}

/// Status, counts and patch in one.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(transform = super::bare)]
pub struct ChangesView {
    /// Id of the workspace.
    #[schemars(skip)]
    pub workspace_id: String,
    /// What was looked at; `.` is everything.
    #[serde(flatten)]
    pub path: ShownPath,
    /// Where the checkout stands, with all counts.
    #[schemars(with = "super::Open")]
    pub git: GitSummary,
    /// The first 200 changed and untracked paths below `path`.
    #[schemars(with = "Vec<super::Open>")]
    pub status: Vec<ChangedPath>,
    /// Which side `diff`, `additions`, `deletions` and `files_changed` are of.
    pub staged: bool,
    /// The patch, up to the bound, whole lines; empty when it was not asked for.
    pub diff: String,
    /// Added lines of all changed text files of that side.
    pub additions: u64,
    /// Removed lines of all changed text files of that side.
    pub deletions: u64,
    /// Whether anything below `path` is changed at all: staged, unstaged, untracked or in conflict.
    pub changed: bool,
    /// The first 200 changed files of that side.
    #[schemars(with = "Vec<super::Open>")]
    pub files_changed: Vec<FileChange>,
    /// Whether a list or the patch was cut.
    pub truncated: bool,
    /// What else is to be known: blocked files, the other side, bytes that are no text.
    pub notes: Vec<String>,
}

impl Context {
    /// The branch, its commit, and the changed paths of a checkout.
    ///
    /// # Errors
    /// No repository, or git fails; nothing is swallowed.
    pub async fn git_status(&self, workspace: &Workspace) -> Result<StatusView, ContextError> {
        let (git, status) = summary_and_status(repo_of(workspace)?, GIT_LIMIT).await?;
        let (changes, blocked) = self.listed(&status, Path::new(""));
        Ok(StatusView {
            workspace_id: workspace.id.clone(),
            truncated: changes.len() > MAX_LISTED || status.cut,
            changes: changes.into_iter().take(MAX_LISTED).map(ChangedPath::of).collect(),
            git,
            blocked,
        })
    }

    /// What differs on one side of the index, with the patch when `query.max_bytes` is not 0.
    ///
    /// # Errors
    /// No repository, a path that leaves it or is blocked, or git fails.
    pub async fn git_diff(
        &self,
        workspace: &Workspace,
        query: &DiffQuery,
    ) -> Result<DiffView, ContextError> {
        let repo = repo_of(workspace)?;
        let only = self.guard.relative(&workspace.root, &query.named()?)?;
        let found = differences(self, repo, &only, query).await?;
        let (git, status) = summary_and_status(repo, GIT_LIMIT).await?;
        let (below, _) = self.listed(&status, &only);
        let mut notes = found.notes;
        notes.extend(git.notes);
        notes.extend(other_side(&below, query.staged));
        Ok(DiffView {
            workspace_id: workspace.id.clone(),
            path: ShownPath::of(&only),
            staged: query.staged,
            diff: found.patch,
            additions: found.additions,
            deletions: found.deletions,
            changed: !found.files.is_empty(),
            files_total: found.files.len(),
            untracked: below.iter().filter(|e| e.untracked()).count(),
            truncated: found.cut || found.files.len() > MAX_LISTED,
            files_changed: found.files.into_iter().take(MAX_LISTED).collect(),
            notes,
        })
    }

    /// Status, counts and (when `query.max_bytes` is not 0) the patch of one side, for a review.
    ///
    /// # Errors
    /// As [`Context::git_diff`].
    pub async fn show_changes(
        &self,
        workspace: &Workspace,
        query: &DiffQuery,
    ) -> Result<ChangesView, ContextError> {
        let repo = repo_of(workspace)?;
        let only = self.guard.relative(&workspace.root, &query.named()?)?;
        let found = differences(self, repo, &only, query).await?;
        let (git, status) = summary_and_status(repo, GIT_LIMIT).await?;
        let (below, blocked) = self.listed(&status, &only);
        let mut notes = found.notes;
        notes.extend(other_side(&below, query.staged));
        let long = below.len() > MAX_LISTED || found.files.len() > MAX_LISTED;
        Ok(ChangesView {
            workspace_id: workspace.id.clone(),
            path: ShownPath::of(&only),
            git,
            staged: query.staged,
            diff: found.patch,
            additions: found.additions,
            deletions: found.deletions,
            changed: !below.is_empty() || blocked > 0 || !found.files.is_empty(),
            truncated: found.cut || status.cut || long,
            status: below.into_iter().take(MAX_LISTED).map(ChangedPath::of).collect(),
            files_changed: found.files.into_iter().take(MAX_LISTED).collect(),
            notes,
        })
    }

    /// The entries at and below a path that may be shown, and how many may not.
    fn listed<'a>(&self, status: &'a Status, only: &Path) -> (Vec<&'a StatusEntry>, usize) {
        let below = status.entries.iter().filter(|entry| {
            let path = Path::new(OsStr::from_bytes(&entry.path));
            path.starts_with(only) || (entry.untracked() && only.starts_with(path))
        });
        let (hidden, shown): (Vec<_>, Vec<_>) = below
            .partition(|entry| self.guard.is_blocked(Path::new(OsStr::from_bytes(&entry.path))));
        (shown, hidden.len())
    }
}

fn repo_of(workspace: &Workspace) -> Result<&Repo, ContextError> {
    let none = || ContextError::NotARepository(workspace.root.to_string_lossy().into_owned());
    workspace.repo.as_ref().ok_or_else(none)
}

/// Says what the side that was not asked for holds.
fn other_side(entries: &[&StatusEntry], staged: bool) -> Vec<String> {
    let count = |test: &dyn Fn(&StatusEntry) -> bool| entries.iter().filter(|e| test(e)).count();
    let mut notes = Vec::new();
    let untracked = count(&|e| e.untracked());
    let (other, what) = if staged {
        (count(&|e| !e.untracked() && !e.conflict && e.worktree != '.'), "unstaged")
    } else {
        (count(&|e| !e.untracked() && !e.conflict && e.index != '.'), "staged")
    };
    if other > 0 {
        let call = !staged;
        notes
            .push(format!("{other} {what} path(s) are not in this diff; call with staged={call}."));
    }
    if untracked > 0 {
        notes.push(format!("{untracked} untracked path(s) are in no diff; read them by path."));
    }
    notes
}
