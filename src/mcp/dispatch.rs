//! The way of one call: mode gate, arguments, handler, answer. A handler runs as a task of its own, so
//! that a panic becomes an answer and a lost connection stops nothing that changes something.

use super::registry::{Catalog, Entry};
use super::server::Server;
use super::{Answer, Call, ToolError, arguments};
use crate::ownership::Caller;
use crate::store::AuditRow;
use rmcp::model::{CallToolResult, ContentBlock, MetaObject};
use serde_json::{Map, Value};
use std::sync::Arc;
use std::time::Instant;
use tokio_util::sync::CancellationToken;

/// One `tools/call`, freed of its transport.
pub(crate) struct Request {
    pub(crate) name: String,
    pub(crate) arguments: Option<Map<String, Value>>,
    pub(crate) caller: Caller,
    /// Key of the session that the call came in.
    pub(crate) session_key: Option<String>,
    /// Fires when nobody waits for the answer any more.
    pub(crate) cancel: CancellationToken,
    /// What goes into the result's `_meta`.
    pub(crate) meta: Option<MetaObject>,
}

/// Answers a call. Whatever happens, there is an answer.
pub(crate) async fn answer(server: &Arc<Server>, request: Request) -> CallToolResult {
    let began = Instant::now();
    let Request { name, arguments, caller, session_key, cancel, meta } = request;
    let client_ref = caller.client_ref.clone();
    server.facts().presence.called(&client_ref, server.app().clock.now_ms());
    let target = target_of(arguments.as_ref());
    let done = run(server, &name, arguments, caller, &cancel).await;
    let row = AuditRow {
        at: server.app().clock.now_ms(),
        client_ref,
        tool: name.chars().filter(|c| !c.is_control()).take(80).collect(),
        target,
        outcome: done.as_ref().map_or_else(|error| error.code, |_| "ok").to_owned(),
        took_us: i64::try_from(began.elapsed().as_micros()).unwrap_or(i64::MAX),
    };
    server.recorder().call(row, session_key).await;
    render(done).with_meta(meta)
}

async fn run(
    server: &Arc<Server>,
    name: &str,
    arguments: Option<Map<String, Value>>,
    caller: Caller,
    cancel: &CancellationToken,
) -> Result<Answer, ToolError> {
    let mode = server.mode();
    let Some(entry) = server.catalog().get(name) else {
        return Err(server.catalog().unknown(name, mode));
    };
    // The gate comes first: a hidden tool does not tell its schema.
    if entry.spec.mode > mode {
        return Err(Catalog::hidden(&entry.spec, mode));
    }
    let arguments = arguments::check(&entry.tool.input_schema, arguments)?;
    let call = Call { app: server.app().clone(), caller };
    handle(entry.clone(), call, arguments, cancel).await
}

async fn handle(
    entry: Arc<Entry>,
    call: Call,
    arguments: Map<String, Value>,
    cancel: &CancellationToken,
) -> Result<Answer, ToolError> {
    let name = entry.spec.name;
    // A read may end with its reader; what changes something goes on to its end.
    let abortable = entry.spec.hints.read_only;
    let mut task =
        tokio::spawn(async move { (entry.spec.handler)(call, Value::Object(arguments)).await });
    let joined = tokio::select! {
        joined = &mut task => joined,
        () = cancel.cancelled(), if abortable => {
            task.abort();
            task.await
        }
    };
    match joined {
        Ok(done) => done,
        Err(error) if error.is_cancelled() => {
            Err(ToolError::new("cancelled", "the call was cancelled", "Call again if you need it."))
        }
        Err(_) => Err(ToolError::internal(format!("{name} panicked"))),
    }
}

fn render(done: Result<Answer, ToolError>) -> CallToolResult {
    match done {
        Ok(answer) => {
            let mut result = CallToolResult::structured(Value::Object(answer.structured));
            result.content = vec![ContentBlock::text(answer.text)];
            result
        }
        Err(error) => {
            let text = format!("{} ({}). {}", error.message, error.code, error.hint);
            let mut result = CallToolResult::structured_error(Value::Object(error.to_object()));
            result.content = vec![ContentBlock::text(text)];
            result
        }
    }
}

/// What the audit says a call was about: the worker, else the repository, that it names.
fn target_of(arguments: Option<&Map<String, Value>>) -> Option<String> {
    let arguments = arguments?;
    let named = ["worker", "name", "repo_path"].iter().find_map(|key| arguments.get(*key))?;
    Some(named.as_str()?.chars().filter(|c| !c.is_control()).take(200).collect())
}
