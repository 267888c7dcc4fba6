//! The fact that proves a worker's state.

use super::worker_approvals::wish;
use super::worker_views::clip;
use crate::mcp::Call;
use crate::store::{FULL_HINT, HoldRow, WorkerState};
use crate::worker::Look;
use serde_json::{Value, json};

/// What stands behind the state: since when, what runs, what is waited for, why it ended.
pub(super) fn state_details(call: &Call, look: &Look) -> Value {
    let since = look.state_since.map(|at| at / 1000);
    let mut details = match look.worker().state {
        WorkerState::Queued => json!({
            "waits_for": "a free place: so many turns run at once at most",
            "max_concurrent_turns": call.app.config.server.max_concurrent_turns,
        }),
        WorkerState::Preparing => {
            json!({ "prepares": prepares(look), "waits_for": look.waits_for })
        }
        WorkerState::Idle => json!({
            "last_turn": look.facts.turn.as_ref().map(|turn| {
                json!({ "turn_id": turn.id, "number": turn.position, "state": turn.state })
            }),
        }),
        WorkerState::Running => json!({ "running_command": look.busy_with }),
        WorkerState::WaitingApproval => json!({
            "approvals": look
                .open_approvals
                .iter()
                .map(|row| json!({ "approval_id": row.id, "asks": wish(row), "state": row.state }))
                .collect::<Vec<_>>(),
            "what_to_do": "answer with codex_worker_message {approval_id, decision}",
        }),
        WorkerState::WaitingLimit => look.hold.as_ref().map(limit).unwrap_or_default(),
        WorkerState::NeedsLogin => json!({
            "codex_said": look.hold.as_ref().map(|hold| hold.message.as_str()),
            "login_file": look.login_file,
            "what_to_do": "run `codex login` on the machine; the turn goes on when the login has \
                           changed, or when you send a message",
        }),
        WorkerState::Stopping => json!({ "reason": look.stop_reason }),
        WorkerState::Failed | WorkerState::Interrupted => {
            let turn = look.facts.turn.as_ref();
            let said = turn.and_then(|turn| turn.error_message.as_deref());
            json!({
                "error_code": turn.and_then(|turn| turn.error_code.as_deref()),
                "error_message": said.map(|said| clip(said, 4_000).0),
            })
        }
    };
    details["since"] = json!(since);
    if look.no_room {
        details["waits_for_room"] = json!({
            "code": "disk_full",
            "message": "what belongs to the turn cannot be stored: the disk is full",
            "hint": FULL_HINT,
        });
    }
    details
}

/// What a turn gets first of what it lacks.
fn prepares(look: &Look) -> &'static str {
    if look.has_workspace() { "codex and its thread" } else { "the worktree" }
}

fn limit(hold: &HoldRow) -> Value {
    json!({
        "resets_at": hold.until.map(|at| at / 1000),
        "reset_named_by_codex": hold.known,
        "codex_said": hold.message,
        "what_to_do": "nothing: it goes on by itself",
    })
}

/// The same in a few words, for a line; none where the state says enough.
pub(super) fn state_words(look: &Look) -> Option<String> {
    if look.no_room {
        return Some("waits for room: the disk is full".to_owned());
    }
    match look.worker().state {
        WorkerState::WaitingApproval => {
            Some(look.open_approvals.iter().map(wish).collect::<Vec<_>>().join("; "))
        }
        WorkerState::WaitingLimit => {
            let at = look.hold.as_ref()?.until?;
            let at = jiff::Timestamp::from_millisecond(at).ok()?;
            Some(format!("until {}", at.strftime("%Y-%m-%d %H:%M:%S UTC")))
        }
        WorkerState::NeedsLogin => Some("run `codex login`".to_owned()),
        _ => None,
    }
}
