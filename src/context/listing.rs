use super::summary::{GitSummary, summary};
use super::walk::Deadline;
use super::{Context, ContextError};
use futures_util::{StreamExt, stream};
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::VecDeque;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// How long directories are searched for repositories.
const DISCOVERY_LIMIT: Duration = Duration::from_secs(5);
/// How long all repositories together may be asked for their status.
const STATUS_LIMIT: Duration = Duration::from_secs(20);
/// How many are asked at the same time.
const AT_ONCE: usize = 4;
/// Directories that are not entered: they hold what tools made.
const SKIPPED: &[&str] = &["node_modules", "target", "vendor", "__pycache__", "venv"];

/// Which workspaces are wanted.
#[derive(Debug, Clone)]
pub struct ListQuery {
    /// Only those with this text in name or path, whatever the case.
    pub query: Option<String>,
    /// Whether repositories below allowed roots that are none themselves are looked for.
    pub discover: bool,
    /// How many levels below a root are looked at, 1 to 5.
    pub max_depth: usize,
    /// Most workspaces of an answer, 1 to 50.
    pub max_results: usize,
}

impl Default for ListQuery {
    fn default() -> Self {
        Self { query: None, discover: true, max_depth: 3, max_results: 50 }
    }
}

/// A workspace that exists.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(transform = super::bare)]
pub struct WorkspaceEntry {
    /// Id of the workspace; absent when it cannot be opened.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workspace_id: Option<String>,
    /// The name that people use.
    pub name: String,
    /// Absolute path; pass it as `repo_path`.
    pub root: String,
    /// Whether a call without `repo_path` means it.
    pub default: bool,
    /// `configured` for an allowed root, `discovered` for a repository below one.
    pub source: &'static str,
    /// Where the checkout stands.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<super::Open>")]
    pub git: Option<GitSummary>,
    /// Why it cannot be opened.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// The workspaces that a chat may name.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(transform = super::bare)]
pub struct ListView {
    /// Allowed roots in the operator's order, then discovered repositories in order of their paths.
    #[schemars(with = "Vec<super::Open>")]
    pub workspaces: Vec<WorkspaceEntry>,
    /// How many are listed.
    pub count: usize,
    /// How many of them are allowed roots.
    pub configured_count: usize,
    /// How many of them were discovered.
    pub discovered_count: usize,
    /// Whether there are or may be more.
    pub truncated: bool,
}

impl Context {
    /// Lists allowed roots and the repositories below them.
    ///
    /// # Errors
    /// Only a fault of ours: a root that cannot be opened stands in the list with its error.
    pub async fn list(&self, query: &ListQuery) -> Result<ListView, ContextError> {
        let roots = self.roots.all().to_vec();
        let (depth, discover) = (query.max_depth.clamp(1, 5), query.discover);
        let context = self.clone();
        let (mut found, mut truncated) = super::blocking(move || {
            let deadline = Deadline::after(DISCOVERY_LIMIT);
            let mut found: Vec<(PathBuf, &'static str)> =
                roots.iter().map(|root| (root.clone(), "configured")).collect();
            if discover {
                let below = roots.iter().flat_map(|root| context.below(root, depth, &deadline));
                let mut below: Vec<PathBuf> = below.filter(|dir| !roots.contains(dir)).collect();
                below.sort();
                below.dedup();
                found.extend(below.into_iter().map(|dir| (dir, "discovered")));
            }
            Ok((found, deadline.was_hit()))
        })
        .await?;
        if let Some(text) = query.query.as_deref().map(str::trim).filter(|text| !text.is_empty()) {
            let text = text.to_lowercase();
            found.retain(|(dir, _)| dir.to_string_lossy().to_lowercase().contains(&text));
        }
        let most = query.max_results.clamp(1, 50);
        truncated |= found.len() > most;
        found.truncate(most);
        let until = Instant::now() + STATUS_LIMIT;
        let asked: Vec<_> =
            found.into_iter().map(|(dir, source)| self.entry(dir, source, until)).collect();
        let workspaces: Vec<WorkspaceEntry> = stream::iter(asked).buffered(AT_ONCE).collect().await;
        let configured_count = workspaces.iter().filter(|w| w.source == "configured").count();
        Ok(ListView {
            count: workspaces.len(),
            configured_count,
            discovered_count: workspaces.len() - configured_count,
            truncated,
            workspaces,
        })
    }

    async fn entry(&self, dir: PathBuf, source: &'static str, until: Instant) -> WorkspaceEntry {
        let root = dir.to_string_lossy().into_owned();
        let default = self.roots.all().first() == Some(&dir);
        let name = dir.file_name().map_or_else(|| root.clone(), |n| n.to_string_lossy().into());
        let blank = WorkspaceEntry {
            workspace_id: None,
            name,
            root,
            default,
            source,
            git: None,
            error: None,
        };
        match self.workspace(Some(&blank.root)).await {
            Ok(workspace) => {
                let left = until.saturating_duration_since(Instant::now());
                let git = Some(summary(&workspace, left).await);
                WorkspaceEntry { workspace_id: Some(workspace.id), git, ..blank }
            }
            Err(error) => WorkspaceEntry { error: Some(error.to_string()), ..blank },
        }
    }

    /// Repositories below a directory that is none itself, level by level; links are not followed.
    fn below(&self, root: &PathBuf, depth: usize, deadline: &Deadline) -> Vec<PathBuf> {
        let mut found = Vec::new();
        let mut queue = VecDeque::from([(root.clone(), 0)]);
        while let Some((dir, level)) = queue.pop_front() {
            if deadline.over() {
                break;
            }
            if dir.join(".git").symlink_metadata().is_ok() {
                found.push(dir);
                continue;
            }
            if level == depth {
                continue;
            }
            let entries = std::fs::read_dir(&dir).into_iter().flatten().flatten();
            let inner = entries.filter(|e| e.file_type().is_ok_and(|kind| kind.is_dir()));
            let inner = inner.map(|e| e.path()).filter(|path| {
                let name = path.file_name().unwrap_or_default().to_string_lossy();
                !name.starts_with('.')
                    && !SKIPPED.contains(&name.as_ref())
                    && !self.guard.hits(path.strip_prefix(root).unwrap_or(path))
                    && !self.guard.is_private(path)
            });
            queue.extend(inner.map(|path| (path, level + 1)));
        }
        found
    }
}
