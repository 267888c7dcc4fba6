use super::client::Client;
use super::control::{self, Facts, Link};
use super::locate::at_least;
use super::sidecar::SidecarArgs;
use super::socket::{self, SocketId};
use super::{CodexError, CodexProgram, check, home, login, variables};
use crate::clock::Clock;
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
    pub(super) clock: Clock,
}

/// The app-server that new turns are to have.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    pub(super) codex: CodexProgram,
    settings: Value,
    digest: String,
}

/// The connection to an app-server.
#[derive(Debug)]
pub(super) struct Live {
    pub(super) client: Client,
    pub(super) facts: Facts,
    /// The socket that its path led to when it was connected to.
    socket: Option<SocketId>,
    /// Whether it took the configuration that it was started with.
    sound: bool,
    /// Its being open tells the sidecar that we are there.
    _link: Link,
}

impl Live {
    /// Why new turns must not run here; `None` when they may.
    ///
    /// # Errors
    /// [`CodexError::Downgrade`] when the plan is an older codex than this one.
    pub(super) fn misfit(
        &self,
        plan: &Plan,
        state: &StateDir,
    ) -> Result<Option<&'static str>, CodexError> {
        let facts = &self.facts;
        if !at_least(&plan.codex.version, &facts.version) {
            return Err(CodexError::Downgrade {
                ours: plan.codex.version.clone(),
                theirs: facts.version.clone(),
                what: "is running",
            });
        }
        Ok(if facts.version != plan.codex.version || facts.bin != plan.codex.binary {
            Some("another codex is to be used")
        } else if facts.config != plan.digest {
            Some("the settings of codex have changed")
        } else if !self.sound {
            Some("it reads another configuration than was written")
        } else if self.socket.is_none() || socket::id(&control::codex_socket(state)) != self.socket
        {
            Some("its socket was deleted or replaced")
        } else {
            None
        })
    }
}

impl Launch {
    /// What is to run with this codex.
    pub(super) fn plan(&self, codex: CodexProgram) -> Plan {
        let settings = home::settings(&codex, &self.env, &self.config, &self.state);
        let digest = hex::encode(Sha256::digest(settings.to_string()));
        Plan { codex, settings, digest }
    }

    /// Connects to the app-server that runs, whichever it is: turns may run on it. One that cannot be
    /// spoken to is ended.
    pub(super) async fn running(&self, plan: Option<&Plan>) -> Option<Live> {
        let mut link = Link::connect(&self.state).await?;
        let refused = match link.hello().await {
            Ok(facts) if !facts.codex.alive() => "codex is dead".to_owned(),
            Ok(facts) => match self.client(&facts).await {
                Ok(client) => return Some(self.known(client, facts, link, plan).await),
                Err(error) => error.to_string(),
            },
            Err(error) => error.to_string(),
        };
        // There is one sidecar at a time: this one is gone before another starts.
        let ended = link.end().await;
        tracing::warn!(refused, ?ended, "the sidecar that runs cannot be used and is replaced");
        None
    }

    /// Compares what it reads with what it should, where it is the one that would be started.
    async fn known(&self, client: Client, facts: Facts, link: Link, plan: Option<&Plan>) -> Live {
        let same = plan.filter(|plan| plan.digest == facts.config);
        let sound = match same {
            Some(plan) => self.took(&client, plan).await.is_ok(),
            None => false,
        };
        self.live(client, facts, link, sound)
    }

    fn live(&self, client: Client, facts: Facts, link: Link, sound: bool) -> Live {
        let here = socket::id(&control::codex_socket(&self.state));
        let real = facts.socket.as_deref();
        let socket = here.filter(|id| real.is_none_or(|path| socket::id(path) == Some(*id)));
        Live { client, facts, socket, sound, _link: link }
    }

    /// Starts a sidecar and its app-server; none must run.
    ///
    /// # Errors
    /// [`CodexError`]; nothing is left running then.
    pub(super) async fn start(&self, plan: &Plan) -> Result<Live, CodexError> {
        check::sandbox_check(&plan.codex, &self.env, &self.state).await?;
        let login = home::login(&self.env, &self.config);
        home::write(&self.state, &self.env, &self.config, &plan.settings)?;
        login::note(&self.state, &login);
        self.spawn(plan)?;
        let secret = |error: CodexError| error.redacted(&variables::secrets(&plan.settings));
        let (link, facts) = self.up().await.map_err(secret)?;
        let taken = match self.client(&facts).await {
            Ok(client) => self.took(&client, plan).await.map(|()| client),
            Err(error) => Err(error),
        };
        match taken {
            Ok(client) => Ok(self.live(client, facts, link, true)),
            Err(error) => {
                // No turn may run on it: it goes, so that the next attempt starts anew.
                let _ = link.end().await;
                Err(error)
            }
        }
    }

    async fn up(&self) -> Result<(Link, Facts), CodexError> {
        let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
        loop {
            if let Some(mut link) = Link::connect(&self.state).await {
                match link.hello().await {
                    Ok(facts) => return Ok((link, facts)),
                    Err(error) => {
                        let _ = link.end().await;
                        return Err(error);
                    }
                }
            }
            if tokio::time::Instant::now() > deadline {
                return Err(CodexError::Sidecar("it did not come up within 20 s".to_owned()));
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    fn spawn(&self, plan: &Plan) -> Result<(), CodexError> {
        let log = self.state.logs().join("sidecar.log");
        let args = SidecarArgs {
            state: self.state.root().to_path_buf(),
            bin: plan.codex.binary.clone(),
            version: plan.codex.version.clone(),
            config: plan.digest.clone(),
            idle_seconds: self.idle_seconds,
        };
        let mut child = Spawn::new(&self.sidecar_program)
            .arg("sidecar")
            .args(args.to_args())
            .envs(home::environment(&self.env))
            .envs(variables::passed(&plan.settings, &self.env))
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

    async fn client(&self, facts: &Facts) -> Result<Client, CodexError> {
        let stream = control::dial(&self.state, facts).await;
        let stream = stream.map_err(|e| CodexError::Start(e.to_string()))?;
        Client::over(stream, &self.state).await
    }

    /// Whether codex took the configuration.
    async fn took(&self, client: &Client, plan: &Plan) -> Result<(), CodexError> {
        let read = client.call("config/read", json!({ "includeLayers": true })).await?;
        taken(&read, &plan.settings, &self.state)
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
