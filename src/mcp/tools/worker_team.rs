//! `codex_worker_list`, `codex_worker_status`, `codex_worker_wait`: the team at a glance.

use super::overlap_view::{overlap_view, overlap_words};
use super::worker::{cleaned, target};
use super::worker_views::{bare, brief_view, status_line};
use crate::config::ToolMode;
use crate::ids::WorkerId;
use crate::mcp::{Answer, Call, Hints, ToolError, ToolSpec, tool};
use crate::store::{Scope, StateCount, WorkerFilter, WorkerRow};
use crate::worker::{Look, Overlap, Until, WaitQuery, Waited};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::collections::HashMap;
use std::time::Duration;

/// Workers that changed this recently are in scope `current`, in milliseconds.
const RECENT: i64 = 4 * 60 * 60 * 1000;
/// Workers of a page whose call says nothing.
const PAGE: u32 = 50;
/// Wait of a call that says nothing, in seconds.
const USUAL: u64 = 30;

/// Which workers a scope shows beside those at work and those that failed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum ScopeName {
    /// This chat's, and those that changed within 4 hours.
    #[default]
    Current,
    /// This chat's.
    Conversation,
    /// Those that changed within 4 hours.
    Recent,
    /// Every one.
    History,
    /// Every one.
    All,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct TeamArgs {
    /// Default: all repositories.
    repo_path: Option<String>,
    /// Beside those at work or failed: this chat's (conversation), of the last 4 hours (recent), both
    /// (current), every one (all).
    scope: ScopeName,
    /// Only those at work.
    active_only: bool,
    /// Archived ones too.
    include_stopped: bool,
    /// Only this chat's.
    owned_only: bool,
    /// Unix time in seconds.
    created_after: Option<f64>,
    /// Most in a page.
    #[schemars(range(min = 1, max = 200), extend("default" = PAGE))]
    limit: Option<u32>,
    /// next_cursor of the page before.
    cursor: Option<String>,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct StatusArgs {
    /// Default: all repositories.
    repo_path: Option<String>,
    /// As in codex_worker_list.
    scope: ScopeName,
    /// Only those at work.
    active_only: bool,
    /// Archived ones too.
    include_stopped: bool,
    /// Only this chat's.
    owned_only: bool,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct WaitArgs {
    /// Default: all repositories.
    repo_path: Option<String>,
    /// Only this one, by name or id.
    worker: Option<String>,
    /// At most 45.
    #[schemars(extend("default" = USUAL, "minimum" = 0))]
    wait_seconds: Option<u64>,
    /// `revision` of an earlier result: what changed since then counts.
    since_revision: Option<i64>,
    /// change: a state, message, error or result; idle: nobody works any more.
    #[schemars(extend("default" = "change"))]
    until: Until,
    /// Whom the result shows.
    scope: ScopeName,
}

#[derive(Serialize, JsonSchema)]
#[schemars(transform = bare)]
struct Team {
    #[schemars(with = "Vec<Map<String, Value>>")]
    workers: Vec<Value>,
    count: usize,
    active: i64,
    summary: String,
    suggested_action: &'static str,
    revision: i64,
    note: Option<String>,
    #[schemars(skip)]
    counts: Value,
    #[schemars(skip)]
    hidden_workers: Value,
    #[schemars(skip)]
    next_cursor: Option<String>,
    /// Of codex_worker_wait.
    #[schemars(skip)]
    waited_seconds: Option<f64>,
    #[schemars(skip)]
    changed: Option<bool>,
}

pub(super) fn tools() -> Vec<ToolSpec> {
    vec![list_tool(), status_tool(), wait_tool()]
}

fn list_tool() -> ToolSpec {
    tool::<TeamArgs, Team, _, _>(
        "codex_worker_list",
        "Codex Worker List",
        "List workers with state, the beginning of the report and whether they have changes; paged.",
        ToolMode::Worker,
        Hints::READ,
        ("Listing workers", "Workers ready"),
        |call: Call, args| async move { cleaned(&call, list(&call, args, true)).await },
    )
}

fn status_tool() -> ToolSpec {
    tool::<StatusArgs, Team, _, _>(
        "codex_worker_status",
        "Codex Worker Status",
        "The team in short: counts, one line a worker, what to do next.",
        ToolMode::Worker,
        Hints::READ,
        ("Checking worker status", "Worker status ready"),
        |call: Call, args| async move { cleaned(&call, status(&call, args)).await },
    )
}

fn wait_tool() -> ToolSpec {
    tool::<WaitArgs, Team, _, _>(
        "codex_worker_wait",
        "Codex Worker Wait",
        "Wait until a worker changes state or says something (or all are idle), then return the status.",
        ToolMode::Worker,
        Hints::READ,
        ("Waiting on workers", "Worker status ready"),
        |call: Call, args| async move { cleaned(&call, wait(&call, args)).await },
    )
}

async fn list(call: &Call, args: TeamArgs, previews: bool) -> Result<Answer, ToolError> {
    let filter = filter_of(call, &args).await?;
    let limit = args.limit.unwrap_or(PAGE).clamp(1, 200);
    let tell = if previews { Tell::Everything } else { Tell::Status };
    let (team, text) = team(call, &filter, limit, tell).await?;
    Answer::new(&team, text)
}

async fn status(call: &Call, args: StatusArgs) -> Result<Answer, ToolError> {
    let StatusArgs { repo_path, scope, active_only, include_stopped, owned_only } = args;
    let args = TeamArgs {
        repo_path,
        scope,
        active_only,
        include_stopped,
        owned_only,
        ..TeamArgs::default()
    };
    list(call, args, false).await
}

async fn wait(call: &Call, args: WaitArgs) -> Result<Answer, ToolError> {
    let workers = &call.app.workers;
    let asked = args.wait_seconds.unwrap_or(USUAL);
    let mut query =
        WaitQuery { since: args.since_revision, until: args.until, ..WaitQuery::default() };
    if let Some(name) = args.worker.as_deref().filter(|name| !name.trim().is_empty()) {
        query.worker = Some(target(call, name, args.repo_path.as_deref()).await?.id);
    }
    let shown = TeamArgs { repo_path: args.repo_path, scope: args.scope, ..TeamArgs::default() };
    let filter = filter_of(call, &shown).await?;
    query.repo_key.clone_from(&filter.repo_key);
    let waited = workers.wait(&query, Duration::from_secs(asked)).await?;
    let (mut team, mut text) = team(call, &filter, PAGE, Tell::Changes).await?;
    team.waited_seconds = Some((waited.took.as_secs_f64() * 1000.0).round() / 1000.0);
    team.changed = Some(waited.happened);
    team.note = wait_note(asked, workers.longest_wait().as_secs(), &waited);
    if let Some(note) = &team.note {
        text = format!("{note}\n{text}");
    }
    Answer::new(&team, text)
}

fn wait_note(asked: u64, longest: u64, waited: &Waited) -> Option<String> {
    let mut notes = Vec::new();
    if asked > longest {
        notes.push(format!("wait_seconds was {asked}; a call waits {longest} seconds at most."));
    }
    let happened = waited.happened;
    if !happened && waited.active == 0 {
        notes.push("Nobody works and nothing waits, so there was nothing to wait for.".to_owned());
    } else if !happened {
        notes.push("Nothing changed; the work goes on. Wait again with this revision.".to_owned());
    }
    (!notes.is_empty()).then(|| notes.join(" "))
}

async fn filter_of(call: &Call, args: &TeamArgs) -> Result<WorkerFilter, ToolError> {
    let repo_key = match args.repo_path.as_deref().filter(|path| !path.trim().is_empty()) {
        Some(path) => Some(call.app.context.repo(Some(path)).await?.key.as_str().to_owned()),
        None => None,
    };
    let owner = || Some(call.caller.owner_ref.clone());
    let since = call.app.clock.now_ms() - RECENT;
    let scope = match args.scope {
        ScopeName::Current => Some(Scope { owner_ref: owner(), changed_since: Some(since) }),
        ScopeName::Conversation => Some(Scope { owner_ref: owner(), changed_since: None }),
        ScopeName::Recent => Some(Scope { owner_ref: None, changed_since: Some(since) }),
        ScopeName::History | ScopeName::All => None,
    };
    Ok(WorkerFilter {
        repo_key,
        owner_ref: owner().filter(|_| args.owned_only),
        active_only: args.active_only,
        archived: args.include_stopped,
        created_after: args.created_after.map(|seconds| (seconds * 1000.0) as i64),
        scope,
        after: args.cursor.as_deref().map(cursor_of).transpose()?,
    })
}

/// A place in the list: time of the last change, and id.
fn cursor_of(text: &str) -> Result<(i64, String), ToolError> {
    let parts = text.split_once('.').and_then(|(at, id)| Some((at.parse().ok()?, id.to_owned())));
    parts.ok_or_else(|| ToolError::invalid("cursor is not a next_cursor of this tool"))
}

/// How much is told of each worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tell {
    /// The report too, and who touches the same files.
    Everything,
    /// Who touches the same files.
    Status,
    /// What the rows say: a wait looks at no worktree.
    Changes,
}

async fn team(
    call: &Call,
    filter: &WorkerFilter,
    limit: u32,
    tell: Tell,
) -> Result<(Team, String), ToolError> {
    let workers = &call.app.workers;
    let revision = workers.revision();
    let everyone = WorkerFilter { scope: None, ..filter.clone() };
    // Each of them looks at every live worker, perhaps thousands, on a connection of its own.
    let (mut looks, counts, all) = tokio::try_join!(
        workers.list(filter, limit + 1),
        workers.count(filter),
        workers.count(&everyone)
    )?;
    let more = looks.len() > limit as usize;
    looks.truncate(limit as usize);
    let last = looks.last().filter(|_| more).map(Look::worker);
    let next_cursor = last.map(|w| format!("{}.{}", w.updated_at, w.id));
    // A worker may have been accepted between the counts.
    let hidden = (total(&all) - total(&counts)).max(0);
    // Those at work first; within that, the last changed first.
    looks.sort_by_key(|look| !look.worker().state.is_active());
    let summary = summary(&counts);
    let rows: Vec<&WorkerRow> = looks.iter().map(Look::worker).collect();
    let overlaps = match tell {
        Tell::Changes => HashMap::new(),
        Tell::Everything | Tell::Status => workers.overlaps(&rows).await?,
    };
    let text = team_text(&summary, &looks, &overlaps, hidden);
    let team = Team {
        workers: looks.iter().map(|look| shown(call, look, tell, &overlaps)).collect(),
        count: looks.len(),
        active: counts.iter().filter(|c| c.state.is_active()).map(|c| c.count).sum(),
        counts: counts_view(&counts),
        suggested_action: suggested(&counts),
        summary,
        hidden_workers: json!({ "count": hidden, "how_to_show": "scope=all" }),
        next_cursor,
        revision,
        waited_seconds: None,
        changed: None,
        note: None,
    };
    Ok((team, text))
}

/// A worker in a result: `codex_worker_list` tells more of it than the status.
fn shown(call: &Call, look: &Look, tell: Tell, overlaps: &Overlaps) -> Value {
    let mut view = brief_view(call, look);
    if let Some(others) = overlaps.get(&look.worker().id) {
        view["overlaps"] = overlap_view(others);
    }
    let slim = ["report_preview", "owner_label", "latest_message", "archived", "reasoning_effort"];
    if let (true, Some(members)) = (tell != Tell::Everything, view.as_object_mut()) {
        members.retain(|name, _| !slim.contains(&name.as_str()));
    }
    view
}

fn total(counts: &[StateCount]) -> i64 {
    counts.iter().map(|c| c.count).sum()
}

fn counts_view(counts: &[StateCount]) -> Value {
    let mut view = Map::new();
    view.insert("total".to_owned(), json!(total(counts)));
    for count in counts {
        view.insert(count.state.as_str().to_owned(), json!(count.count));
    }
    Value::Object(view)
}

fn summary(counts: &[StateCount]) -> String {
    let mut text = format!("{} worker(s)", total(counts));
    for count in counts {
        text.push_str(&format!(" | {} {}", count.count, count.state.as_str()));
    }
    text
}

fn suggested(counts: &[StateCount]) -> &'static str {
    let any = |state: &str| counts.iter().any(|c| c.state.as_str() == state && c.count > 0);
    if any("waiting_approval") {
        "answer_approvals"
    } else if any("needs_login") {
        "log_in"
    } else if counts.iter().any(|c| c.state.is_active() && c.count > 0) {
        "wait"
    } else if any("failed") || any("interrupted") {
        "inspect"
    } else if any("idle") {
        "read_reports"
    } else {
        "start_workers"
    }
}

type Overlaps = HashMap<WorkerId, Vec<Overlap>>;

fn team_text(summary: &str, looks: &[Look], overlaps: &Overlaps, hidden: i64) -> String {
    let mut text = summary.to_owned();
    for look in looks {
        text.push_str("\n- ");
        text.push_str(&status_line(look));
        if let Some(others) = overlaps.get(&look.worker().id) {
            text.push_str(&format!("\n  the same files as {}", overlap_words(others)));
        }
    }
    if hidden > 0 {
        text.push_str(&format!("\n{hidden} more worker(s) with scope=all."));
    }
    text
}
