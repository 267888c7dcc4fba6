//! `codex_worker_integrate`: a worker's accepted result into the base checkout.

use super::integrate_checks::run_checks;
use super::integrate_view::{ChangeView, listed, preview_text, preview_view, short, why};
use super::receipt_view::ReceiptView;
use super::worker::cleaned;
use crate::config::ToolMode;
use crate::git::{GitPath, Repo};
use crate::integration::{Applied, ApplyRequest, IntegrationError, Integrations, Preview, Target};
use crate::mcp::{Answer, Call, Hints, ToolError, ToolSpec, tool};
use crate::store::WorkerRow;
use crate::worker::{Delivery, MessageRequest};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

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
    /// From the preview.
    preview_token: Option<String>,
    /// Globs of uncommitted files to merge with; `*` also matches /.
    #[serde(default)]
    #[schemars(length(max = 50))]
    accepted_dirty_base: Vec<String>,
    /// Same text: applied once.
    #[schemars(length(min = 1, max = 200))]
    idempotency_key: Option<String>,
    /// checkout or branch:NAME.
    target: Option<String>,
    /// Of the commit.
    message: Option<String>,
    /// Name <email>.
    author: Option<String>,
    /// Take back the last.
    undo: Option<bool>,
    /// To the worker.
    send_conflicts: Option<bool>,
    /// Run these checks of the operator first.
    #[serde(default)]
    #[schemars(length(max = 20))]
    checks: Vec<String>,
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(transform = bare)]
pub(super) struct Integrated {
    worker_id: String,
    name: String,
    /// True but for conflicts that were sent; whatever was not applied is an error.
    applied: bool,
    #[schemars(skip)]
    #[serde(skip_serializing_if = "Option::is_none")]
    integration_id: Option<String>,
    #[schemars(skip)]
    changed_files: Vec<ChangeView>,
    #[schemars(skip)]
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
    #[schemars(skip)]
    idempotent_replay: bool,
    note: String,
    /// `checkout` or `branch:<name>`.
    #[schemars(skip)]
    target: Option<String>,
    /// Of a branch target.
    #[schemars(skip)]
    #[serde(skip_serializing_if = "Option::is_none")]
    commit: Option<String>,
    #[schemars(skip)]
    #[serde(skip_serializing_if = "Option::is_none")]
    undone: Option<bool>,
    #[schemars(skip)]
    #[serde(skip_serializing_if = "Option::is_none")]
    conflicts_sent: Option<usize>,
    /// Of checks that were run on exactly this result.
    #[schemars(skip)]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    receipts: Vec<ReceiptView>,
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
        "Merge a worker's result into the base checkout as previewed, verified, not committed or staged; or undo; or commit on a branch. Without preview_token it answers with preview and token.",
        ToolMode::Worker,
        Hints { read_only: false, destructive: true, open_world: false, idempotent: false },
        ("Integrating worker", "Worker result applied"),
        |call: Call, args| async move {
            let (repo, worker) = base_of(&call, &args).await?;
            if args.send_conflicts == Some(true) {
                return cleaned(&call, send_conflicts(&call, &repo, &worker, args)).await;
            }
            let hides = |path: &GitPath| call.app.context.hides(path.as_bytes());
            let integrations = &call.app.integrations;
            cleaned(&call, integrate(integrations, &hides, &repo, &worker, args)).await
        },
    )
}

/// The worker that is meant, and the checkout it was started for.
async fn base_of(call: &Call, args: &IntegrateArgs) -> Result<(Repo, WorkerRow), ToolError> {
    let worker = super::worker::target(call, &args.worker, args.repo_path.as_deref()).await?;
    // The base is the checkout that the worker was started for, also when its id was named.
    let root = worker.repo_root.to_string_lossy();
    Ok((call.app.context.repo(Some(&root)).await?, worker))
}

/// Which paths are not shown.
pub(super) type Hides<'a> = &'a (dyn Fn(&GitPath) -> bool + Sync);

