//! `codex_worker_message`: a follow-up, into the running turn or behind it.

use super::worker::{cleaned, target};
use super::worker_views::WorkerView;
use crate::config::ToolMode;
use crate::mcp::{Answer, Call, Hints, ToolError, ToolSpec, tool};
use crate::store::{Decision, WorkerRow};
use crate::worker::{Delivered, Delivery, MessageRequest};
use schemars::JsonSchema;
use serde::Deserialize;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct MessageArgs {
    /// Name or id.
    worker: String,
    /// What to say; with queue_action=edit the new words.
    #[schemars(length(max = 200_000))]
    message: Option<String>,
    /// Repository of the name.
    repo_path: Option<String>,
    /// Busy worker: into its turn (default where possible), or as the next.
    delivery: Option<Delivery>,
    /// Model from now on, or `default`.
    model: Option<String>,
    /// Effort from now on, or `default`.
    reasoning_effort: Option<String>,
    /// See view=queue.
    queued_id: Option<String>,
    /// What to do with it.
    queue_action: Option<QueueAction>,
    /// See view=approvals.
    approval_id: Option<String>,
    /// decline: it goes on without. cancel: the turn ends.
    decision: Option<Decision>,
}

#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum QueueAction {
    Edit,
    Cancel,
}

pub(super) fn tool_spec() -> ToolSpec {
    tool::<MessageArgs, WorkerView, _, _>(
        "codex_worker_message",
        "Codex Worker Message",
        "A follow-up in the same conversation and worktree: steers a busy worker, or waits; the reply says which. Also edits or cancels what waits, and answers requests for approval.",
        ToolMode::Worker,
        Hints { read_only: false, destructive: false, open_world: true, idempotent: false },
        ("Messaging worker", "Message delivered"),
        |call: Call, args| async move { cleaned(&call, message(&call, args)).await },
    )
}

async fn message(call: &Call, args: MessageArgs) -> Result<Answer, ToolError> {
    let worker = target(call, &args.worker, args.repo_path.as_deref()).await?;
    let text = args.message.unwrap_or_default();
    match (args.queued_id, args.queue_action) {
        (None, None) => {}
        (Some(id), Some(action)) => return change_queue(call, &worker, &id, action, &text).await,
        _ => return Err(ToolError::invalid("queued_id and queue_action belong together")),
    }
    match (args.approval_id, args.decision) {
        (None, None) => {}
        (Some(id), Some(decision)) => return decide(call, &worker, &id, decision).await,
        _ => return Err(ToolError::invalid("approval_id and decision belong together")),
    }
    let request = MessageRequest {
        text,
        delivery: args.delivery,
        model: args.model,
        effort: args.reasoning_effort,
        caller: call.caller.clone(),
    };
    let from = call.app.workers.revision();
    let delivered = call.app.workers.message(&worker, request).await?;
    let look = call.app.workers.look(&worker).await?;
    let view =
        WorkerView::of(call, &look, false).with("accepted", true).with("since_revision", from);
    match delivered {
        Delivered::Steered { turn } => {
            let note = "It went into the running turn; the worker takes it up at its next step.";
            let text = format!("{}: {note}", worker.name);
            view.with("delivery", "steered").with("turn_id", turn).note(note).answer(text)
        }
        Delivered::Queued { turn, why } => {
            let note = match why {
                Some(why) => format!("It waits as turn {}: {why}.", turn.position),
                None => format!("It runs as turn {} as soon as it can.", turn.position),
            };
            let text = format!("{}: {note}", worker.name);
            view.with("delivery", "queued").with("queued_id", &turn.id).note(note).answer(text)
        }
    }
}

async fn change_queue(
    call: &Call,
    worker: &WorkerRow,
    id: &str,
    action: QueueAction,
    text: &str,
) -> Result<Answer, ToolError> {
    let note = match action {
        QueueAction::Edit => {
            call.app.workers.edit_queued(worker, id, text).await?;
            "The waiting message has the new words."
        }
        QueueAction::Cancel => {
            call.app.workers.cancel_queued(worker, id).await?;
            "The waiting message is cancelled."
        }
    };
    let look = call.app.workers.look(worker).await?;
    let view = WorkerView::of(call, &look, false).with("accepted", true).with("queued_id", id);
    view.note(note).answer(format!("{}: {note}", worker.name))
}

async fn decide(
    call: &Call,
    worker: &WorkerRow,
    id: &str,
    decision: Decision,
) -> Result<Answer, ToolError> {
    let decided = call.app.workers.decide(worker, id, decision, &call.caller).await?;
    let look = call.app.workers.look(worker).await?;
    let note = match decided.delivered {
        true => "The worker has the decision.",
        false => "The decision is kept; the worker gets it as soon as codex asks again.",
    };
    WorkerView::of(call, &look, false)
        .with("accepted", true)
        .with("approval_id", id)
        .with("decision", decision)
        .with("delivered", decided.delivered)
        .note(note)
        .answer(format!("{}: {} {note}", worker.name, decision.as_str()))
}
