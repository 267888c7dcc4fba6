//! `codex_worker_inspect`: one worker, from all sides.

use super::integrate_view::{ChangeView, listed, preview_text, preview_view};
use super::receipt_view::{ReceiptView, receipts_text};
use super::worker::{cleaned, target};
use super::worker_approvals::{approval_view, approvals_text};
use super::worker_log;
use super::worker_views::{Cleaner, WorkerView, clip, status_line};
use crate::config::ToolMode;
use crate::context::{ContextError, FileQuery};
use crate::git::{Change, GitPath};
use crate::mcp::{Answer, Call, Hints, ToolError, ToolSpec, tool};
use crate::store::{ApprovalState, WorkerRow};
use crate::worker::{ChangeBase, Look, Until, WaitQuery, WorkerChanges};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::time::Duration;

/// Longest part of a file or diff that the text for people repeats, in characters.
const TEXT: usize = 16_000;

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum View {
    #[default]
    Report,
    Status,
    Changes,
    Diff,
    File,
    Log,
    Queue,
    Approvals,
    IntegrationPreview,
    Receipt,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct InspectArgs {
    /// Name or id.
    worker: String,
    /// Repository of the name.
    repo_path: Option<String>,
    /// report: its words. changes, diff, file: its files when its last turn ended. log: its journal.
    /// queue: waiting messages. approvals: what it asks for. integration_preview: what an apply would do, with its token. receipt: checks.
    #[serde(default)]
    #[schemars(extend("default" = "report"))]
    view: View,
    /// Wait until it is idle, at most 45.
    #[serde(default)]
    #[schemars(extend("minimum" = 0))]
    wait_seconds: u64,
    /// View file; view diff (default: all files).
    file_path: Option<String>,
    /// Exact name, base64.
    path_b64: Option<String>,
    /// View file: first line.
    #[schemars(range(min = 1))]
    start_line: Option<u64>,
    /// View file: last line.
    #[schemars(range(min = 1))]
    end_line: Option<u64>,
    /// View file: first byte instead of a line.
    start_byte: Option<u64>,
    /// View file, diff: most bytes.
    #[schemars(range(min = 1))]
    max_bytes: Option<usize>,
    /// View changes, diff: since the last integration or the worker's start.
    #[serde(default)]
    #[schemars(extend("default" = "integrated"))]
    since: ChangeBase,
    /// View log: next_cursor of the page before.
    cursor: Option<i64>,
    /// View log: most events.
    #[schemars(range(min = 1, max = 500), extend("default" = 100))]
    limit: Option<u32>,
    /// As in codex_worker_integrate.
    #[serde(default)]
    #[schemars(length(max = 50))]
    accepted_dirty_base: Vec<String>,
}

pub(super) fn tool_spec() -> ToolSpec {
    tool::<InspectArgs, WorkerView, _, _>(
        "codex_worker_inspect",
        "Codex Worker Inspect",
        "Look at one worker: its report, and what was observed.",
        ToolMode::Worker,
        Hints::READ,
        ("Checking worker", "Worker report ready"),
        |call: Call, args| async move { cleaned(&call, inspect(&call, args)).await },
    )
}

async fn inspect(call: &Call, args: InspectArgs) -> Result<Answer, ToolError> {
    let worker = target(call, &args.worker, args.repo_path.as_deref()).await?;
    let mut short = None;
    if args.wait_seconds > 0 {
        let query = WaitQuery {
            worker: Some(worker.id.clone()),
            until: Until::Idle,
            ..WaitQuery::default()
        };
        let (asked, longest) = (args.wait_seconds, call.app.workers.longest_wait().as_secs());
        let waited = call.app.workers.wait(&query, Duration::from_secs(asked)).await?;
        short = (asked > longest && !waited.happened).then(|| {
            format!("wait_seconds was {asked}; a call waits {longest} seconds at most. Wait again.")
        });
    }
    let look = call.app.workers.look(&worker).await?;
    let worker = look.worker().clone();
    let seen = Seen { call, look: &look, worker: &worker, args: &args, short };
    match args.view {
        View::Report => seen.report(),
        View::Status => seen.status(),
        View::Changes => seen.changes().await,
        View::Diff => seen.diff().await,
        View::File => seen.file().await,
        View::Log => seen.log().await,
        View::Queue => seen.queue().await,
        View::Approvals => seen.approvals().await,
        View::IntegrationPreview => seen.preview().await,
        View::Receipt => seen.receipts().await,
    }
}

/// One worker that is being looked at.
struct Seen<'a> {
    call: &'a Call,
    look: &'a Look,
    worker: &'a WorkerRow,
    args: &'a InspectArgs,
    /// Says that the wait was shorter than asked for.
    short: Option<String>,
}

