//! A worker as hosts see it: what is so, small, without a worktree path, a thread id or a pid.

use super::worker_state::{state_details, state_words};
use crate::mcp::{Answer, Call, ToolError};
use crate::paths::StateDir;
use crate::store::{TurnRow, WorkerState};
use crate::worker::{Look, Messaging};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value, json};

/// Longest report that a result holds, in characters.
const REPORT: usize = 24_000;
/// Longest message or command that a list shows, in characters.
const SHORT: usize = 220;

/// The members that each result about one worker has.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(transform = bare)]
pub(super) struct WorkerView {
    worker_id: String,
    name: String,
    state: &'static str,
    /// Absent in results that are not about the report.
    report: Option<String>,
    has_changes: bool,
    revision: i64,
    note: Option<String>,
    /// Members of one view or tool, and facts that hosts need not know.
    #[serde(flatten)]
    #[schemars(skip)]
    pub(super) more: Map<String, Value>,
}

/// Words stand at the members of the type; hosts need the top level only.
pub(super) fn bare(schema: &mut schemars::Schema) {
    if let Some(Value::Object(members)) = schema.get_mut("properties") {
        for member in members.values_mut().filter_map(Value::as_object_mut) {
            member.remove("description");
        }
    }
}

impl WorkerView {
    /// The view of a worker. `with_report`: the report too.
    pub(super) fn of(call: &Call, look: &Look, with_report: bool) -> Self {
        let worker = look.worker();
        let cleaner = Cleaner::of(&call.app.state, look);
        let mut more = facts(call, look);
        let report = with_report.then(|| {
            let (report, cut) = clip(&look.report(), REPORT);
            if cut {
                more.insert("report_truncated".to_owned(), json!(true));
            }
            report
        });
        let mut view = Self {
            worker_id: worker.id.to_string(),
            name: worker.name.clone(),
            state: worker.state.as_str(),
            report,
            has_changes: look.has_changes(),
            revision: worker.rev,
            note: None,
            more,
        };
        view.report = view.report.map(|report| cleaner.text(&report));
        view.more.values_mut().for_each(|value| cleaner.value(value));
        view
    }

    /// Adds a member.
    pub(super) fn with(mut self, name: &str, value: impl Serialize) -> Self {
        if let Ok(value) = serde_json::to_value(value) {
            self.more.insert(name.to_owned(), value);
        }
        self
    }

    /// Adds members.
    pub(super) fn with_all(mut self, members: Map<String, Value>) -> Self {
        self.more.extend(members);
        self
    }

    /// Says what to know about this result, behind what was said before.
    pub(super) fn note(mut self, note: impl Into<String>) -> Self {
        let note = note.into();
        self.note = Some(self.note.map_or(note.clone(), |before| format!("{before} {note}")));
        self
    }

    /// The answer, with a text for people.
    pub(super) fn answer(self, text: impl Into<String>) -> Result<Answer, ToolError> {
        Answer::new(&self, text)
    }
}

/// A worker in a list.
pub(super) fn brief_view(call: &Call, look: &Look) -> Value {
    let mut view = WorkerView::of(call, look, false);
    let cleaner = Cleaner::of(&call.app.state, look);
    let shown = cleaner.text(&clip(&look.report(), SHORT).0);
    view.more.insert("report_preview".to_owned(), json!(shown));
    view.more.insert("status_line".to_owned(), json!(cleaner.text(&status_line(look))));
    serde_json::to_value(view).unwrap_or_default()
}

/// A worker in one line.
pub(super) fn status_line(look: &Look) -> String {
    let worker = look.worker();
    let mut line = format!("{} ({}): {}", worker.name, worker.mode.as_str(), worker.state.as_str());
    if let Some(words) = state_words(look) {
        line.push_str(&format!(" ({})", clip(&words, SHORT).0));
    }
    if let Some(command) = look.busy_with.as_deref().filter(|_| worker.state.is_active()) {
        line.push_str(&format!(", runs `{}`", clip(command, 80).0));
    }
    if worker.queued > 0 && worker.state != WorkerState::Queued {
        line.push_str(&format!(", {} waiting", worker.queued));
    }
    let said = match worker.state {
        state if state.is_active() => look.latest_message.clone().unwrap_or_default(),
        _ => look.report(),
    };
    let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
    if !said.is_empty() {
        line.push_str(": ");
        line.push_str(&clip(&said, SHORT).0);
    }
    line
}

fn facts(call: &Call, look: &Look) -> Map<String, Value> {
    let worker = look.worker();
    let mut more = Map::new();
    let mut put = |name: &str, value: Value| {
        more.insert(name.to_owned(), value);
    };
    put("workspace_name", json!(worker.repo_name));
    put("workspace_mode", json!(worker.mode));
    put("integration_state", json!(look.integration()));
    put("can_message", json!(look.messaging() != Messaging::Archived));
    put("queued_messages", json!(worker.queued));
    put("workspace_available", json!(look.has_workspace()));
    put("messaging", json!(look.messaging()));
    put("model", json!(worker.model));
    put("reasoning_effort", json!(worker.effort));
    put("archived", json!(worker.archived_at.is_some()));
    put("owned_by_current_client", json!(worker.owner_ref == call.caller.owner_ref));
    let ownership = if worker.owner_ref == call.caller.owner_ref {
        "current_client"
    } else {
        "other_connection"
    };
    put("ownership_status", json!(ownership));
    put("owner_label", json!(worker.owner_label));
    let activity = look.facts.last_event_at.unwrap_or(worker.updated_at).max(worker.updated_at);
    put("last_activity_at", json!(activity / 1000));
    put("latest_message", json!(look.latest_message.as_ref().map(|m| clip(m, 2_000).0)));
    put("running_command", json!(look.busy_with));
    put("state_details", state_details(call, look));
    if let Some(turn) = &look.facts.turn {
        put("turn", turn_view(call, turn));
    }
    more
}