/// Applies, or says why not with a fresh preview.
pub(super) async fn integrate(
    integrations: &Integrations,
    hides: Hides<'_>,
    repo: &Repo,
    worker: &WorkerRow,
    args: IntegrateArgs,
) -> Result<Answer, ToolError> {
    let target = target_of(&args)?;
    let undo = args.undo == Some(true);
    if !args.checks.is_empty() {
        if undo {
            return Err(ToolError::invalid("an undo is not checked"));
        }
        let (accepted, names) = (&args.accepted_dirty_base, &args.checks);
        run_checks(integrations, hides, repo, worker, &target, accepted, names).await?;
    }
    let Some(token) = args.preview_token else {
        let accepted = &args.accepted_dirty_base;
        let preview = match undo {
            true => integrations.preview_undo(repo, &worker.id).await?,
            false => integrations.preview_into(repo, &worker.id, &target, accepted).await?,
        };
        return Err(preview_required(worker, &preview, hides));
    };
    let usual = format!("Apply the work of {}", worker.name);
    let request = ApplyRequest {
        worker: worker.id.clone(),
        token,
        accepted_dirty: args.accepted_dirty_base,
        idempotency_key: args.idempotency_key,
        target,
        message: Some(args.message.filter(|text| !text.trim().is_empty()).unwrap_or(usual)),
        author: args.author,
        checks: args.checks,
        undo,
    };
    match integrations.apply(repo, request).await {
        Ok(applied) => integrated(worker, &applied, undo, args.target),
        Err(IntegrationError::PreviewStale(preview)) => Err(stale(worker, &preview, hides)),
        Err(IntegrationError::NotApplicable(preview)) => {
            Err(not_applicable(worker, &preview, hides))
        }
        Err(error @ IntegrationError::ChecksRequired { .. }) => {
            let shown = ToolError::from(&error);
            let IntegrationError::ChecksRequired { preview, missing } = error else {
                return Err(shown);
            };
            Err(with_preview(shown, worker, &preview, hides).with("missing_checks", missing))
        }
        Err(error) => Err(error.into()),
    }
}

fn target_of(args: &IntegrateArgs) -> Result<Target, ToolError> {
    let target = args.target.as_deref().map_or(Ok(Target::Checkout), Target::parse)?;
    if args.undo == Some(true) && target != Target::Checkout {
        return Err(ToolError::invalid("undo takes back what was applied to the checkout only"));
    }
    Ok(target)
}

/// Gives the worker the base's side and tells it what to do.
async fn send_conflicts(
    call: &Call,
    repo: &Repo,
    worker: &WorkerRow,
    args: IntegrateArgs,
) -> Result<Answer, ToolError> {
    let target = target_of(&args)?;
    if args.undo == Some(true) || args.preview_token.is_some() || !args.checks.is_empty() {
        return Err(ToolError::invalid(
            "send_conflicts goes with neither undo, checks nor preview_token",
        ));
    }
    let hides = |path: &GitPath| call.app.context.hides(path.as_bytes());
    let handed = match call.app.integrations.hand_conflicts(repo, &worker.id, &target).await {
        Ok(handed) => handed,
        Err(IntegrationError::NotApplicable(preview)) => {
            let hint = "There is no conflict to send; look at this preview.";
            let message = format!("{} has no conflict with the target.", worker.name);
            let error = ToolError::new("no_conflicts", message, hint);
            return Err(with_preview(error, worker, &preview, &hides));
        }
        Err(error) => return Err(error.into()),
    };
    let request = MessageRequest {
        text: handed.message,
        delivery: Some(Delivery::Queue),
        model: None,
        effort: None,
        caller: call.caller.clone(),
    };
    call.app.workers.message(worker, request).await?;
    let count = handed.conflicts.len();
    let note = "Wait with codex_worker_wait, then preview again: what the worker merged is a conflict no \
                more, what it left alone still is.";
    let view = Integrated {
        applied: false,
        note: note.to_owned(),
        target: args.target,
        conflicts_sent: Some(count),
        ..Integrated::of(worker)
    };
    Answer::new(&view, format!("{count} conflict(s) were sent to {}. {note}", worker.name))
}

