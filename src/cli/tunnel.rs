use super::engine::Engine;
use super::error::CliError;
use super::global::Global;
use super::settings::Settings;
use crate::config::{TunnelConfig, TunnelMode};
use crate::tunnel::{Pauses, Tunnel, TunnelError, TunnelOptions, find, guide};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// What `start` knows of its tunnel before there is a server: that it can be had.
pub(super) struct Plan<'a> {
    settings: &'a TunnelConfig,
    program: PathBuf,
}

impl<'a> Plan<'a> {
    /// The tunnel that the settings ask for, if any. They were checked: HTTP asks for the token.
    ///
    /// # Errors
    /// There is no cloudflared.
    pub(super) fn of(settings: &'a Settings, global: &Global) -> Result<Option<Self>, CliError> {
        let config = &settings.config.tunnel;
        match config.mode {
            TunnelMode::Off => Ok(None),
            TunnelMode::Cloudflare => {
                let program = find(config.cloudflared.as_deref(), &global.env)?;
                Ok(Some(Self { settings: config, program }))
            }
        }
    }

    /// Opens the tunnel to the port that is served already, and waits until it is healthy.
    ///
    /// # Errors
    /// It does not become healthy; then nothing is left of it.
    pub(super) async fn open(
        self,
        engine: &Engine,
        bound: SocketAddr,
        global: &Global,
    ) -> Result<Tunnel, CliError> {
        let options = TunnelOptions {
            program: self.program,
            leash: Some(global.program.clone()),
            bound,
            env: global.env.clone(),
            token: engine.token().clone(),
            patience: Duration::from_secs(self.settings.timeout_seconds.into()),
            health_base: self.settings.health_base_url.clone(),
            pauses: Pauses::default(),
        };
        Ok(Tunnel::start(options, engine.server().facts().reach.clone()).await?)
    }
}

/// What is said of the tunnel when the server is ready: for programs, and for people.
pub(super) fn told(tunnel: Option<&Tunnel>, engine: &Engine, reveal: bool) -> (Value, String) {
    let Some(tunnel) = tunnel else { return (Value::Null, String::new()) };
    let secret = if reveal { engine.token().expose() } else { "[redacted]" };
    let address = format!("https://{}/mcp/{secret}", tunnel.host);
    let text = format!("\n\n{}", guide(&address, reveal));
    (json!({ "mode": "cloudflare", "server_url": address }), text)
}

impl From<TunnelError> for CliError {
    fn from(error: TunnelError) -> Self {
        Self::failed(error.code(), error.to_string(), error.hint())
    }
}