fn turn_view(call: &Call, turn: &TurnRow) -> Value {
    let end = turn.ended_at.unwrap_or_else(|| call.app.clock.now_ms());
    let usage = turn.usage_json.as_deref().and_then(|u| serde_json::from_str::<Value>(u).ok());
    json!({
        "turn_id": turn.id,
        "number": turn.position,
        "state": turn.state,
        "started_at": turn.started_at.map(|at| at / 1000),
        "elapsed_seconds": turn.started_at.map(|at| (end - at).max(0) / 1000),
        "queued_again": turn.requeues > 0,
        "error_code": turn.error_code,
        "error_message": turn.error_message,
        "base_checkout": turn.verified,
        "usage": usage,
    })
}

/// The first `most` characters, and whether that cut something off.
pub(super) fn clip(text: &str, most: usize) -> (String, bool) {
    match text.char_indices().nth(most) {
        Some((at, _)) => (format!("{}…", &text[..at]), true),
        None => (text.to_owned(), false),
    }
}

/// Takes out of texts what is nobody's business: where state and worktrees are, names of threads.
/// Only these exact strings: a worker's own findings stay as they are.
pub(super) struct Cleaner {
    state: String,
    threads: Vec<String>,
}

impl Cleaner {
    pub(super) fn new(state: &StateDir) -> Self {
        Self { state: state.root().to_string_lossy().into_owned(), threads: Vec::new() }
    }

    /// Knows the worker's thread too.
    pub(super) fn of(state: &StateDir, look: &Look) -> Self {
        let mut cleaner = Self::new(state);
        cleaner.threads.extend(look.facts.thread_id.clone());
        cleaner
    }

    pub(super) fn text(&self, text: &str) -> String {
        let mut clean = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(at) = rest.find(&self.state) {
            clean.push_str(&rest[..at]);
            rest = self.below_state(&mut clean, &rest[at + self.state.len()..]);
        }
        clean.push_str(rest);
        for thread in &self.threads {
            clean = clean.replace(thread, "[thread]");
        }
        clean
    }

    /// Writes what stands for a path below the state directory, and returns what follows: a file of a
    /// worktree keeps its path relative to the repository.
    fn below_state<'a>(&self, clean: &mut String, rest: &'a str) -> &'a str {
        let place = |rest: &'a str| {
            let inner = rest.strip_prefix("/worktrees/")?;
            let (_, inner) = inner.split_once('/')?;
            inner.split_once('/').map(|(_, inner)| inner)
        };
        match place(rest) {
            Some(inner) if inner.starts_with("tree/") => &inner["tree/".len()..],
            Some(inner) if inner.starts_with("tree") => {
                clean.push_str("[worktree]");
                &inner["tree".len()..]
            }
            Some(inner) if inner.starts_with("tmp") => {
                clean.push_str("[tmp]");
                &inner["tmp".len()..]
            }
            _ => {
                clean.push_str("[patchbay]");
                rest
            }
        }
    }

    pub(super) fn value(&self, value: &mut Value) {
        match value {
            Value::String(text) => *text = self.text(text),
            Value::Array(items) => items.iter_mut().for_each(|item| self.value(item)),
            Value::Object(members) => members.values_mut().for_each(|member| self.value(member)),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_places_are_taken_out_and_nothing_else() {
        let cleaner = Cleaner { state: "/s/state".to_owned(), threads: vec!["0199-aa".to_owned()] };
        for (text, clean) in [
            ("see /s/state/worktrees/k/wrk_1/tree/src/a.rs:3", "see src/a.rs:3"),
            ("cd /s/state/worktrees/k/wrk_1/tree && ls", "cd [worktree] && ls"),
            ("in /s/state/worktrees/k/wrk_1/tmp/x", "in [tmp]/x"),
            ("/s/state/store.db and /s/state", "[patchbay]/store.db and [patchbay]"),
            ("thread 0199-aa, commit 0199-bb", "thread [thread], commit 0199-bb"),
            ("author: Bob /tmp/x", "author: Bob /tmp/x"),
        ] {
            assert_eq!(cleaner.text(text), clean);
        }
        let mut value = json!({ "a": ["/s/state/worktrees/k/w/tree/b"] });
        cleaner.value(&mut value);
        assert_eq!(value, json!({ "a": ["b"] }));
    }

    #[test]
    fn texts_are_cut_at_characters() {
        assert_eq!(clip("ééé", 2), ("éé…".to_owned(), true));
        assert_eq!(clip("éé", 2), ("éé".to_owned(), false));
    }
}
