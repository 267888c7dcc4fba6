use super::client::Client;
use super::control::{self, Facts, Link};
use super::sidecar::SidecarArgs;
use super::{CodexError, CodexProgram, check, home, variables};
use crate::config::CodexConfig;
use crate::paths::{Env, StateDir};
use crate::process::{Io, Spawn};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::path::PathBuf;
use std::time::Duration;

/// Everything that is needed to have an app-server.
#[derive(Debug, Clone)]
pub(super) struct Launch {
    pub(super) state: StateDir,
    pub(super) env: Env,
    pub(super) config: std::sync::Arc<CodexConfig>,
    pub(super) sidecar_program: PathBuf,
    pub(super) idle_seconds: u64,
}

/// An app-server that took our configuration, and the connection to it.
#[derive(Debug)]
pub(super) struct Live {
    pub(super) client: Client,
    pub(super) facts: Facts,
    /// Its being open tells the sidecar that we are there.
    pub(super) _link: Link,
}

impl Launch {
    /// Reconnects to the app-server that runs, when it is the one we would start; else starts one.
    pub(super) async fn live(&self, codex: &CodexProgram) -> Result<Live, CodexError> {
        let settings = home::settings(codex, &self.env, &self.config, &self.state);
        let digest = hex::encode(Sha256::digest(settings.to_string()));
        let (link, facts) = match self.running(codex, &digest).await {
            Some(found) => found,
            None => self.start(codex, &settings, &digest).await?,
        };
        match self.join(&settings).await {
            Ok(client) => Ok(Live { client, facts, _link: link }),
            Err(error) => {
                // No turn may run on it: it goes, so that the next attempt starts anew.
                let _ = link.end().await;
                Err(error)
            }
        }
    }

    /// The sidecar that runs already. One with another codex or configuration is ended.
    async fn running(&self, codex: &CodexProgram, digest: &str) -> Option<(Link, Facts)> {
        let mut link = Link::connect(&self.state).await?;
        let refused = match link.hello().await {
            Ok(facts) if Self::usable(&facts, codex, digest) => return Some((link, facts)),
            Ok(facts) => format!("codex {} has other settings, or is dead", facts.version),
            Err(error) => error.to_string(),
        };
        // There is one sidecar at a time: this one is gone before another starts.
        let ended = link.end().await;
        tracing::info!(refused, ?ended, "the sidecar is replaced");
        None
    }

    /// Whether it is the codex that we would start, with the same settings, and still alive.
    fn usable(facts: &Facts, codex: &CodexProgram, digest: &str) -> bool {
        facts.config == digest && facts.bin == codex.binary && facts.codex.alive()
    }

    async fn start(
        &self,
        codex: &CodexProgram,
        settings: &Value,
        digest: &str,
    ) -> Result<(Link, Facts), CodexError> {
        check::sandbox_check(codex, &self.env, &self.state).await?;
        home::write(&self.state, &self.env, &self.config, settings)?;
        self.spawn(codex, settings, digest)?;
        let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
        loop {
            if let Some(mut link) = Link::connect(&self.state).await {
                match link.hello().await {
                    Ok(facts) => return Ok((link, facts)),
                    Err(error) => {
                        let _ = link.end().await;
                        return Err(error.redacted(&variables::secrets(settings)));
                    }
                }
            }
            if tokio::time::Instant::now() > deadline {
                return Err(CodexError::Sidecar("it did not come up within 20 s".to_owned()));
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    fn spawn(
        &self,
        codex: &CodexProgram,
        settings: &Value,
        digest: &str,
    ) -> Result<(), CodexError> {
        let log = self.state.logs().join("sidecar.log");
        let args = SidecarArgs {
            state: self.state.root().to_path_buf(),
            bin: codex.binary.clone(),
            version: codex.version.clone(),
            config: digest.to_owned(),
            idle_seconds: self.idle_seconds,
        };
        let mut child = Spawn::new(&self.sidecar_program)
            .arg("sidecar")
            .args(args.to_args())
            .envs(home::environment(&self.env))
            .envs(variables::passed(settings, &self.env))
            .env("CODEX_HOME", self.state.codex_home())
            .dir(self.state.root())
            .stdout(Io::Append(log.clone()))
            .stderr(Io::Append(log))
            .in_our_group()
            .start()
            .map_err(|e| CodexError::Sidecar(e.to_string()))?;
        // While this server lives, it is the one that must reap it.
        tokio::spawn(async move { child.wait().await });
        Ok(())
    }

    async fn join(&self, settings: &Value) -> Result<Client, CodexError> {
        let spool = self.state.run().join("codex.spool");
        let client = Client::open(&control::codex_socket(&self.state), spool).await?;
        let read = client.call("config/read", json!({ "includeLayers": true })).await?;
        taken(&read, settings, &self.state)?;
        Ok(client)
    }
}

/// Compares what codex says that it reads with what was written. A configuration that it cannot use is
/// otherwise dropped in silence and defaults are used (seen); a trust entry would show as well.
fn taken(read: &Value, settings: &Value, state: &StateDir) -> Result<(), CodexError> {
    let file = state.codex_home().join("config.toml");
    let layers = read["layers"].as_array().map(Vec::as_slice).unwrap_or_default();
    let user = layers
        .iter()
        .find(|layer| layer["name"]["type"] == "user")
        .ok_or_else(|| CodexError::Config("it reads no configuration file".to_owned()))?;
    if user["name"]["file"].as_str().map(std::path::Path::new) != Some(&file) {
        return Err(CodexError::Config(format!(
            "it reads {} instead of ours",
            user["name"]["file"]
        )));
    }
    if user["config"] != *settings {
        let keys = differing(&user["config"], settings);
        return Err(CodexError::Config(format!("it reads other values of: {}", keys.join(", "))));
    }
    // `sandbox_mode` in any layer would switch the permission profiles off.
    let mode = &read["config"]["sandbox_mode"];
    if !mode.is_null() {
        return Err(CodexError::Config(format!("a system configuration sets sandbox_mode {mode}")));
    }
    Ok(())
}

fn differing(one: &Value, other: &Value) -> Vec<String> {
    let keys = |v: &Value| v.as_object().map(|o| o.keys().cloned().collect()).unwrap_or_default();
    let mut all: std::collections::BTreeSet<String> = keys(one);
    all.extend::<std::collections::BTreeSet<String>>(keys(other));
    all.into_iter().filter(|key| one.get(key) != other.get(key)).collect()
}
