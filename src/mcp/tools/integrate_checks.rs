//! Checks of what an integration would make of its target.

use super::integrate::{Hides, not_applicable, preview_required};
use super::receipt_view::ReceiptView;
use crate::git::Repo;
use crate::integration::{IntegrationError, Integrations, Target};
use crate::mcp::ToolError;
use crate::store::WorkerRow;

/// Runs the checks that a call names; returns when they have passed.
pub(super) async fn run_checks(
    integrations: &Integrations,
    hides: Hides<'_>,
    repo: &Repo,
    worker: &WorkerRow,
    target: &Target,
    accepted: &[String],
    names: &[String],
) -> Result<(), ToolError> {
    let ran = integrations.check(repo, &worker.id, target, accepted, names).await;
    let receipt = match ran {
        Ok(receipt) => receipt,
        Err(IntegrationError::NotApplicable(preview)) if preview.token.is_some() => {
            return Err(preview_required(worker, &preview, hides));
        }
        Err(IntegrationError::NotApplicable(preview)) => {
            return Err(not_applicable(worker, &preview, hides));
        }
        Err(error) => return Err(error.into()),
    };
    let (code, words, hint) = match receipt.state.as_str() {
        "green" => return Ok(()),
        "running" => {
            let hint = "Call again with the same checks to wait for them; view=receipt shows them.";
            ("checks_running", "the checks are still running", hint)
        }
        "red" => {
            let hint = "Look at the output; send the worker what is wrong with codex_worker_message. \
                        The same call runs them once more.";
            ("checks_failed", "a check failed", hint)
        }
        _ => {
            let hint = "Call again with the same checks.";
            ("checks_broken", "the checks could not be run to their end", hint)
        }
    };
    let message = format!("{} was not applied: {words}.", worker.name);
    let error = ToolError::new(code, message, hint).with("receipt", ReceiptView::from(&receipt));
    Err(error
        .with("worker_id", worker.id.as_str())
        .with("name", &worker.name)
        .with("applied", false))
}
