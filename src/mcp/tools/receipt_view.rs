//! Checks of a merged result, as hosts see them.

use crate::integration::{CheckResult, Outcome, Receipt};
use serde::Serialize;

/// One run of checks, and what it is bound to.
#[derive(Debug, Serialize)]
pub(super) struct ReceiptView {
    receipt_id: String,
    /// `running`, `green`, `red` or `broken`.
    state: String,
    snapshot_id: String,
    target: String,
    base_tree: String,
    merged_tree: String,
    checks: Vec<CheckView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    /// Unix seconds.
    began_at: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    ended_at: Option<i64>,
}

#[derive(Debug, Serialize)]
struct CheckView {
    name: String,
    command: String,
    outcome: Outcome,
    #[serde(skip_serializing_if = "Option::is_none")]
    exit_code: Option<i32>,
    duration_ms: u64,
    stdout_sha256: String,
    stderr_sha256: String,
    /// The end of its output.
    output: String,
}

impl From<&CheckResult> for CheckView {
    fn from(check: &CheckResult) -> Self {
        Self {
            name: check.name.clone(),
            command: check.command.clone(),
            outcome: check.outcome,
            exit_code: check.exit_code,
            duration_ms: check.duration_ms,
            stdout_sha256: check.stdout_sha256.clone(),
            stderr_sha256: check.stderr_sha256.clone(),
            output: check.tail.clone(),
        }
    }
}

impl From<&Receipt> for ReceiptView {
    fn from(receipt: &Receipt) -> Self {
        Self {
            receipt_id: receipt.id.clone(),
            state: receipt.state.clone(),
            snapshot_id: receipt.snapshot_id.clone(),
            target: receipt.target.clone(),
            base_tree: receipt.base_tree.clone(),
            merged_tree: receipt.merged_tree.clone(),
            checks: receipt.checks.iter().map(CheckView::from).collect(),
            error: receipt.error.clone(),
            began_at: receipt.created_at / 1000,
            ended_at: receipt.finished_at.map(|ms| ms / 1000),
        }
    }
}

/// Receipts in a few lines.
pub(super) fn receipts_text(name: &str, receipts: &[Receipt]) -> String {
    let Some(newest) = receipts.first() else {
        return format!("No checks were run on the work of {name}.");
    };
    let mut text = format!("The last checks of {name}: {}.", newest.state);
    for check in &newest.checks {
        let code = check.exit_code.map(|code| format!(", exit code {code}")).unwrap_or_default();
        text.push_str(&format!("\n  {}: {}{code}", check.name, check.outcome.words()));
    }
    text
}
