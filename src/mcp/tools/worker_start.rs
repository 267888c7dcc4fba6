//! `codex_worker_start`: a new colleague.

use super::overlap_view::{overlap_view, overlap_words};
use super::worker::cleaned;
use super::worker_views::WorkerView;
use crate::config::ToolMode;
use crate::mcp::{Answer, Call, Hints, ToolError, ToolSpec, tool};
use crate::store::WorkerMode;
use crate::worker::{StartRequest, Started};
use schemars::JsonSchema;
use serde::Deserialize;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct StartArgs {
    /// Unique in the repository.
    #[schemars(length(min = 1, max = 120))]
    name: String,
    /// The goal, what matters, how success is checked. It knows nothing of this chat.
    #[schemars(length(min = 1, max = 200_000))]
    brief: String,
    /// Default: the first root.
    repo_path: Option<String>,
    /// isolated_write: own worktree from HEAD. read_only: reads the base checkout.
    #[serde(default = "isolated")]
    #[schemars(extend("default" = "isolated_write"))]
    workspace_mode: WorkerMode,
    /// Default: the operator's; see codex_worker_options.
    model: Option<String>,
    /// none, minimal, low, medium, high, xhigh, max or ultra.
    reasoning_effort: Option<String>,
    /// When the name is taken, append date and time.
    #[serde(default)]
    auto_suffix: bool,
}

fn isolated() -> WorkerMode {
    WorkerMode::IsolatedWrite
}

pub(super) fn tool_spec() -> ToolSpec {
    tool::<StartArgs, WorkerView, _, _>(
        "codex_worker_start",
        "Codex Worker Start",
        "Start a named Codex worker with a brief; returns at once, codex_worker_wait follows it. It sees HEAD, not uncommitted edits; nothing reaches the base before codex_worker_integrate.",
        ToolMode::Worker,
        Hints { read_only: false, destructive: false, open_world: true, idempotent: false },
        ("Starting worker", "Worker started"),
        |call: Call, args| async move { cleaned(&call, start(&call, args)).await },
    )
}

async fn start(call: &Call, args: StartArgs) -> Result<Answer, ToolError> {
    let app = &call.app;
    let repo = app.context.repo(args.repo_path.as_deref()).await?;
    let request = StartRequest {
        repo,
        name: args.name,
        brief: args.brief,
        mode: args.workspace_mode,
        model: args.model,
        effort: args.reasoning_effort,
        auto_suffix: args.auto_suffix,
        caller: call.caller.clone(),
    };
    let started = app.workers.start(request).await?;
    let look = app.workers.look(&started.worker).await?;
    let mut note = note_of(&started);
    let others = match args.workspace_mode {
        WorkerMode::IsolatedWrite => app.workers.touched_by_others(&started.worker).await?,
        WorkerMode::ReadOnly => Vec::new(),
    };
    if !others.is_empty() {
        let words = overlap_words(&others);
        note.push_str(&format!(" Others have changed files that are not in the base: {words}."));
    }
    let text = format!("{} is accepted ({}). {note}", started.worker.name, started.worker.id);
    let mut view = WorkerView::of(call, &look, false)
        .with("accepted", true)
        .with("turn_id", &started.turn.id)
        .with("since_revision", started.rev)
        .note(note);
    if let Some(count) = started.base_dirty {
        view = view.with("base_dirty_count", count);
    }
    if !others.is_empty() {
        view = view.with("touched_by_others", overlap_view(&others));
    }
    view.answer(text)
}

fn note_of(started: &Started) -> String {
    let mut note = "Wait with codex_worker_wait; then read codex_worker_inspect.".to_owned();
    if let Some(count) = started.base_dirty.filter(|count| *count > 0) {
        note.push_str(&format!(
            " The base has {count} uncommitted path(s): the worker starts from the last commit and \
             does not see them."
        ));
    }
    note
}
