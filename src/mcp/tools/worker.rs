//! `codex_worker_options`, `_start`, `_message`, `_stop`.

use super::worker_args::{Delivery, MessageArgs, Mode, OptionsArgs, StartArgs, StopArgs};
use super::worker_views::{Scrub, WorkerResult, WorkerView, worker_view};
use super::{worker_inspect, worker_team};
use crate::backend::Model;
use crate::config::ToolMode;
use crate::mcp::{Answer, Call, Hints, ToolError, ToolSpec, tool};
use crate::store::{WorkerMode, WorkerRow};
use crate::worker::{self, Delivered, MessageRequest, StartRequest, StopRequest};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};

/// A call that starts or steers work: it changes nothing of the base, and codex asks a model.
const WORK: Hints =
    Hints { read_only: false, destructive: false, open_world: true, idempotent: false };

/// A call that ends work.
const END: Hints =
    Hints { read_only: false, destructive: true, open_world: false, idempotent: false };

/// The family's tools.
pub(super) fn tools() -> Vec<ToolSpec> {
    let mut all = vec![options_tool(), start_tool(), message_tool()];
    all.extend(worker_team::tools());
    all.extend([worker_inspect::tool_spec(), stop_tool()]);
    all
}

#[derive(Serialize, JsonSchema)]
struct MenuResult {
    codex_version: String,
    default_model: Option<String>,
    default_reasoning_effort: Option<String>,
    /// Each with `id`, `display_name`, `efforts`.
    models: Vec<Value>,
    model_count: usize,
    models_truncated: bool,
}

fn options_tool() -> ToolSpec {
    tool::<OptionsArgs, MenuResult, _, _>(
        "codex_worker_options",
        "Codex Worker Options",
        "The models and reasoning efforts that workers can use. Leave both out of a start unless the \
         user asks for something.",
        ToolMode::Worker,
        Hints::READ,
        ("Loading worker options", "Worker options ready"),
        |call, args| async move { options(&call, &args).await },
    )
}

async fn options(call: &Call, args: &OptionsArgs) -> Result<Answer, ToolError> {
    let menu = call.app.workers.models().await?;
    let config = &call.app.config.codex;
    let wanted = |model: &&Model| args.model.as_ref().is_none_or(|id| *id == model.id);
    let all: Vec<&Model> = menu.models.iter().filter(wanted).collect();
    if let (Some(id), true) = (&args.model, all.is_empty()) {
        return Err(ToolError::new(
            "model_unknown",
            format!("codex lists no model {id:?}"),
            "Call codex_worker_options without model for the list.",
        ));
    }
    let names: Vec<&str> = all.iter().take(args.max_models).map(|m| m.id.as_str()).collect();
    let text = format!("codex {}: {}.", menu.agent_version, names.join(", "));
    let result = MenuResult {
        codex_version: menu.agent_version.clone(),
        default_model: config.model.clone().or(menu.default_model.clone()),
        default_reasoning_effort: config.reasoning_effort.clone().or(menu.default_effort.clone()),
        models: all.iter().take(args.max_models).map(|model| json!(model)).collect(),
        model_count: all.len(),
        models_truncated: all.len() > args.max_models,
    };
    Answer::new(&result, text)
}

fn start_tool() -> ToolSpec {
    tool::<StartArgs, WorkerResult, _, _>(
        "codex_worker_start",
        "Codex Worker Start",
        "Start a named codex worker with a brief. Returns at once; codex_worker_wait waits for it. It \
         sees HEAD of the repository, not uncommitted edits, and nothing of this chat.",
        ToolMode::Worker,
        WORK,
        ("Starting worker", "Worker started"),
        |call, args| async move { start(&call, args).await },
    )
}

async fn start(call: &Call, args: StartArgs) -> Result<Answer, ToolError> {
    let request = StartRequest {
        repo: call.app.context.repo(args.repo_path.as_deref()).await?,
        name: args.name,
        brief: args.brief,
        mode: match args.workspace_mode {
            Mode::IsolatedWrite => WorkerMode::IsolatedWrite,
            Mode::ReadOnly => WorkerMode::ReadOnly,
        },
        model: args.model,
        effort: args.reasoning_effort,
        auto_suffix: args.auto_suffix,
        caller: call.caller.clone(),
    };
    let started = call.app.workers.start(request).await?;
    let dirty = started.base_dirty.unwrap_or(0);
    let note = if dirty > 0 {
        format!(
            "Accepted. It starts from HEAD and does not see {dirty} uncommitted path(s) of the base."
        )
    } else {
        "Accepted. Wait for it with codex_worker_wait.".to_owned()
    };
    let more = json!({
        "accepted": true,
        "turn_id": started.turn.id,
        "base_dirty_count": started.base_dirty,
        "note": note,
    });
    answer(&view(call, &started.worker).await?, &more)
}

