//! `codex_worker_inspect`: one worker, by view.

use super::integrate_view::{preview_text, preview_view};
use super::worker::{answer, find};
use super::worker_args::{InspectArgs, View};
use super::worker_files::{changes_view, diff_view, file_view};
use super::worker_views::{REPORT_MAX, Scrub, cut, turn_view, worker_view};
use crate::config::ToolMode;
use crate::mcp::{Answer, Call, Hints, ToolError, ToolSpec, tool};
use crate::store::{EventRow, WorkerRow, WorkerState};
use crate::worker::Look;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value, json};

/// Events in one page of the log.
const LOG_PAGE: usize = 100;

/// Most characters of one text in a log event.
const EVENT_MAX: usize = 2_000;

/// The members that hosts rely on; which are there depends on the view.
#[derive(Serialize, JsonSchema)]
struct Inspected {
    worker_id: String,
    name: String,
    state: WorkerState,
    view: String,
    report: Option<String>,
    changed_files: Option<Vec<Map<String, Value>>>,
    diff: Option<String>,
    text: Option<String>,
    events: Option<Vec<Value>>,
    can_apply: Option<bool>,
    preview_token: Option<String>,
    truncated: Option<bool>,
}

/// The tool.
pub(super) fn tool_spec() -> ToolSpec {
    tool::<InspectArgs, Inspected, _, _>(
        "codex_worker_inspect",
        "Codex Worker Inspect",
        "Look at a worker: report, status, changed files, a diff, a file as it left it, its log, waiting \
         messages, or what an integration would do (with the token that codex_worker_integrate needs).",
        ToolMode::Worker,
        Hints::READ,
        ("Checking worker", "Worker report ready"),
        |call, args| async move { inspect(&call, &args).await },
    )
}

async fn inspect(call: &Call, args: &InspectArgs) -> Result<Answer, ToolError> {
    let row = find(call, &args.worker, args.repo_path.as_deref()).await?;
    let look = call.app.workers.look(&row).await?;
    let scrub = Scrub::new(call.app.state.root(), &look);
    let mut more = match args.view {
        View::Report => report(&look, &scrub),
        View::Status => {
            json!({"busy_with": look.busy_with.as_deref().map(|text| scrub.text(text))})
        }
        View::Changes => changes_view(call, &row).await?,
        View::Diff => diff_view(call, &row, args).await?,
        View::File => file_view(call, &row, args).await?,
        View::Log => log(call, &row, args.after.unwrap_or(0), &scrub).await?,
        View::Queue => queue(call, &row, &scrub).await?,
        View::IntegrationPreview => preview(call, &row, &args.accepted_dirty_base).await?,
    };
    more["view"] = json!(view_name(args.view));
    answer(&worker_view(&look, &call.caller, &scrub), &more)
}

fn view_name(view: View) -> &'static str {
    match view {
        View::Report => "report",
        View::Status => "status",
        View::Changes => "changes",
        View::Diff => "diff",
        View::File => "file",
        View::Log => "log",
        View::Queue => "queue",
        View::IntegrationPreview => "integration_preview",
    }
}

/// The worker's words; what the server saw stands beside them.
fn report(look: &Look, scrub: &Scrub) -> Value {
    let words = scrub.text(&look.report());
    let shown = cut(&words, REPORT_MAX);
    json!({"note": shown, "truncated": shown.len() != words.len(), "report": shown})
}

async fn log(call: &Call, row: &WorkerRow, after: i64, scrub: &Scrub) -> Result<Value, ToolError> {
    let limit = u32::try_from(LOG_PAGE + 1).unwrap_or(u32::MAX);
    let page = call.app.workers.log(row, after, limit).await?;
    let shown = &page[..page.len().min(LOG_PAGE)];
    let events: Vec<Value> = shown.iter().map(|event| event_view(event, scrub)).collect();
    Ok(json!({
        "events": events,
        "next_after": shown.last().map_or(after, |event| event.seq),
        "truncated": page.len() > LOG_PAGE,
    }))
}

fn event_view(event: &EventRow, scrub: &Scrub) -> Value {
    let mut payload = brief(serde_json::from_str(&event.payload).unwrap_or(Value::Null));
    scrub.value(&mut payload);
    json!({
        "seq": event.seq,
        "turn": event.turn_id,
        "item": event.item_id,
        "phase": event.phase,
        "kind": event.kind,
        "at": event.at,
        "payload": payload,
    })
}

/// A payload with its long texts cut.
fn brief(value: Value) -> Value {
    match value {
        Value::String(text) => Value::String(cut(&text, EVENT_MAX)),
        Value::Array(items) => items.into_iter().map(brief).collect(),
        Value::Object(members) => members.into_iter().map(|(k, v)| (k, brief(v))).collect(),
        other => other,
    }
}

async fn queue(call: &Call, row: &WorkerRow, scrub: &Scrub) -> Result<Value, ToolError> {
    let waiting = call.app.workers.queue(row).await?;
    let shown: Vec<Value> = waiting
        .iter()
        .map(|turn| json!({"turn": turn_view(turn, scrub), "message": cut(&turn.brief, 2_000)}))
        .collect();
    Ok(json!({"queue": shown}))
}

async fn preview(call: &Call, row: &WorkerRow, accepted: &[String]) -> Result<Value, ToolError> {
    let repo = call.app.workers.repo_of(row).await?;
    let preview = call.app.integrations.preview(&repo, &row.id, accepted).await?;
    let mut view = preview_view(&preview);
    view.insert("note".to_owned(), json!(preview_text(&row.name, &preview)));
    Ok(Value::Object(view))
}
