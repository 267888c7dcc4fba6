//! `codex_worker_stop`: the end of a turn, and of a workspace.

use super::worker::{cleaned, target};
use super::worker_views::WorkerView;
use crate::config::ToolMode;
use crate::mcp::{Answer, Call, Hints, ToolError, ToolSpec, tool};
use crate::worker::{StopRequest, Stopped};
use schemars::JsonSchema;
use serde::Deserialize;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct StopArgs {
    /// Name or id.
    worker: String,
    /// Repository of the name.
    repo_path: Option<String>,
    /// Also stop a turn that looks healthy.
    #[serde(default)]
    force: bool,
    /// Kept with the turn.
    #[schemars(length(max = 500))]
    reason: Option<String>,
    /// Also remove the worktree; the name becomes free.
    #[serde(default)]
    cleanup_workspace: bool,
    /// Changes that are not integrated may go (the last snapshot is kept).
    #[serde(default)]
    discard_unintegrated_changes: bool,
}

pub(super) fn tool_spec() -> ToolSpec {
    tool::<StopArgs, WorkerView, _, _>(
        "codex_worker_stop",
        "Codex Worker Stop",
        "Stop a worker's turn and cancel what waits; conversation and files stay. The reply holds the partial report.",
        ToolMode::Worker,
        Hints { read_only: false, destructive: true, open_world: false, idempotent: true },
        ("Stopping worker", "Worker stopped"),
        |call: Call, args| async move { cleaned(&call, stop(&call, args)).await },
    )
}

async fn stop(call: &Call, args: StopArgs) -> Result<Answer, ToolError> {
    let worker = target(call, &args.worker, args.repo_path.as_deref()).await?;
    let request = StopRequest {
        force: args.force,
        reason: args.reason,
        cleanup: args.cleanup_workspace,
        discard: args.discard_unintegrated_changes,
    };
    let stopped = call.app.workers.stop(&worker, request).await?;
    let look = call.app.workers.look(&worker).await?;
    let note = note_of(&stopped);
    let view = WorkerView::of(call, &look, true)
        .with("stopped", stopped.stopped)
        .with("stopped_command", &stopped.command)
        .with("cancelled_messages", stopped.cancelled)
        .with("workspace_cleaned", stopped.removed.is_some());
    let text = format!("{}: {note}\n\n{}", worker.name, look.report());
    view.note(note).answer(text)
}

fn note_of(stopped: &Stopped) -> String {
    let mut note = match stopped.stopped {
        true => "The turn is stopped.".to_owned(),
        false => "No turn was running.".to_owned(),
    };
    if let Some(command) = &stopped.command {
        note.push_str(&format!(" It was running `{command}`."));
    }
    if stopped.cancelled > 0 {
        note.push_str(&format!(" {} waiting message(s) cancelled.", stopped.cancelled));
    }
    let Some(removed) = &stopped.removed else { return note };
    note.push_str(" The workspace is removed and the name is free.");
    if removed.snapshot.is_some() {
        note.push_str(" The last snapshot is kept in the repository.");
    }
    if removed.dropped.ignored_count > 0 {
        let count = removed.dropped.ignored_count;
        note.push_str(&format!(" {count} ignored path(s) were in no snapshot and are gone."));
    }
    note
}
