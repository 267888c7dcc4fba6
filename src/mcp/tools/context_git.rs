//! `codex_git_status`, `codex_git_diff`, `codex_show_changes`.

use crate::config::ToolMode;
use crate::context::{ChangedPath, ChangesView, Context, DiffQuery, DiffView, StatusView};
use crate::mcp::{Answer, Call, Hints, ToolError, ToolSpec, tool};
use schemars::JsonSchema;
use serde::Deserialize;

/// Bytes of a patch when a call names no bound.
const DIFF_BYTES: usize = 200_000;
/// Bytes of the patch of a review when a call names no bound.
const REVIEW_BYTES: usize = 120_000;
/// Most bytes of a patch that the text for people repeats.
const MAX_TEXT: usize = 16_000;

pub(super) fn tools() -> Vec<ToolSpec> {
    vec![git_status(), git_diff(), show_changes()]
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct StatusArgs {
    /// Default: the first root.
    repo_path: Option<String>,
}

fn git_status() -> ToolSpec {
    tool::<StatusArgs, StatusView, _, _>(
        "codex_git_status",
        "Codex Git Status",
        "Show branch, commit and changed paths of the base checkout. Nothing is written.",
        ToolMode::Worker,
        Hints::READ,
        ("Reading git status", "Git status ready"),
        |call: Call, args| async move { status(&call.app.context, args).await },
    )
}

pub(super) async fn status(context: &Context, args: StatusArgs) -> Result<Answer, ToolError> {
    let workspace = context.workspace(args.repo_path.as_deref()).await?;
    let view = context.git_status(&workspace).await?;
    let mut text = view.git.line();
    text.push_str(&paths_text(&view.changes));
    if view.truncated {
        text.push_str("\n[cut: there are more changed paths]");
    }
    if view.blocked > 0 {
        text.push_str(&format!("\n[{} changed path(s) are blocked and not shown]", view.blocked));
    }
    Answer::new(&view, text)
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct DiffArgs {
    /// Default: the first root.
    repo_path: Option<String>,
    /// Only this file or directory.
    file_path: Option<String>,
    /// Exact name, base64.
    path_b64: Option<String>,
    /// true: staged. false: unstaged.
    staged: bool,
    /// Most bytes of the patch; 200,000 at most.
    #[schemars(range(min = 1), extend("default" = DIFF_BYTES))]
    max_bytes: Option<usize>,
}

fn git_diff() -> ToolSpec {
    tool::<DiffArgs, DiffView, _, _>(
        "codex_git_diff",
        "Codex Git Diff",
        "The staged or unstaged patch of the base checkout with exact counts. Untracked files are counted, not shown.",
        ToolMode::Worker,
        Hints::READ,
        ("Reading git diff", "Git diff ready"),
        |call: Call, args| async move { diff(&call.app.context, args).await },
    )
}

pub(super) async fn diff(context: &Context, args: DiffArgs) -> Result<Answer, ToolError> {
    let workspace = context.workspace(args.repo_path.as_deref()).await?;
    let query = DiffQuery {
        path: args.file_path.unwrap_or_default(),
        path_b64: args.path_b64,
        staged: args.staged,
        max_bytes: args.max_bytes.unwrap_or(DIFF_BYTES).max(1),
    };
    let view = context.git_diff(&workspace, &query).await?;
    let side = if view.staged { "staged" } else { "unstaged" };
    let mut text = match view.files_total {
        0 => format!("No {side} changes."),
        n => format!("{n} {side} file(s), +{} -{}", view.additions, view.deletions),
    };
    text.push_str(&rest_text(&view.notes, &view.diff, view.truncated));
    Answer::new(&view, text)
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct ChangesArgs {
    /// Default: the first root.
    repo_path: Option<String>,
    /// Only this file or directory.
    file_path: Option<String>,
    /// Exact name, base64.
    path_b64: Option<String>,
    /// Also show the patch.
    #[schemars(extend("default" = true))]
    include_diff: Option<bool>,
    /// true: staged. false: unstaged.
    staged: bool,
    /// Most bytes of the patch; 200,000 at most.
    #[schemars(range(min = 1), extend("default" = REVIEW_BYTES))]
    max_diff_bytes: Option<usize>,
}

fn show_changes() -> ToolSpec {
    tool::<ChangesArgs, ChangesView, _, _>(
        "codex_show_changes",
        "Codex Show Changes",
        "Uncommitted changes of the base checkout: status, counts and patch in one. For a worker's: codex_worker_inspect.",
        ToolMode::Minimal,
        Hints::READ,
        ("Reviewing changes", "Changes ready"),
        |call: Call, args| async move { changes(&call.app.context, args).await },
    )
}

pub(super) async fn changes(context: &Context, args: ChangesArgs) -> Result<Answer, ToolError> {
    let workspace = context.workspace(args.repo_path.as_deref()).await?;
    let wanted = args.max_diff_bytes.unwrap_or(REVIEW_BYTES).max(1);
    let query = DiffQuery {
        path: args.file_path.unwrap_or_default(),
        path_b64: args.path_b64,
        staged: args.staged,
        max_bytes: if args.include_diff.unwrap_or(true) { wanted } else { 0 },
    };
    let view = context.show_changes(&workspace, &query).await?;
    let mut text = view.git.line();
    text.push_str(&paths_text(&view.status));
    let side = if view.staged { "staged" } else { "unstaged" };
    text.push_str(&format!("\n{side}: +{} -{}", view.additions, view.deletions));
    text.push_str(&rest_text(&view.notes, &view.diff, view.truncated));
    Answer::new(&view, text)
}

fn paths_text(paths: &[ChangedPath]) -> String {
    paths.iter().map(|p| format!("\n{} {}", p.status, p.path.path)).collect()
}

fn rest_text(notes: &[String], diff: &str, truncated: bool) -> String {
    let mut text: String = notes.iter().map(|note| format!("\n{note}")).collect();
    let shown = &diff[..diff.floor_char_boundary(MAX_TEXT)];
    if !shown.is_empty() {
        text.push_str(&format!("\n{shown}"));
    }
    if shown.len() < diff.len() {
        text.push_str("\n[the rest of the patch is in structuredContent.diff]");
    }
    if truncated {
        text.push_str("\n[cut: raise the bound or name a file]");
    }
    text
}