fn message_tool() -> ToolSpec {
    tool::<MessageArgs, WorkerResult, _, _>(
        "codex_worker_message",
        "Codex Worker Message",
        "Say something to a worker, in the same conversation and worktree. While it works the message \
         steers it; delivery=queue makes it the next turn. The answer says which.",
        ToolMode::Worker,
        WORK,
        ("Messaging worker", "Message delivered"),
        |call, args| async move { message(&call, args).await },
    )
}

async fn message(call: &Call, args: MessageArgs) -> Result<Answer, ToolError> {
    let row = find(call, &args.worker, args.repo_path.as_deref()).await?;
    let request = MessageRequest {
        text: args.message,
        delivery: args.delivery.map(|delivery| match delivery {
            Delivery::Steer => worker::Delivery::Steer,
            Delivery::Queue => worker::Delivery::Queue,
        }),
        model: args.model,
        effort: args.reasoning_effort,
        caller: call.caller.clone(),
    };
    let more = match call.app.workers.message(&row, request).await? {
        Delivered::Steered { turn } => json!({
            "accepted": true,
            "delivery": "steered",
            "turn_id": turn,
            "note": "The message went into the running turn.",
        }),
        Delivered::Queued { turn, why } => json!({
            "accepted": true,
            "delivery": "queued",
            "turn_id": turn.id,
            "note": match why {
                Some(why) => format!("The message becomes a turn of its own: {why}."),
                None => "The message becomes a turn of its own.".to_owned(),
            },
        }),
    };
    answer(&view(call, &row).await?, &more)
}

fn stop_tool() -> ToolSpec {
    tool::<StopArgs, WorkerResult, _, _>(
        "codex_worker_stop",
        "Codex Worker Stop",
        "Stop a worker's turn and what it queued; the worker, its conversation and its files stay. With \
         cleanup_workspace its worktree goes too (a last snapshot is kept) and its name is free again.",
        ToolMode::Worker,
        END,
        ("Stopping worker", "Worker stopped"),
        |call, args| async move { stop(&call, args).await },
    )
}

async fn stop(call: &Call, args: StopArgs) -> Result<Answer, ToolError> {
    let row = find(call, &args.worker, args.repo_path.as_deref()).await?;
    let request = StopRequest {
        force: args.force,
        reason: args.reason,
        cleanup: args.cleanup_workspace,
        discard: args.discard_unintegrated_changes,
    };
    let stopped = call.app.workers.stop(&row, request).await?;
    let look = call.app.workers.look(&row).await?;
    let scrub = Scrub::new(call.app.state.root(), &look);
    let removed = stopped.removed.as_ref();
    let more = json!({
        "stopped": stopped.stopped,
        "cancelled_messages": stopped.cancelled,
        "workspace_cleaned": removed.is_some(),
        "ignored_files_dropped": removed.map(|removed| removed.dropped.ignored_count),
        "report": scrub.text(&look.report()),
    });
    answer(&worker_view(&look, &call.caller, &scrub), &more)
}

/// The worker that a call means: an id, or a name in the named repository (the default one first, then
/// all).
pub(super) async fn find(
    call: &Call,
    selector: &str,
    repo_path: Option<&str>,
) -> Result<WorkerRow, ToolError> {
    let workers = &call.app.workers;
    if let Some(path) = repo_path {
        let repo = call.app.context.repo(Some(path)).await?;
        return Ok(workers.find(selector, Some(&repo.key)).await?);
    }
    if let Ok(repo) = call.app.context.repo(None).await
        && let Ok(row) = workers.find(selector, Some(&repo.key)).await
    {
        return Ok(row);
    }
    Ok(workers.find(selector, None).await?)
}

async fn view(call: &Call, row: &WorkerRow) -> Result<WorkerView, ToolError> {
    let look = call.app.workers.look(row).await?;
    Ok(worker_view(&look, &call.caller, &Scrub::new(call.app.state.root(), &look)))
}

/// A view and further members as one answer; the text is the status line and the note.
pub(super) fn answer(view: &WorkerView, more: &Value) -> Result<Answer, ToolError> {
    let mut text = view.shown.status_line.clone();
    if let Some(note) = more["note"].as_str() {
        text.push('\n');
        text.push_str(note);
    }
    let mut whole = serde_json::to_value(view).map_err(ToolError::internal)?;
    if let (Value::Object(whole), Value::Object(more)) = (&mut whole, more) {
        whole.extend(more.clone());
    }
    Answer::new(&whole, text)
}
