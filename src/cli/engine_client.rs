use super::error::CliError;
use crate::mcp::socket::{self, SocketError, Want};
use crate::paths::StateDir;
use crate::secret::Secret;
use rmcp::ServiceExt;
use rmcp::model::CallToolRequestParams;
use rmcp::service::{RoleClient, RunningService};
use serde_json::{Map, Value};
use std::time::Duration;

/// A call of the command line waits no longer than this; tools answer within 45 s.
const PATIENCE: Duration = Duration::from_secs(60);

/// An MCP client of the running engine, over its private socket.
pub(super) struct EngineClient {
    service: RunningService<RoleClient, ()>,
}

impl EngineClient {
    /// Connects.
    ///
    /// # Errors
    /// `no_engine` when no server runs on this state directory.
    pub(super) async fn connect(state: &StateDir) -> Result<Self, CliError> {
        let Some(token) = Secret::read_token(state)? else { return Err(no_engine()) };
        let want = Want::Mcp { session: session()? };
        let (stream, _) = socket::ask(state, &token, want).await?;
        let service = ().serve(stream).await.map_err(|e| broken(&e.to_string()))?;
        Ok(Self { service })
    }

    /// Calls a tool; gives its data and its text.
    ///
    /// # Errors
    /// The tool's own code, sentence and hint when it did not do what it was asked.
    pub(super) async fn call(
        &self,
        tool: &'static str,
        arguments: Map<String, Value>,
    ) -> Result<(Value, String), CliError> {
        let request = CallToolRequestParams::new(tool).with_arguments(arguments);
        let called = tokio::time::timeout(PATIENCE, self.service.call_tool(request)).await;
        let result = called
            .map_err(|_| broken("it did not answer within a minute"))?
            .map_err(|e| broken(&e.to_string()))?;
        let data = result.structured_content.unwrap_or(Value::Null);
        if result.is_error == Some(true) {
            let member = |name: &str| data[name].as_str().unwrap_or("unknown").to_owned();
            return Err(CliError::failed(member("code"), member("message"), member("hint")));
        }
        let texts = result.content.iter().filter_map(|block| Some(block.as_text()?.text.as_str()));
        let text = texts.collect::<Vec<_>>().join("\n");
        Ok((data, text))
    }

    /// Lets go of the engine.
    pub(super) async fn close(self) {
        let _ = self.service.cancel().await;
    }
}

/// An id of this run of the command line, for the engine's list of clients.
fn session() -> Result<String, CliError> {
    let random = Secret::generate()
        .map_err(|e| CliError::failed("no_randomness", e.to_string(), "Try again."))?;
    Ok(format!("cli-{}", &random.expose()[..28]))
}

fn no_engine() -> CliError {
    CliError::failed(
        "no_engine",
        "no patchbay runs on this state directory",
        "Start one with `patchbay start`; PATCHBAY_HOME names another state directory.",
    )
}

fn broken(what: &str) -> CliError {
    CliError::failed(
        "engine_broken",
        format!("the running patchbay could not be asked: {what}"),
        "See `patchbay status`, and the server's own output.",
    )
}

impl From<SocketError> for CliError {
    fn from(error: SocketError) -> Self {
        match error {
            SocketError::NoEngine => no_engine(),
            SocketError::TooLong(_) => Self::failed(
                "state_path_too_long",
                error.to_string(),
                "Name a shorter directory in PATCHBAY_HOME.",
            ),
            other => broken(&other.to_string()),
        }
    }
}
