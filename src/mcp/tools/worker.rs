//! The worker tools: what they share, and the list of them.

use super::worker_views::Cleaner;
use super::{
    worker_inspect, worker_message, worker_options, worker_start, worker_stop, worker_team,
};
use crate::mcp::{Answer, Call, ToolError, ToolSpec};
use crate::store::WorkerRow;
use std::future::Future;

/// The family's tools.
#[must_use]
pub(super) fn tools() -> Vec<ToolSpec> {
    let mut tools = vec![worker_options::tool_spec(), worker_start::tool_spec()];
    tools.push(worker_message::tool_spec());
    tools.extend(worker_team::tools());
    tools.push(worker_inspect::tool_spec());
    tools.push(worker_stop::tool_spec());
    tools
}

/// The worker that a call names. Without `repo_path` the default repository's come first, then those
/// of all others.
pub(super) async fn target(
    call: &Call,
    selector: &str,
    repo_path: Option<&str>,
) -> Result<WorkerRow, ToolError> {
    let app = &call.app;
    if selector.trim().is_empty() {
        return Err(ToolError::invalid("worker is required"));
    }
    if repo_path.is_some_and(|path| !path.trim().is_empty()) {
        let repo = app.context.repo(repo_path).await?;
        return Ok(app.workers.find(selector, Some(&repo.key)).await?);
    }
    if let Ok(repo) = app.context.repo(None).await
        && let Ok(found) = app.workers.find(selector, Some(&repo.key)).await
        && found.archived_at.is_none()
    {
        return Ok(found);
    }
    Ok(app.workers.find(selector, None).await?)
}

/// Runs a handler; no answer and no error leaves with a private path in it.
pub(super) async fn cleaned(
    call: &Call,
    handler: impl Future<Output = Result<Answer, ToolError>>,
) -> Result<Answer, ToolError> {
    let cleaner = Cleaner::new(&call.app.state);
    match handler.await {
        Ok(mut answer) => {
            answer.structured.values_mut().for_each(|value| cleaner.value(value));
            answer.text = cleaner.text(&answer.text);
            Ok(answer)
        }
        Err(mut error) => {
            error.message = cleaner.text(&error.message);
            error.data.values_mut().for_each(|value| cleaner.value(value));
            Err(error)
        }
    }
}
