//! What results show of a worker: its state, its words, never where it works.

use crate::ownership::Caller;
use crate::store::{TurnRow, TurnState, WorkerMode, WorkerState};
use crate::worker::{IntegrationState, Look, Messaging};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;
use std::path::Path;

/// Most characters of a report in one result.
pub(super) const REPORT_MAX: usize = 24_000;

/// The members of a worker that hosts rely on; results hold more.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct WorkerResult {
    /// Use it, or the name, in later calls.
    pub(super) worker_id: String,
    pub(super) name: String,
    /// Name of the repository's directory.
    pub(super) workspace_name: String,
    pub(super) workspace_mode: WorkerMode,
    pub(super) state: WorkerState,
    /// One line for people.
    pub(super) status_line: String,
    /// What a message would do now.
    pub(super) messaging: Messaging,
    /// Turns that wait.
    pub(super) queued_messages: i64,
    pub(super) has_changes: bool,
    pub(super) integration_state: IntegrationState,
    /// Whether this chat (or connector) started it.
    pub(super) owned_by_current_client: bool,
    /// Pass it as `since` to see only what changes from here.
    pub(super) cursor: i64,
}

/// What results hold beside the declared members.
#[derive(Debug, Serialize)]
pub(super) struct WorkerView {
    #[serde(flatten)]
    pub(super) shown: WorkerResult,
    pub(super) model: Option<String>,
    pub(super) reasoning_effort: Option<String>,
    pub(super) ownership_status: &'static str,
    pub(super) owner_label: Option<String>,
    pub(super) last_activity_at: i64,
    pub(super) latest_turn: Option<TurnView>,
}

/// A turn, without its words.
#[derive(Debug, Serialize)]
pub(super) struct TurnView {
    pub(super) turn_id: String,
    pub(super) position: i64,
    pub(super) state: TurnState,
    pub(super) error: Option<TurnError>,
    pub(super) usage: Option<Value>,
    /// `read_only`: whether a look at the base after the turn found it unchanged.
    pub(super) base_verified: Option<crate::store::Verified>,
    pub(super) created_at: i64,
    pub(super) started_at: Option<i64>,
    pub(super) ended_at: Option<i64>,
}

/// Why a turn failed, in codex's own words where it was codex.
#[derive(Debug, Serialize)]
pub(super) struct TurnError {
    pub(super) code: String,
    pub(super) message: String,
}

/// Shows a worker with its current turn.
pub(super) fn worker_view(look: &Look, caller: &Caller, scrub: &Scrub) -> WorkerView {
    let row = look.worker();
    let owned = row.owner_ref == caller.owner_ref;
    let turn = look.facts.turn.as_ref();
    WorkerView {
        shown: WorkerResult {
            worker_id: row.id.to_string(),
            name: row.name.clone(),
            workspace_name: row.repo_name.clone(),
            workspace_mode: row.mode,
            state: row.state,
            status_line: status_line(look, scrub),
            messaging: look.messaging(),
            queued_messages: row.queued,
            has_changes: look.has_changes(),
            integration_state: look.integration(),
            owned_by_current_client: owned,
            cursor: row.rev,
        },
        model: row.model.clone(),
        reasoning_effort: row.effort.clone(),
        ownership_status: if owned { "current_client" } else { "other_connection" },
        owner_label: row.owner_label.clone(),
        last_activity_at: look.facts.last_event_at.unwrap_or(row.updated_at),
        latest_turn: turn.map(|turn| turn_view(turn, scrub)),
    }
}

/// Shows a turn.
pub(super) fn turn_view(turn: &TurnRow, scrub: &Scrub) -> TurnView {
    let error = turn.error_code.as_ref().map(|code| TurnError {
        code: code.clone(),
        message: scrub.text(turn.error_message.as_deref().unwrap_or_default()),
    });
    TurnView {
        turn_id: turn.id.to_string(),
        position: turn.position,
        state: turn.state,
        error,
        usage: turn.usage_json.as_deref().and_then(|json| serde_json::from_str(json).ok()),
        base_verified: turn.verified,
        created_at: turn.created_at,
        started_at: turn.started_at,
        ended_at: turn.ended_at,
    }
}

/// `Ada · idle · turn 2 · first line of the report, the error, or what runs`.
fn status_line(look: &Look, scrub: &Scrub) -> String {
    let row = look.worker();
    let mut line = format!("{} · {}", row.name, row.state.as_str());
    let Some(turn) = &look.facts.turn else { return line };
    line.push_str(&format!(" · turn {}", turn.position));
    let report = turn.error_message.as_deref().or(turn.report.as_deref());
    let words = report.or(look.busy_with.as_deref()).or(look.latest_message.as_deref());
    if let Some(first) = words.unwrap_or_default().lines().find(|l| !l.trim().is_empty()) {
        line.push_str(" · ");
        line.push_str(&cut(&scrub.text(first.trim()), 160));
    }
    line
}

/// At most `max` characters, with an ellipsis where something was cut.
pub(super) fn cut(text: &str, max: usize) -> String {
    match text.char_indices().nth(max) {
        None => text.to_owned(),
        Some((at, _)) => format!("{}…", &text[..at]),
    }
}

/// Takes private places and ids out of a worker's words: it sees them, a chat has no use for them.
/// Files and diffs are shown as they are, unscrubbed.
pub(super) struct Scrub {
    pairs: Vec<(String, &'static str)>,
}

impl Scrub {
    /// Scrubs the worker's worktree (paths become relative), the state directory and the thread's id.
    pub(super) fn new(state: &Path, look: &Look) -> Self {
        let row = look.worker();
        let dir = state.join("worktrees").join(&row.repo_key).join(row.id.as_str());
        let tree = dir.join("tree").to_string_lossy().into_owned();
        let mut pairs = vec![
            (format!("{tree}/"), ""),
            (tree, "."),
            (dir.join("tmp").to_string_lossy().into_owned(), "$TMPDIR"),
            (state.to_string_lossy().into_owned(), "[patchbay state]"),
        ];
        if let Some(thread) = look.facts.thread_id.as_ref().filter(|id| !id.is_empty()) {
            pairs.push((thread.clone(), "[thread]"));
        }
        Self { pairs }
    }

    /// The text without them.
    pub(super) fn text(&self, text: &str) -> String {
        self.pairs
            .iter()
            .fold(text.to_owned(), |text, (private, shown)| text.replace(private, shown))
    }

    /// All texts of a value.
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
    fn long_texts_are_cut_at_characters() {
        assert_eq!(cut("äöü", 3), "äöü");
        assert_eq!(cut("äöüß", 3), "äöü…");
    }
}
