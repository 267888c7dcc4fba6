use super::place::ShownPath;
use super::{Context, ContextError, Workspace};
use crate::git::{GitError, Repo, Status, StatusEntry};
use schemars::JsonSchema;
use serde::Serialize;
use std::time::Duration;

/// How long git may look at a working tree.
pub(super) const GIT_LIMIT: Duration = Duration::from_secs(20);

/// Where a checkout stands.
#[derive(Debug, Clone, Default, Serialize, JsonSchema)]
#[schemars(transform = super::bare)]
pub struct GitSummary {
    /// Whether the workspace is a checkout; if not, nothing else is here.
    pub is_git_repo: bool,
    /// The branch; absent when HEAD is detached.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub branch: Option<String>,
    /// The commit of HEAD, 12 digits; absent before the first commit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// Whether tracked files differ from the commit. Workers start from the commit, without them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dirty: Option<bool>,
    /// Paths staged in the index.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub staged: Option<usize>,
    /// Tracked paths changed in the working tree and not staged.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unstaged: Option<usize>,
    /// Untracked files and directories.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub untracked: Option<usize>,
    /// Paths in conflict.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub conflicted: Option<usize>,
    /// The upstream of the branch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub upstream: Option<String>,
    /// Commits that the upstream has not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ahead: Option<u64>,
    /// Commits of the upstream that the branch has not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub behind: Option<u64>,
    /// `merge`, `rebase`, `cherry-pick`, `revert` or `bisect` while one is under way.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operation: Option<&'static str>,
    /// Why git could not say more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// What to know about the numbers: a list that was cut, filters that were off.
    pub notes: Vec<String>,
}

/// A changed or untracked path.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(transform = super::bare)]
pub struct ChangedPath {
    /// The path; an untracked directory ends with `/`.
    #[serde(flatten)]
    pub path: ShownPath,
    /// Git's two letters: index, then working tree; `??` is untracked.
    pub status: String,
    /// Where a renamed or copied file was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub old_path: Option<String>,
}

impl GitSummary {
    /// Says what a status says.
    pub(super) fn of(status: &Status) -> Self {
        let count =
            |test: fn(&StatusEntry) -> bool| status.entries.iter().filter(|e| test(e)).count();
        let plain = |e: &StatusEntry| !e.conflict && !e.untracked();
        let staged = status.entries.iter().filter(|e| plain(e) && e.index != '.').count();
        let unstaged = status.entries.iter().filter(|e| plain(e) && e.worktree != '.').count();
        let (untracked, conflicted) = (count(StatusEntry::untracked), count(|e| e.conflict));
        let cut = status.cut.then(|| "There are more changed paths than were counted.".to_owned());
        Self {
            is_git_repo: true,
            branch: status.branch.clone(),
            commit: status.head.as_ref().map(|head| head.chars().take(12).collect()),
            dirty: Some(staged + unstaged + conflicted > 0),
            staged: Some(staged),
            unstaged: Some(unstaged),
            untracked: Some(untracked),
            conflicted: Some(conflicted),
            upstream: status.upstream.clone(),
            ahead: status.ahead,
            behind: status.behind,
            operation: status.operation,
            error: None,
            notes: cut.into_iter().collect(),
        }
    }

    fn failed(error: &GitError) -> Self {
        Self { is_git_repo: true, error: Some(error.to_string()), ..Self::default() }
    }

    /// One line for people.
    #[must_use]
    pub fn line(&self) -> String {
        if !self.is_git_repo {
            return "not a git repository".to_owned();
        }
        if let Some(error) = &self.error {
            return format!("git: {error}");
        }
        let place = match (&self.branch, &self.commit) {
            (Some(branch), Some(commit)) => format!("{branch} at {commit}"),
            (None, Some(commit)) => format!("detached at {commit}"),
            (branch, None) => {
                format!("{}, no commit yet", branch.as_deref().unwrap_or("no branch"))
            }
        };
        let counts = [
            (self.staged, "staged"),
            (self.unstaged, "unstaged"),
            (self.untracked, "untracked"),
            (self.conflicted, "in conflict"),
        ];
        let counts: Vec<String> = counts
            .iter()
            .filter_map(|(n, what)| n.filter(|n| *n > 0).map(|n| format!("{n} {what}")))
            .collect();
        let counts = if counts.is_empty() { "clean".to_owned() } else { counts.join(", ") };
        let operation = self.operation.map(|o| format!(", {o} under way")).unwrap_or_default();
        format!("{place}: {counts}{operation}")
    }
}

impl Context {
    /// Where a checkout stands: for a start that says what its worker will not see.
    ///
    /// # Errors
    /// When git fails or takes longer than 20 s.
    pub async fn summary(&self, repo: &Repo) -> Result<GitSummary, ContextError> {
        let (summary, _) = summary_and_status(repo, GIT_LIMIT).await?;
        Ok(summary)
    }
}

/// The summary of a workspace; what git refuses stands in it.
pub(super) async fn summary(workspace: &Workspace, limit: Duration) -> GitSummary {
    match &workspace.repo {
        None => GitSummary::default(),
        Some(repo) => match summary_and_status(repo, limit).await {
            Ok((summary, _)) => summary,
            Err(error) => GitSummary::failed(&error),
        },
    }
}

/// The status of a checkout, and what it says.
pub(super) async fn summary_and_status(
    repo: &Repo,
    limit: Duration,
) -> Result<(GitSummary, Status), GitError> {
    let status = repo.status(limit).await?;
    let mut summary = GitSummary::of(&status);
    let filters = repo.own_filters().await?;
    if !filters.is_empty() {
        let names: Vec<_> = filters.iter().map(|name| String::from_utf8_lossy(name)).collect();
        summary.notes.push(format!(
            "The repository's own filters were not run ({}); files they change may show as modified.",
            names.join(", ")
        ));
    }
    Ok((summary, status))
}

impl ChangedPath {
    pub(super) fn of(entry: &StatusEntry) -> Self {
        let letter = |c: char| if c == '.' { ' ' } else { c };
        Self {
            path: ShownPath::bytes(&entry.path),
            status: [letter(entry.index), letter(entry.worktree)].iter().collect(),
            old_path: entry.from.as_deref().map(|raw| ShownPath::bytes(raw).path),
        }
    }
}
