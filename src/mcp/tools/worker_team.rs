//! `codex_worker_list`, `codex_worker_status`, `codex_worker_wait`: several workers at once.

use super::worker::find;
use super::worker_args::{Scope, TeamArgs, Until, WaitArgs};
use super::worker_views::{Scrub, cut, worker_view};
use crate::config::ToolMode;
use crate::mcp::{Answer, Call, Hints, ToolError, ToolSpec, tool};
use crate::store::{self, WorkerFilter};
use crate::worker::{self, Look, WaitQuery};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};
use std::time::Duration;

/// Most workers in one answer.
const TEAM_MAX: u32 = 50;

/// Most characters of a report in a list.
const REPORT_HEAD: usize = 220;

const HOUR_MS: i64 = 3_600_000;

/// The members that hosts rely on.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct TeamResult {
    summary: String,
    /// One line a worker.
    worker_lines: Vec<String>,
    /// Each with `worker_id`, `name`, `state`, `status_line`.
    workers: Vec<Value>,
    count: usize,
    /// Workers with a turn that runs or waits.
    active: usize,
    /// Workers that the scope does not show.
    hidden: i64,
    /// `wait`, `inspect` or `start_workers`.
    suggested_action: &'static str,
    /// Pass it as `since` to codex_worker_wait.
    cursor: i64,
}

/// The family's tools.
pub(super) fn tools() -> Vec<ToolSpec> {
    vec![list_tool(), status_tool(), wait_tool()]
}

fn list_tool() -> ToolSpec {
    tool::<TeamArgs, TeamResult, _, _>(
        "codex_worker_list",
        "Codex Worker List",
        "Workers with state, integration and the beginning of their reports. Says what the scope hides.",
        ToolMode::Worker,
        Hints::READ,
        ("Listing workers", "Workers ready"),
        |call, args| async move { team(&call, &args, true, Value::Null).await },
    )
}

fn status_tool() -> ToolSpec {
    tool::<TeamArgs, TeamResult, _, _>(
        "codex_worker_status",
        "Codex Worker Status",
        "One line a worker: who works, who is done, who needs something.",
        ToolMode::Worker,
        Hints::READ,
        ("Checking worker status", "Worker status ready"),
        |call, args| async move { team(&call, &args, false, Value::Null).await },
    )
}

fn wait_tool() -> ToolSpec {
    tool::<WaitArgs, TeamResult, _, _>(
        "codex_worker_wait",
        "Codex Worker Wait",
        "Wait until something changes (or until=idle: until all work is done), then return the status. \
         Call it again while workers are active.",
        ToolMode::Worker,
        Hints::READ,
        ("Waiting on workers", "Worker status ready"),
        |call, args| async move { wait(&call, &args).await },
    )
}

async fn wait(call: &Call, args: &WaitArgs) -> Result<Answer, ToolError> {
    let worker = match &args.worker {
        Some(worker) => Some(find(call, worker, args.repo_path.as_deref()).await?.id),
        None => None,
    };
    let query = WaitQuery {
        repo_key: repo_key(call, args.repo_path.as_deref()).await?,
        worker,
        since: args.since,
        until: match args.until {
            Until::Change => worker::Until::Change,
            Until::Idle => worker::Until::Idle,
        },
    };
    let waited = call.app.workers.wait(&query, Duration::from_secs(args.wait_seconds)).await?;
    let said = json!({
        "happened": waited.happened,
        "waited_seconds": waited.took.as_secs_f64(),
        "wait_cap_seconds": 45,
    });
    let args = TeamArgs {
        repo_path: args.repo_path.clone(),
        scope: args.scope,
        active_only: false,
        owned_only: false,
    };
    team(call, &args, false, said).await
}

async fn repo_key(call: &Call, repo_path: Option<&str>) -> Result<Option<String>, ToolError> {
    match repo_path {
        Some(path) => Ok(Some(call.app.context.repo(Some(path)).await?.key.as_str().to_owned())),
        None => Ok(None),
    }
}

/// The workers that are meant. With `reports` each carries the head of its report.
async fn team(
    call: &Call,
    args: &TeamArgs,
    reports: bool,
    more: Value,
) -> Result<Answer, ToolError> {
    let cursor = call.app.workers.revision();
    let now = call.app.clock.now_ms();
    let changed = |hours: i64| {
        Some(store::Scope { owner_ref: None, changed_since: Some(now - hours * HOUR_MS) })
    };
    let all = WorkerFilter {
        repo_key: repo_key(call, args.repo_path.as_deref()).await?,
        owner_ref: args.owned_only.then(|| call.caller.owner_ref.clone()),
        active_only: args.active_only,
        ..WorkerFilter::default()
    };
    let scope = match args.scope {
        Scope::Current => changed(24),
        Scope::Recent => changed(4),
        Scope::All => None,
    };
    let looks = call.app.workers.list(&WorkerFilter { scope, ..all.clone() }, TEAM_MAX).await?;
    let counts = call.app.workers.count(&all).await?;
    let total: i64 = counts.iter().map(|count| count.count).sum();
    let hidden = (total - i64::try_from(looks.len()).unwrap_or(0)).max(0);
    let active = looks.iter().filter(|look| look.worker().state.is_active()).count();
    let (workers, worker_lines) = members(call, &looks, reports)?;
    let result = TeamResult {
        summary: summary(looks.len(), active, hidden),
        worker_lines,
        count: workers.len(),
        workers,
        active,
        hidden,
        suggested_action: suggestion(&looks, active),
        cursor,
    };
    let text = std::iter::once(&result.summary).chain(&result.worker_lines);
    let text = text.map(String::as_str).collect::<Vec<_>>().join("\n");
    let mut whole = serde_json::to_value(&result).map_err(ToolError::internal)?;
    if let (Value::Object(whole), Value::Object(more)) = (&mut whole, more) {
        whole.extend(more);
    }
    Answer::new(&whole, text)
}

fn members(
    call: &Call,
    looks: &[Look],
    reports: bool,
) -> Result<(Vec<Value>, Vec<String>), ToolError> {
    let (mut values, mut lines) = (Vec::new(), Vec::new());
    for look in looks {
        let scrub = Scrub::new(call.app.state.root(), look);
        let view = worker_view(look, &call.caller, &scrub);
        lines.push(view.shown.status_line.clone());
        if reports {
            let mut value = serde_json::to_value(&view).map_err(ToolError::internal)?;
            value["report"] = json!(cut(&scrub.text(&look.report()), REPORT_HEAD));
            values.push(value);
        } else {
            values.push(json!({
                "worker_id": view.shown.worker_id,
                "name": view.shown.name,
                "state": view.shown.state,
                "status_line": view.shown.status_line,
                "has_changes": view.shown.has_changes,
                "integration_state": view.shown.integration_state,
                "queued_messages": view.shown.queued_messages,
                "error": view.latest_turn.and_then(|turn| turn.error),
            }));
        }
    }
    Ok((values, lines))
}

fn summary(count: usize, active: usize, hidden: i64) -> String {
    let more = if hidden > 0 { format!("; {hidden} more with scope=all") } else { String::new() };
    format!("{count} workers, {active} active{more}.")
}

fn suggestion(looks: &[Look], active: usize) -> &'static str {
    match (looks.is_empty(), active) {
        (true, _) => "start_workers",
        (false, 0) => "inspect",
        (false, _) => "wait",
    }
}
