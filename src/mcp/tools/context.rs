//! `codex_open_workspace`, `codex_list_workspaces`, `codex_repo_tree`; and the list of all tools that
//! read a repository.

use super::{context_files, context_git};
use crate::config::ToolMode;
use crate::context::{Context, ListQuery, ListView, OpenView, TreeQuery, TreeView};
use crate::mcp::{Answer, Call, Hints, ToolError, ToolSpec, tool};
use schemars::JsonSchema;
use serde::Deserialize;

/// Levels of the tree that opening a workspace shows.
const OPEN_DEPTH: usize = 2;
/// Entries of the tree that opening a workspace shows.
const OPEN_ENTRIES: usize = 200;

/// All tools that read a repository.
#[must_use]
pub(super) fn tools() -> Vec<ToolSpec> {
    let mut tools = vec![open_workspace(), list_workspaces(), repo_tree()];
    tools.extend(context_files::tools());
    tools.extend(context_git::tools());
    tools
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct OpenArgs {
    /// Default: the first root.
    repo_path: Option<String>,
    /// Also draw the tree.
    include_tree: bool,
    /// Levels of the tree.
    #[schemars(range(min = 1, max = 8), extend("default" = OPEN_DEPTH))]
    max_depth: Option<usize>,
    /// Most entries of the tree.
    #[schemars(range(min = 1, max = 5000), extend("default" = OPEN_ENTRIES))]
    max_entries: Option<usize>,
    /// Draw names that begin with a dot.
    include_hidden: bool,
}

fn open_workspace() -> ToolSpec {
    tool::<OpenArgs, OpenView, _, _>(
        "codex_open_workspace",
        "Codex Open Workspace",
        "Look at a repository before briefing: branch, commit, dirty and untracked counts, AGENTS files, optionally the tree.",
        ToolMode::Minimal,
        Hints::READ,
        ("Opening workspace", "Workspace opened"),
        |call: Call, args| async move { open(&call.app.context, args).await },
    )
}

pub(super) async fn open(context: &Context, args: OpenArgs) -> Result<Answer, ToolError> {
    let workspace = context.workspace(args.repo_path.as_deref()).await?;
    let tree = args.include_tree.then(|| TreeQuery {
        max_depth: args.max_depth.unwrap_or(OPEN_DEPTH),
        max_entries: Some(args.max_entries.unwrap_or(OPEN_ENTRIES)),
        include_hidden: args.include_hidden,
        ..TreeQuery::default()
    });
    let view = context.open(&workspace, tree).await?;
    let mut text = format!("{} ({}): {}", view.name, view.root, view.git.line());
    if !view.agents_files.is_empty() {
        text.push_str(&format!("\nInstructions: {}", view.agents_files.join(", ")));
    }
    if let Some(tree) = &view.tree {
        text.push_str(&format!("\n{}", drawn(tree)));
    }
    Answer::new(&view, text)
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct ListArgs {
    /// Only those with this text in name or path.
    query: Option<String>,
    /// Also look below allowed roots.
    #[schemars(extend("default" = true))]
    discover: Option<bool>,
    /// Levels below a root that are looked at.
    #[schemars(range(min = 1, max = 5), extend("default" = 3))]
    max_depth: Option<usize>,
    /// Most workspaces in the answer.
    #[schemars(range(min = 1, max = 50), extend("default" = 50))]
    max_results: Option<usize>,
}

fn list_workspaces() -> ToolSpec {
    tool::<ListArgs, ListView, _, _>(
        "codex_list_workspaces",
        "Codex List Workspaces",
        "List the repositories that can be named as repo_path, with their git state. Call it instead \
         of guessing a path.",
        ToolMode::Worker,
        Hints::READ,
        ("Listing workspaces", "Workspaces ready"),
        |call: Call, args| async move { list(&call.app.context, args).await },
    )
}

pub(super) async fn list(context: &Context, args: ListArgs) -> Result<Answer, ToolError> {
    let usual = ListQuery::default();
    let view = context
        .list(&ListQuery {
            query: args.query,
            discover: args.discover.unwrap_or(usual.discover),
            max_depth: args.max_depth.unwrap_or(usual.max_depth),
            max_results: args.max_results.unwrap_or(usual.max_results),
        })
        .await?;
    let mut text = format!("{} workspace(s)", view.count);
    for entry in &view.workspaces {
        let state = match (&entry.git, &entry.error) {
            (_, Some(error)) => error.clone(),
            (Some(git), None) => git.line(),
            (None, None) => String::new(),
        };
        let default = if entry.default { " [default]" } else { "" };
        text.push_str(&format!("\n{}{default}: {state}", entry.root));
    }
    if view.truncated {
        text.push_str("\nThere may be more: pass `query`.");
    }
    Answer::new(&view, text)
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct TreeArgs {
    /// Default: the first root.
    repo_path: Option<String>,
    /// Directory, relative to the repository.
    #[schemars(extend("default" = "."))]
    path: Option<String>,
    /// Levels that are drawn.
    #[schemars(range(min = 1, max = 8), extend("default" = 3))]
    max_depth: Option<usize>,
    /// Most entries that are drawn; default and bound 500.
    #[schemars(range(min = 1))]
    max_entries: Option<usize>,
    /// Draw names that begin with a dot.
    include_hidden: bool,
    /// Draw what .gitignore and .ignore name.
    include_ignored: bool,
}

fn repo_tree() -> ToolSpec {
    tool::<TreeArgs, TreeView, _, _>(
        "codex_repo_tree",
        "Codex Repo Tree",
        "Draw a directory of the base checkout; `(+n)` counts what is not drawn. Ignored and hidden names only when asked for.",
        ToolMode::Worker,
        Hints::READ,
        ("Reading tree", "Tree ready"),
        |call: Call, args| async move { tree(&call.app.context, args).await },
    )
}

pub(super) async fn tree(context: &Context, args: TreeArgs) -> Result<Answer, ToolError> {
    let workspace = context.workspace(args.repo_path.as_deref()).await?;
    let usual = TreeQuery::default();
    let query = TreeQuery {
        path: args.path.filter(|path| !path.is_empty()).unwrap_or(usual.path),
        max_depth: args.max_depth.unwrap_or(usual.max_depth),
        max_entries: args.max_entries,
        include_hidden: args.include_hidden,
        include_ignored: args.include_ignored,
    };
    let view = context.tree(&workspace, query).await?;
    let text = drawn(&view);
    Answer::new(&view, text)
}

fn drawn(view: &TreeView) -> String {
    let mut text = view.text.clone();
    if view.truncated {
        let why = if view.timed_out { "the time was over" } else { "too many entries" };
        text.push_str(&format!("\n[cut: {} not drawn, {why}]", view.omitted));
    }
    if view.unreadable > 0 {
        text.push_str(&format!("\n[{} unreadable]", view.unreadable));
    }
    text
}
