use super::args::StopArgs;
use super::error::CliError;
use super::global::Global;
use crate::codex;
use crate::lock::EngineLock;
use crate::mcp::socket::{self, SocketError, Want};
use crate::paths::StateDir;
use crate::secret::Secret;
use serde_json::json;
use std::process::ExitCode;
use std::time::Duration;
use tokio::io::AsyncReadExt;

/// Turns are interrupted and codex is ended within this, or something is wrong.
const PATIENCE: Duration = Duration::from_secs(60);

/// `patchbay stop`: ends the engine, its turns and codex; with `--keep-turns` the turns go on. Without
/// an engine it ends the codex that an earlier one left.
///
/// # Errors
/// The engine refuses, or does not end in time.
pub(super) async fn run(args: &StopArgs, global: &Global) -> Result<ExitCode, CliError> {
    let state = global.state()?;
    let stopped = stop_engine(&state, args.keep_turns).await?;
    // The engine has ended codex already; this is for one whose engine was killed.
    let ended = !args.keep_turns && codex::end_sidecar(&state).await;
    let text = match (stopped, args.keep_turns) {
        (true, true) => "patchbay has stopped; running turns go on",
        (true, false) => "patchbay has stopped",
        (false, _) if ended => "no patchbay was running; the codex it had left has ended",
        (false, _) => "no patchbay was running",
    };
    let answer = json!({"ok": true, "stopped": stopped, "codex_ended": stopped || ended});
    global.terminal().answer(&answer, text);
    Ok(ExitCode::SUCCESS)
}

async fn stop_engine(state: &StateDir, keep_turns: bool) -> Result<bool, CliError> {
    let Some(token) = Secret::read_token(state)? else { return Ok(false) };
    let (mut stream, _) = match socket::ask(state, &token, Want::Stop { keep_turns }).await {
        Ok(asked) => asked,
        Err(SocketError::NoEngine) => return Ok(false),
        Err(other) => return Err(anyhow::Error::from(other).into()),
    };
    // The stream stays open until the engine is gone.
    let mut rest = Vec::new();
    let gone = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut rest)).await;
    if gone.is_err() || !released(state).await? {
        return Err(CliError::failed(
            "stop_timeout",
            format!("patchbay did not stop within {} s", PATIENCE.as_secs()),
            "Look at its log; ending the process with SIGTERM leaves turns to go on.",
        ));
    }
    Ok(true)
}

/// Waits until the engine lock is free: the socket closes a moment before the process is gone.
async fn released(state: &StateDir) -> Result<bool, CliError> {
    for _ in 0..200 {
        if EngineLock::holder(state).map_err(anyhow::Error::from)?.is_none() {
            return Ok(true);
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    Ok(false)
}