impl Integrated {
    fn of(worker: &WorkerRow) -> Self {
        Self {
            worker_id: worker.id.to_string(),
            name: worker.name.clone(),
            applied: true,
            integration_id: None,
            changed_files: Vec::new(),
            change_count: 0,
            tree_before: String::new(),
            tree_after: String::new(),
            undo_ref: String::new(),
            idempotent_replay: false,
            note: String::new(),
            target: None,
            commit: None,
            undone: None,
            conflicts_sent: None,
            receipts: Vec::new(),
        }
    }
}

fn integrated(
    worker: &WorkerRow,
    applied: &Applied,
    undone: bool,
    target: Option<String>,
) -> Result<Answer, ToolError> {
    let count = applied.changes.len();
    let note = match &applied.commit {
        Some(commit) => format!("The branch is at {} now; no checkout was touched.", short(commit)),
        None if undone => "Taken back in the working tree of the base.".to_owned(),
        None => "Written to the working tree of the base; nothing was committed or staged.".into(),
    };
    let view = Integrated {
        integration_id: Some(applied.id.to_string()),
        changed_files: listed(&applied.changes),
        change_count: count,
        tree_before: applied.tree_before.clone(),
        tree_after: applied.tree_after.clone(),
        undo_ref: applied.undo_ref.clone(),
        idempotent_replay: applied.replay,
        note: note.clone(),
        target: target.or_else(|| Some("checkout".to_owned())),
        commit: applied.commit.clone(),
        undone: undone.then_some(true),
        receipts: listed(&applied.receipts),
        ..Integrated::of(worker)
    };
    let again = if applied.replay { " (by an earlier call with this key)" } else { "" };
    let did = if undone { "Took back" } else { "Applied" };
    let mut text = format!("{did} {count} file(s) of {}{again}. {note}", worker.name);
    for change in applied.changes.iter().take(20) {
        text.push_str(&format!("\n  {}", change.path.lossy()));
    }
    Answer::new(&view, text)
}

pub(super) fn preview_required(
    worker: &WorkerRow,
    preview: &Preview,
    hides: Hides<'_>,
) -> ToolError {
    if preview.token.is_none() {
        return not_applicable(worker, preview, hides);
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
        hides,
    )
}

fn stale(worker: &WorkerRow, preview: &Preview, hides: Hides<'_>) -> ToolError {
    let message = format!(
        "The base or the result of {} changed since the preview; nothing was written.",
        worker.name
    );
    let hint = "Look at this fresh preview and call again with its preview_token.";
    with_preview(ToolError::new("preview_stale", message, hint), worker, preview, hides)
}

pub(super) fn not_applicable(worker: &WorkerRow, preview: &Preview, hides: Hides<'_>) -> ToolError {
    let reason = preview.reason.unwrap_or("unknown");
    let hint = match reason {
        "turn_active" => {
            "Wait with codex_worker_wait until the worker is idle, then preview again."
        }
        "not_isolated" => {
            "Start a worker with workspace_mode isolated_write for work to be applied."
        }
        "conflict" => {
            "Call again with send_conflicts=true to give the worker the base's side and let it merge, or let \
             the user resolve the paths by hand."
        }
        "base_dirty" => {
            "Let the user commit or stash these files, or pass accepted_dirty_base when they agree to \
             merge with the edits."
        }
        "nothing_to_undo" => "Nothing that this worker brought stands in the base now.",
        _ => "Look at the worker's report and changes with codex_worker_inspect.",
    };
    let message = format!("{} cannot be applied: {}.", worker.name, why(reason));
    with_preview(ToolError::new("not_applicable", message, hint), worker, preview, hides)
}

fn with_preview(
    mut error: ToolError,
    worker: &WorkerRow,
    preview: &Preview,
    hides: Hides<'_>,
) -> ToolError {
    error.data = preview_view(preview, hides);
    error.with("worker_id", worker.id.as_str()).with("name", &worker.name).with("applied", false)
}

#[cfg(test)]
#[path = "integrate_tests.rs"]
mod tests;
