use super::connection::Connection;
use super::facts::{Check, CheckStatus, Facts};
use super::recorder::Recorder;
use super::registry::{Catalog, CatalogError, mode_name};
use super::session::Session;
use super::{ToolSpec, tools};
use crate::app::App;
use crate::config::{Config, ToolMode};
use serde_json::{Value, json};
use std::sync::{Arc, OnceLock};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// Somebody asked the engine to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StopRequest {
    /// Leave running turns to the sidecar instead of interrupting them.
    pub keep_turns: bool,
}

/// The MCP server: one for a process, shared by all connections of all transports.
pub struct Server {
    app: Arc<App>,
    catalog: Catalog,
    facts: Facts,
    recorder: Recorder,
    stop: watch::Sender<Option<StopRequest>>,
    url: OnceLock<String>,
    started_at: i64,
}

impl Server {
    /// Makes the server with all tools. Call it inside a tokio runtime; it starts the task that writes
    /// the audit.
    ///
    /// # Errors
    /// [`CatalogError`] when two families declare one name.
    pub fn start(app: Arc<App>) -> Result<Arc<Self>, CatalogError> {
        let facts = Facts::default();
        let specs = tools::all(&facts);
        Self::with_tools(app, specs, facts)
    }

    /// Makes the server with these tools instead of all.
    ///
    /// # Errors
    /// As [`Server::start`].
    pub fn with_tools(
        app: Arc<App>,
        specs: Vec<ToolSpec>,
        facts: Facts,
    ) -> Result<Arc<Self>, CatalogError> {
        let catalog = Catalog::new(specs)?;
        facts.learn(&catalog);
        facts.set_checks(own_checks(&app.config));
        Ok(Arc::new(Self {
            recorder: Recorder::start(app.store.clone()),
            started_at: app.clock.now_ms(),
            stop: watch::Sender::new(None),
            url: OnceLock::new(),
            app,
            catalog,
            facts,
        }))
    }

    /// All rooms.
    #[must_use]
    pub fn app(&self) -> &Arc<App> {
        &self.app
    }

    /// All tools.
    #[must_use]
    pub fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    /// Who is connected and what was checked.
    #[must_use]
    pub fn facts(&self) -> &Facts {
        &self.facts
    }

    /// Adds checks to those the server makes itself; `codex_self_test` shows them from now on.
    pub fn add_checks(&self, checks: Vec<Check>) {
        let mut all = own_checks(&self.app.config);
        all.extend(checks);
        self.facts.set_checks(all);
    }

    /// The tool mode of connections.
    #[must_use]
    pub fn mode(&self) -> ToolMode {
        self.app.config.app.tool_mode
    }

    /// Says where the server is reached, without the secret; shown by `status`. The first call counts.
    pub fn set_url(&self, url: impl Into<String>) {
        let _ = self.url.set(url.into());
    }

    /// Facts about the engine for `status`: no secret, no state path.
    #[must_use]
    pub fn status(&self) -> Value {
        let now = self.app.clock.now_ms();
        json!({
            "name": "patchbay",
            "version": env!("CARGO_PKG_VERSION"),
            "pid": std::process::id(),
            "url": self.url.get(),
            "started_at": self.started_at,
            "uptime_seconds": (now - self.started_at) / 1000,
            "tool_mode": mode_name(self.mode()),
            "open_sessions": self.facts.presence.open_sessions(),
            "recent_clients": self.facts.presence.recent_clients(now),
            "tunnel": self.facts.reach.status(),
            "checks": self.facts.checks(),
        })
    }

    /// Asks the engine to end; whoever holds [`Server::stop_requests`] does it.
    pub fn request_stop(&self, request: StopRequest) {
        self.stop.send_replace(Some(request));
    }

    /// Becomes `Some` when somebody asks the engine to end.
    #[must_use]
    pub fn stop_requests(&self) -> watch::Receiver<Option<StopRequest>> {
        self.stop.subscribe()
    }

    /// A handler for one connection, or one request of the stateless era.
    pub(crate) fn session(self: &Arc<Self>, connection: Option<Connection>) -> Session {
        Session::new(self.clone(), connection)
    }

    /// Serves MCP, one JSON message a line, until the stream ends or `cancel` fires. Answers that are
    /// not ready when the stream's reading side ends are lost.
    pub async fn serve_stream<S>(
        self: &Arc<Self>,
        stream: S,
        connection: Connection,
        cancel: CancellationToken,
    ) where
        S: AsyncRead + AsyncWrite + Send + 'static,
    {
        let _seat = self.facts.presence.enter();
        let session = self.session(Some(connection));
        let halves = tokio::io::split(stream);
        // A token of its own: rmcp cancels the one it is given when the connection ends.
        let own = cancel.child_token();
        match rmcp::service::serve_server_with_ct(session, halves, own).await {
            Ok(running) => {
                let _ = running.waiting().await;
            }
            Err(error) => tracing::debug!(%error, "a connection ended before it was set up"),
        }
    }

    /// Writes what is left of the audit. Call it last; later calls are not recorded.
    pub async fn close(&self) {
        self.recorder.close().await;
    }

    pub(crate) fn recorder(&self) -> &Recorder {
        &self.recorder
    }
}

/// What the server knows without looking further.
fn own_checks(config: &Config) -> Vec<Check> {
    let repositories = match (&config.repositories.default, config.repositories.allowed.len()) {
        (Some(_), more) => Check::new(
            "repositories",
            CheckStatus::Pass,
            format!("a default repository and {more} further allowed roots"),
        ),
        (None, 0) => Check::new(
            "repositories",
            CheckStatus::Fail,
            "no repository is allowed; start patchbay with --root <repository>",
        ),
        (None, some) => Check::new(
            "repositories",
            CheckStatus::Pass,
            format!("{some} allowed roots, no default: name repo_path in each call"),
        ),
    };
    let auth = if config.auth.enabled {
        Check::new("http_auth", CheckStatus::Pass, "HTTP asks for the token")
    } else {
        Check::new("http_auth", CheckStatus::Warn, "auth.enabled is false: loopback needs no token")
    };
    vec![repositories, auth]
}
