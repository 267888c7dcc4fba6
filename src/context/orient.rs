use super::summary::{GIT_LIMIT, GitSummary, summary};
use super::walk::{Deadline, Walk};
use super::{Context, ContextError, TreeQuery, TreeView, Workspace};
use ignore::WalkState;
use schemars::JsonSchema;
use serde::Serialize;
use std::path::PathBuf;
use std::sync::mpsc;
use std::time::Duration;

/// Names of files that instruct agents.
const INSTRUCTIONS: &[&str] = &["AGENTS.override.md", "AGENTS.md", "agents.md", ".agents.md"];
/// Most of them that are named.
const MAX_INSTRUCTIONS: usize = 20;
/// How long they are looked for.
const INSTRUCTIONS_LIMIT: Duration = Duration::from_secs(3);

/// A first look at a workspace.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(transform = super::bare)]
pub struct OpenView {
    /// Id of the workspace; stable over restarts.
    #[schemars(skip)]
    pub workspace_id: String,
    /// The name that people use.
    pub name: String,
    /// Absolute path of its top; pass it as `repo_path`.
    pub root: String,
    /// Where the checkout stands.
    #[schemars(with = "super::Open")]
    pub git: GitSummary,
    /// The first 20 AGENTS files, those nearest to the top first.
    pub agents_files: Vec<String>,
    /// Whether there may be more of them.
    pub agents_files_truncated: bool,
    /// Globs that the operator blocks.
    pub blocked_globs_count: usize,
    /// The tree, when it was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<super::Open>")]
    pub tree: Option<TreeView>,
}

impl Context {
    /// Looks at a workspace: where git stands, which files instruct agents, and the tree if asked.
    /// What git refuses stands in `git.error`.
    ///
    /// # Errors
    /// When the tree cannot be read.
    pub async fn open(
        &self,
        workspace: &Workspace,
        tree: Option<TreeQuery>,
    ) -> Result<OpenView, ContextError> {
        let tree = match tree {
            Some(query) => Some(self.tree(workspace, query).await?),
            None => None,
        };
        let walk = Walk {
            root: workspace.root.clone(),
            start: workspace.root.clone(),
            hidden: true,
            ignored: false,
            guard: self.guard.clone(),
            deadline: Deadline::after(INSTRUCTIONS_LIMIT),
        };
        let looking = super::blocking(move || Ok(instructions(&walk)));
        let (found, git) = tokio::join!(looking, summary(workspace, GIT_LIMIT));
        let (agents_files, agents_files_truncated) = found?;
        Ok(OpenView {
            workspace_id: workspace.id.clone(),
            name: workspace.name(),
            root: workspace.root.to_string_lossy().into_owned(),
            git,
            agents_files,
            agents_files_truncated,
            blocked_globs_count: self.guard.count(),
            tree,
        })
    }
}

fn instructions(walk: &Walk) -> (Vec<String>, bool) {
    let (send, receive) = mpsc::channel();
    walk.builder().build_parallel().run(|| {
        let send = send.clone();
        Box::new(move |entry| {
            if let Ok(entry) = entry
                && entry.file_name().to_str().is_some_and(|name| INSTRUCTIONS.contains(&name))
                && entry.file_type().is_some_and(|kind| kind.is_file())
            {
                // The receiver outlives the walk.
                let _ = send.send(walk.relative(entry.path()).to_path_buf());
            }
            WalkState::Continue
        })
    });
    drop(send);
    let mut found: Vec<PathBuf> = receive.into_iter().collect();
    found.sort_by_cached_key(|path| (path.components().count(), path.clone()));
    let truncated = found.len() > MAX_INSTRUCTIONS || walk.deadline.was_hit();
    let shown = found.iter().take(MAX_INSTRUCTIONS).map(|p| p.to_string_lossy().into_owned());
    (shown.collect(), truncated)
}