impl Seen<'_> {
    fn view(&self, name: &str, with_report: bool) -> WorkerView {
        let view = WorkerView::of(self.call, self.look, with_report).with("view", name);
        self.short.iter().fold(view, |view, short| view.note(short.as_str()))
    }

    fn clean(&self, text: &str) -> String {
        Cleaner::of(&self.call.app.state, self.look).text(text)
    }

    fn report(&self) -> Result<Answer, ToolError> {
        let text = format!("{}\n\n{}", head(self.look), self.look.report());
        let text = self.clean(&text);
        self.view("report", true).answer(text)
    }

    fn status(&self) -> Result<Answer, ToolError> {
        let line = self.clean(&status_line(self.look));
        self.view("status", false).with("status_line", &line).answer(line)
    }

    async fn changes(&self) -> Result<Answer, ToolError> {
        let app = &self.call.app;
        let changes = app.workers.changes(self.worker, self.args.since).await?;
        let notes = app.workers.notes(&changes.repo, &changes.to).await?;
        let files: Vec<ChangeView> = listed(&changes.list);
        let mut text = format!("{} changed {} file(s).", self.worker.name, changes.list.len());
        for change in changes.list.iter().take(100) {
            let (path, plus, minus) = (change.path.lossy(), change.additions, change.deletions);
            text.push_str(&format!("\n  {path} +{plus} -{minus}"));
        }
        let view = self
            .view("changes", false)
            .with("truncated", files.len() < changes.list.len())
            .with("changed_files", files)
            .with("change_count", changes.list.len())
            .with("compared_with", self.args.since)
            .with("snapshot_id", &changes.to.id)
            .with("ignored_count", notes.ignored_count)
            .with(
                "nested_repositories",
                notes.nested.iter().map(GitPath::lossy).collect::<Vec<_>>(),
            );
        self.as_of(view, &changes).answer(text)
    }

    async fn diff(&self) -> Result<Answer, ToolError> {
        let app = &self.call.app;
        let changes = app.workers.changes(self.worker, self.args.since).await?;
        let most = app.config.security.max_diff_bytes;
        let most = self.args.max_bytes.unwrap_or(most).clamp(1, most);
        let path = self.path()?;
        let hidden = |change: &Change| app.context.hides(change.path.as_bytes());
        let shown: Vec<&Change> = match &path {
            Some(path) if hidden(changes.of(path)?) => {
                return Err(ContextError::Blocked(path.lossy()).into());
            }
            Some(path) => vec![changes.of(path)?],
            None => changes.list.iter().filter(|change| !hidden(change)).collect(),
        };
        let diff = changes.diff(&shown, most).await?;
        let text = String::from_utf8_lossy(&diff.text).into_owned();
        let view = self
            .view("diff", false)
            .with("file_path", path.map(|p| p.lossy()))
            .with("diff", &text)
            .with("truncated", diff.truncated)
            .with("total_bytes", diff.total_bytes)
            .with("files_shown", shown.len())
            .with("change_count", changes.list.len());
        self.as_of(view, &changes).answer(clip(&text, TEXT).0)
    }

    async fn file(&self) -> Result<Answer, ToolError> {
        let app = &self.call.app;
        let changes = app.workers.changes(self.worker, ChangeBase::Start).await?;
        let path = self.path()?.ok_or_else(|| ToolError::invalid("view=file needs file_path"))?;
        let file = changes.file(&path).await?.ok_or_else(|| {
            let message = format!("{} has no file {}", self.worker.name, path.lossy());
            let hint = "Call codex_worker_inspect with view=changes for the paths it changed.";
            ToolError::new("file_missing", message, hint)
        })?;
        let query = FileQuery {
            start_line: self.args.start_line,
            start_byte: self.args.start_byte,
            end_line: self.args.end_line,
            max_bytes: self.args.max_bytes,
            ..FileQuery::default()
        };
        let most = app.config.workers.file_response_max_bytes;
        let page = app.context.page_of_bytes(path.as_bytes(), &file.bytes, &query, most)?;
        let text = clip(&page.text, TEXT).0;
        let members = match serde_json::to_value(&page) {
            Ok(Value::Object(members)) => members,
            _ => Map::new(),
        };
        let view = self
            .view("file", false)
            .with_all(members)
            .with("source", "worker_snapshot")
            .with("file_path", path.lossy())
            .with("mode", format!("{:06o}", file.entry.mode));
        self.as_of(view, &changes).answer(text)
    }

    async fn log(&self) -> Result<Answer, ToolError> {
        let after = self.args.cursor.unwrap_or(0);
        let limit = self.args.limit.unwrap_or(100).clamp(1, 500);
        let rows = self.call.app.workers.log(self.worker, after, limit + 1).await?;
        let page = worker_log::page(rows, limit as usize, after);
        let cleaner = Cleaner::of(&self.call.app.state, self.look);
        let mut events = json!(page.events);
        cleaner.value(&mut events);
        self.view("log", false)
            .with("events", events)
            .with("next_cursor", page.next)
            .with("more", page.more)
            .answer(cleaner.text(&page.text))
    }

    async fn queue(&self) -> Result<Answer, ToolError> {
        let turns = self.call.app.workers.queue(self.worker).await?;
        let queued: Vec<Value> = turns
            .iter()
            .map(|turn| {
                let (text, cut) = clip(&turn.brief, 2_000);
                json!({
                    "queued_id": turn.id, "number": turn.position, "message": text,
                    "truncated": cut, "queued_at": turn.created_at / 1000,
                    "model": turn.model, "reasoning_effort": turn.effort,
                })
            })
            .collect();
        let text = format!("{} message(s) wait for {}.", queued.len(), self.worker.name);
        self.view("queue", false).with("queue", queued).answer(text)
    }

    async fn approvals(&self) -> Result<Answer, ToolError> {
        let rows = self.call.app.workers.approvals(self.worker).await?;
        let waiting = rows.iter().filter(|row| row.state == ApprovalState::Pending).count();
        let text = approvals_text(&self.worker.name, &rows, waiting);
        let cleaner = Cleaner::of(&self.call.app.state, self.look);
        let mut listed = json!(rows.iter().map(approval_view).collect::<Vec<_>>());
        cleaner.value(&mut listed);
        self.view("approvals", false)
            .with("approvals", listed)
            .with("waiting", waiting)
            .answer(cleaner.text(&text))
    }

    async fn preview(&self) -> Result<Answer, ToolError> {
        let app = &self.call.app;
        let root = self.worker.repo_root.to_string_lossy();
        let repo = app.context.repo(Some(&root)).await?;
        let accepted = &self.args.accepted_dirty_base;
        let preview = app.integrations.preview(&repo, &self.worker.id, accepted).await?;
        let text = preview_text(&self.worker.name, &preview);
        self.view("integration_preview", false)
            .with("applied", false)
            .with_all(preview_view(&preview, &|path| app.context.hides(path.as_bytes())))
            .answer(text)
    }

    async fn receipts(&self) -> Result<Answer, ToolError> {
        let integrations = &self.call.app.integrations;
        let receipts = integrations.receipts(&self.worker.id).await?;
        let (names, required) = match integrations.checks() {
            Some(checks) => (checks.commands.keys().collect(), checks.require_checks.clone()),
            None => (Vec::new(), Vec::new()),
        };
        let text = receipts_text(&self.worker.name, &receipts);
        let cleaner = Cleaner::of(&self.call.app.state, self.look);
        let shown: Vec<ReceiptView> = receipts.iter().take(10).map(ReceiptView::from).collect();
        let mut shown = json!(shown);
        cleaner.value(&mut shown);
        self.view("receipt", false)
            .with("receipts", shown)
            .with("checks", names)
            .with("required_checks", required)
            .answer(cleaner.text(&text))
    }

    fn path(&self) -> Result<Option<GitPath>, ToolError> {
        if let Some(exact) = &self.args.path_b64 {
            let path = GitPath::from_b64(exact);
            return path.map(Some).ok_or_else(|| ToolError::invalid("path_b64 is not base64"));
        }
        let named = self.args.file_path.as_deref().map(str::trim).filter(|p| !p.is_empty());
        Ok(named.map(|path| GitPath::from(path.strip_prefix("./").unwrap_or(path))))
    }

    /// Says that files are those of the last snapshot, while a turn may be changing them.
    fn as_of(&self, view: WorkerView, changes: &WorkerChanges) -> WorkerView {
        let view = view.with("snapshot_at", changes.to.created_at / 1000);
        if !self.worker.state.is_active() {
            return view;
        }
        view.note("A turn is active: this is what stood there when the last one ended.")
    }
}

fn head(look: &Look) -> String {
    let worker = look.worker();
    let changes =
        if look.has_changes() { "has changes that are not integrated" } else { "no changes" };
    format!("{} ({}): {}, {changes}", worker.name, worker.mode.as_str(), worker.state.as_str())
}
