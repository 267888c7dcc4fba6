//! A question of a worker, as hosts see it.

use super::worker_views::clip;
use crate::store::{ApprovalRow, ApprovalState};
use serde_json::{Value, json};

/// Longest text of a question, in characters.
const LONGEST: usize = 4_000;

/// One question: what is asked for, why, and what was decided.
pub(super) fn approval_view(row: &ApprovalRow) -> Value {
    let request: Value = serde_json::from_str(&row.request).unwrap_or_default();
    let text = |name: &str| request[name].as_str().map(|text| clip(text, LONGEST).0);
    let changes: Vec<Value> = request["changes"]
        .as_array()
        .into_iter()
        .flatten()
        .take(50)
        .map(|change| {
            let diff = change["diff"].as_str().map(|diff| clip(diff, LONGEST).0);
            json!({ "path": change["path"], "kind": change["kind"]["type"], "diff": diff })
        })
        .collect();
    json!({
        "approval_id": row.id,
        "kind": row.kind,
        "state": row.state,
        "decision": row.decision,
        "reason": text("reason"),
        "command": text("command"),
        "cwd": text("cwd"),
        "changes": (!changes.is_empty()).then_some(changes),
        "permissions": request["permissions"],
        "additional_permissions": request["additionalPermissions"],
        "network": request["networkApprovalContext"],
        "turn_id": row.turn,
        "asked_at": row.requested_at / 1000,
        "decided_at": row.decided_at.map(|at| at / 1000),
    })
}

/// What is asked for, in one line.
pub(super) fn wish(row: &ApprovalRow) -> String {
    let view = approval_view(row);
    let what = match view["command"].as_str() {
        Some(command) => format!("`{command}`"),
        None if view["changes"].is_array() => view["changes"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|change| change["path"].as_str())
            .collect::<Vec<_>>()
            .join(", "),
        None => view["permissions"].to_string(),
    };
    let reason = view["reason"].as_str().map(|reason| format!(" ({reason})")).unwrap_or_default();
    clip(&format!("{} {what}{reason}", row.kind.as_str()), 400).0
}

/// The list for people.
pub(super) fn approvals_text(name: &str, rows: &[ApprovalRow], waiting: usize) -> String {
    let mut text = format!("{name} waits for {waiting} decision(s).");
    for row in rows.iter().filter(|row| row.state == ApprovalState::Pending) {
        text.push_str(&format!("\n- {}: {}", row.id, wish(row)));
    }
    text
}
