use super::args::StdioArgs;
use super::engine::Engine;
use super::error::CliError;
use super::global::Global;
use super::settings::Settings;
use crate::ids::EngineId;
use crate::lock::{EngineLock, LockError};
use crate::mcp::socket::{self, SocketError, Want};
use crate::mcp::{End, StdioClient};
use crate::paths::StateDir;
use crate::secret::Secret;
use std::process::ExitCode;
use std::time::Duration;

/// How long a relay looks for an engine that is just starting or ending, in steps of 50 ms.
const TRIES: u32 = 200;

/// `patchbay stdio`: serves the host that started this process, as a relay of the running engine, else
/// as the engine itself until the host closes its side.
///
/// # Errors
/// A setting or the state directory is not to be had, or no engine answers.
pub(super) async fn run(args: &StdioArgs, global: &Global) -> Result<ExitCode, CliError> {
    let state = global.state()?;
    let settings = Settings::load(global, &state, &args.serve, None)?;
    for note in &settings.notes {
        global.terminal().note(note);
    }
    let session = EngineId::mint(&global.clock).as_str().to_owned();
    let mut client = StdioClient::new(session, tokio::io::stdin(), tokio::io::stdout());
    let token = Secret::ensure_token(&state)?;
    let mut tries = 0;
    loop {
        let end = match Engine::open(global, state.clone(), &settings).await {
            Ok(engine) => Some(as_engine(engine, &mut client).await),
            Err(error) if error.code == "engine_running" => {
                relayed(&state, &token, &mut client).await?
            }
            Err(error) => return Err(error),
        };
        match end {
            Some(End::ClientGone) => return Ok(ExitCode::SUCCESS),
            Some(End::EngineGone) => tries = 0,
            None if tries >= TRIES => return Err(nobody_answers(&state)),
            None => {
                tries += 1;
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

/// Serves the client here. A stop from outside ends the process, as it ends any engine.
async fn as_engine(engine: Engine, client: &mut StdioClient) -> End {
    let server = engine.server().clone();
    let cancel = engine.cancel();
    let keep_turns = tokio::select! {
        _ = client.serve(&server, cancel) => true,
        keep_turns = engine.until_stopped() => keep_turns,
    };
    engine.close(keep_turns).await;
    End::ClientGone
}

/// Passes the client on to the running engine; `None` when it does not answer yet.
async fn relayed(
    state: &StateDir,
    token: &Secret,
    client: &mut StdioClient,
) -> Result<Option<End>, CliError> {
    let want = Want::Mcp { session: client.session().to_owned() };
    match socket::ask(state, token, want).await {
        Ok((stream, _)) => Ok(Some(client.relay(stream).await)),
        Err(SocketError::NoEngine) => Ok(None),
        Err(other) => Err(anyhow::Error::from(other).into()),
    }
}

fn nobody_answers(state: &StateDir) -> CliError {
    let holder = match EngineLock::holder(state) {
        Ok(Some(pid)) => format!("process {pid}"),
        Ok(None) | Err(LockError::EngineRunning { .. }) => "another process".to_owned(),
        Err(error) => error.to_string(),
    };
    CliError::failed(
        "engine_silent",
        format!("{holder} is the engine of this state directory and does not answer"),
        "End it with `patchbay stop`, then start again.",
    )
}
