use super::error::CliError;
use super::global::Global;
use super::settings::Settings;
use crate::app::{App, AppOptions};
use crate::doctor::{self, Patient};
use crate::lock::{EngineLock, LockError};
use crate::mcp::{Check, CheckStatus, Server, socket};
use crate::paths::{Env, StateDir};
use crate::secret::Secret;
use crate::tasks::Tasks;
use crate::web;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// The engine of a state directory: all rooms, the background tasks and the private socket. There is
/// one a state directory, held by its lock.
pub(super) struct Engine {
    app: Arc<App>,
    server: Arc<Server>,
    tasks: Tasks,
    token: Secret,
    cancel: CancellationToken,
    socket: JoinHandle<()>,
    _lock: EngineLock,
}

impl Engine {
    /// Becomes the engine: takes the lock, wires the rooms, picks up what an earlier engine left.
    ///
    /// # Errors
    /// `engine_running` when another process is the engine.
    pub(super) async fn open(
        global: &Global,
        state: StateDir,
        settings: &Settings,
    ) -> Result<Self, CliError> {
        let lock = EngineLock::try_acquire(&state).map_err(not_ours)?;
        // A limit on the size of files makes writing fail, as a full disk does, instead of ending us.
        let limit = rustix::process::Signal::XFSZ.as_raw();
        let _ = signal(SignalKind::from_raw(limit));
        let token = Secret::ensure_token(&state)?;
        let app = App::open(AppOptions {
            state: state.clone(),
            env: global.env.clone(),
            config: settings.config.clone(),
            roots: settings.roots.clone(),
            clock: global.clock.clone(),
            program: global.program.clone(),
        })
        .await?;
        let server = Server::start(app.clone()).map_err(anyhow::Error::from)?;
        let cancel = CancellationToken::new();
        let listening = socket::listen(&state).map_err(anyhow::Error::from)?;
        let run = listening.run(server.clone(), token.clone(), cancel.clone());
        let socket = tokio::spawn(run);
        let tasks = Tasks::start(&app);
        tokio::spawn(look_around(server.clone(), global.env.clone(), settings.clone()));
        Ok(Self { app, server, tasks, token, cancel, socket, _lock: lock })
    }

    /// The MCP server.
    pub(super) fn server(&self) -> &Arc<Server> {
        &self.server
    }

    /// The secret of this state directory.
    pub(super) fn token(&self) -> &Secret {
        &self.token
    }

    /// Fires when the engine ends.
    pub(super) fn cancel(&self) -> CancellationToken {
        self.cancel.clone()
    }

    /// Waits for a signal or a stop request. Returns whether running turns are to go on: after a
    /// signal they do, and `patchbay stop` says which.
    pub(super) async fn until_stopped(&self) -> bool {
        let mut requests = self.server.stop_requests();
        tokio::select! {
            asked = requests.wait_for(Option::is_some) => {
                asked.ok().and_then(|request| *request).is_none_or(|request| request.keep_turns)
            }
            () = signalled(SignalKind::terminate()) => true,
            () = signalled(SignalKind::interrupt()) => true,
        }
    }

    /// Ends everything in order: doors, background tasks, turns and codex unless they are kept, the
    /// store. The lock is free when this returns.
    pub(super) async fn close(self, keep_turns: bool) {
        self.tasks.stop(&self.app, keep_turns).await;
        self.server.close().await;
        self.app.close(keep_turns).await;
        // Last, because whoever asked for the end waits for the socket to close.
        self.cancel.cancel();
        let _ = self.socket.await;
    }
}

/// HTTP in front of an engine.
pub(super) struct Serving {
    cancel: CancellationToken,
    task: JoinHandle<std::io::Result<()>>,
}

impl Serving {
    /// Serves HTTP on a bound listener.
    pub(super) fn start(engine: &Engine, listener: TcpListener, bound: SocketAddr) -> Self {
        let cancel = CancellationToken::new();
        let router = web::mount(engine.server.clone(), engine.token.clone(), bound, cancel.clone());
        let task = tokio::spawn(web::serve(listener, router, cancel.clone()));
        Self { cancel, task }
    }

    /// Stops accepting, lets answers get out.
    pub(super) async fn stop(self) {
        self.cancel.cancel();
        if let Ok(Err(error)) = self.task.await {
            tracing::warn!(%error, "the HTTP listener broke");
        }
    }
}

/// Finds out what `codex_self_test` shows beside what the server knows itself. It takes a moment and
/// starts processes, so it runs behind the start.
async fn look_around(server: Arc<Server>, env: Env, settings: Settings) {
    let state = &server.app().state;
    let (config, roots) = (&settings.config, &settings.roots);
    let findings = doctor::examine(&Patient { env: &env, state, config, roots }).await;
    let private = state.root().to_string_lossy().into_owned();
    let checks =
        findings.into_iter().filter(|finding| SHOWN.contains(&finding.id)).map(|finding| {
            let status = match finding.status {
                doctor::Status::Pass => CheckStatus::Pass,
                doctor::Status::Warn => CheckStatus::Warn,
                doctor::Status::Fail => CheckStatus::Fail,
            };
            let fix = finding.fix.map(|fix| format!(" {fix}")).unwrap_or_default();
            let detail = format!("{}{fix}", finding.detail).replace(&private, "[state]");
            Check::new(finding.id, status, detail)
        });
    server.add_checks(checks.collect());
}

/// The doctor's findings that a chat may see.
const SHOWN: &[&str] = &["git", "codex", "sandbox", "login"];

async fn signalled(kind: SignalKind) {
    match signal(kind) {
        Ok(mut signals) => {
            signals.recv().await;
        }
        Err(error) => {
            tracing::warn!(%error, "a signal cannot be listened for");
            std::future::pending::<()>().await;
        }
    }
}

fn not_ours(error: LockError) -> CliError {
    match error {
        LockError::EngineRunning { pid } => {
            let who = pid.map_or("another process".to_owned(), |pid| format!("process {pid}"));
            CliError::failed(
                "engine_running",
                format!("{who} already serves this state directory"),
                "Use it, end it with `patchbay stop`, or name another state directory in PATCHBAY_HOME.",
            )
        }
        other => anyhow::Error::from(other).into(),
    }
}
