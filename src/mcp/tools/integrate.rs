//! `codex_worker_integrate`: a worker's accepted result into the base checkout.

use super::integrate_view::{ChangeView, listed, preview_text, preview_view, why};
use crate::config::ToolMode;
use crate::git::Repo;
use crate::integration::{Applied, ApplyRequest, IntegrationError, Integrations, Preview};
use crate::mcp::{Answer, Call, Hints, ToolError, ToolSpec, tool};
use crate::store::WorkerRow;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The family's tools.
#[must_use]
pub(super) fn tools() -> Vec<ToolSpec> {
    vec![integrate_tool()]
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct IntegrateArgs {
    /// Name or id.
    worker: String,
    /// Repository of the name.
    repo_path: Option<String>,
    /// From view integration_preview, or from the answer of a call without it.
    preview_token: Option<String>,
    /// Globs (`*` also matches /) of files with uncommitted edits that may be merged with.
    #[serde(default)]
    #[schemars(length(max = 50))]
    accepted_dirty_base: Vec<String>,
    /// Any text; a repeated call with the same text applies once.
    #[schemars(length(min = 1, max = 200))]
    idempotency_key: Option<String>,
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(transform = bare)]
pub(super) struct Integrated {
    worker_id: String,
    name: String,
    /// Always true: whatever was not applied is an error.
    applied: bool,
    integration_id: String,
    #[schemars(with = "Vec<Map<String, Value>>")]
    changed_files: Vec<ChangeView>,
    change_count: usize,
    /// The base's working tree before, as a git tree.
    #[schemars(skip)]
    tree_before: String,
    /// And after, verified byte for byte.
    #[schemars(skip)]
    tree_after: String,
    /// A ref of the base that keeps what was there before.
    #[schemars(skip)]
    undo_ref: String,
    idempotent_replay: bool,
    note: String,
}

/// Words stand at the members of the type; hosts need the top level only.
fn bare(schema: &mut schemars::Schema) {
    if let Some(Value::Object(members)) = schema.get_mut("properties") {
        for member in members.values_mut().filter_map(Value::as_object_mut) {
            member.remove("description");
        }
    }
}

fn integrate_tool() -> ToolSpec {
    tool::<IntegrateArgs, Integrated, _, _>(
        "codex_worker_integrate",
        "Codex Worker Integrate",
        "Apply a worker's result to the base checkout: a three-way merge, exactly as previewed, verified, never committed or staged. Without preview_token it answers with preview and token; call again with it when the user agrees.",
        ToolMode::Worker,
        Hints { read_only: false, destructive: true, open_world: false, idempotent: false },
        ("Integrating worker", "Worker result applied"),
        |call: Call, args| async move {
            let (repo, worker) = target(&call, &args).await?;
            integrate(&call.app.integrations, &repo, &worker, args).await
        },
    )
}

/// The worker that is meant, and the checkout it was started for.
async fn target(call: &Call, args: &IntegrateArgs) -> Result<(Repo, WorkerRow), ToolError> {
    let worker = super::worker::target(call, &args.worker, args.repo_path.as_deref()).await?;
    // The base is the checkout that the worker was started for, also when its id was named.
    let root = worker.repo_root.to_string_lossy();
    Ok((call.app.context.repo(Some(&root)).await?, worker))
}

/// Applies, or says why not with a fresh preview.
pub(super) async fn integrate(
    integrations: &Integrations,
    repo: &Repo,
    worker: &WorkerRow,
    args: IntegrateArgs,
) -> Result<Answer, ToolError> {
    let Some(token) = args.preview_token else {
        let preview = integrations.preview(repo, &worker.id, &args.accepted_dirty_base).await?;
        return Err(preview_required(worker, &preview));
    };
    let request = ApplyRequest {
        worker: worker.id.clone(),
        token,
        accepted_dirty: args.accepted_dirty_base,
        idempotency_key: args.idempotency_key,
    };
    match integrations.apply(repo, request).await {
        Ok(applied) => integrated(worker, &applied),
        Err(IntegrationError::PreviewStale(preview)) => Err(stale(worker, &preview)),
        Err(IntegrationError::NotApplicable(preview)) => Err(not_applicable(worker, &preview)),
        Err(error) => Err(error.into()),
    }
}

fn integrated(worker: &WorkerRow, applied: &Applied) -> Result<Answer, ToolError> {
    let count = applied.changes.len();
    let note = "Written to the working tree of the base; nothing was committed or staged.";
    let view = Integrated {
        worker_id: worker.id.to_string(),
        name: worker.name.clone(),
        applied: true,
        integration_id: applied.id.to_string(),
        changed_files: listed(&applied.changes),
        change_count: count,
        tree_before: applied.tree_before.clone(),
        tree_after: applied.tree_after.clone(),
        undo_ref: applied.undo_ref.clone(),
        idempotent_replay: applied.replay,
        note: note.to_owned(),
    };
    let again = if applied.replay { " (by an earlier call with this key)" } else { "" };
    let mut text = format!("Applied {count} file(s) of {}{again}. {note}", worker.name);
    for change in applied.changes.iter().take(20) {
        text.push_str(&format!("\n  {}", change.path.lossy()));
    }
    Answer::new(&view, text)
}

fn preview_required(worker: &WorkerRow, preview: &Preview) -> ToolError {
    if preview.token.is_none() {
        return not_applicable(worker, preview);
    }
    let hint = if preview.can_apply {
        "Show the user these changes; when they agree, call again with preview_token."
    } else {
        "Show the user these changes and the files with uncommitted edits; when they agree, call again \
         with preview_token and with accepted_dirty_base naming those files."
    };
    with_preview(
        ToolError::new("preview_required", preview_text(&worker.name, preview), hint),
        worker,
        preview,
    )
}

fn stale(worker: &WorkerRow, preview: &Preview) -> ToolError {
    let message = format!(
        "The base or the result of {} changed since the preview; nothing was written.",
        worker.name
    );
    let hint = "Look at this fresh preview and call again with its preview_token.";
    with_preview(ToolError::new("preview_stale", message, hint), worker, preview)
}

fn not_applicable(worker: &WorkerRow, preview: &Preview) -> ToolError {
    let reason = preview.reason.unwrap_or("unknown");
    let hint = match reason {
        "turn_active" => {
            "Wait with codex_worker_wait until the worker is idle, then preview again."
        }
        "not_isolated" => {
            "Start a worker with workspace_mode isolated_write for work to be applied."
        }
        "conflict" => {
            "Tell the worker what changed in the base and let it adapt its result, or let the user resolve \
             the paths by hand."
        }
        "base_dirty" => {
            "Let the user commit or stash these files, or pass accepted_dirty_base when they agree to \
             merge with the edits."
        }
        _ => "Look at the worker's report and changes with codex_worker_inspect.",
    };
    let message = format!("{} cannot be applied: {}.", worker.name, why(reason));
    with_preview(ToolError::new("not_applicable", message, hint), worker, preview)
}

fn with_preview(mut error: ToolError, worker: &WorkerRow, preview: &Preview) -> ToolError {
    error.data = preview_view(preview);
    error.with("worker_id", worker.id.as_str()).with("name", &worker.name).with("applied", false)
}

#[cfg(test)]
#[path = "integrate_tests.rs"]
mod tests;
