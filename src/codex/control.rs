use super::websocket::WebSocket;
use super::{CodexError, socket};
use crate::paths::StateDir;
use crate::process::{Identity, Ladder};
use serde::{Deserialize, Serialize};
use std::io;
use std::path::PathBuf;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;

/// What a server asks of the sidecar: one JSON line each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case")]
pub(super) enum Ask {
    /// Say who you are, as soon as codex is up or has failed. The open connection is the sign of life.
    Hello,
    /// End codex and everything below it, then answer and exit.
    End,
}

/// What the sidecar runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Facts {
    /// The sidecar itself.
    pub(super) sidecar: Identity,
    /// The app-server.
    pub(super) codex: Identity,
    /// Its version.
    pub(super) version: String,
    /// Its binary.
    pub(super) bin: PathBuf,
    /// SHA-256 of the configuration it was started with.
    pub(super) config: String,
    /// Where its socket really is, for the case that the link to it is deleted. A sidecar of an older
    /// build does not say it.
    #[serde(default)]
    pub(super) socket: Option<PathBuf>,
}

/// What the sidecar answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub(super) enum Answer {
    /// Codex is up.
    Up(Facts),
    /// Codex did not come up; its last words.
    Failed {
        /// The end of its standard error.
        detail: String,
    },
    /// Everything was ended.
    Ended,
}

/// The sidecar's control socket.
pub(super) fn own_socket(state: &StateDir) -> PathBuf {
    state.run().join("sidecar.sock")
}

/// The record of the sidecar and its app-server.
pub(super) fn record(state: &StateDir) -> PathBuf {
    state.run().join("sidecar.json")
}

/// What the record says.
pub(super) fn facts(state: &StateDir) -> Option<Facts> {
    serde_json::from_slice(&std::fs::read(record(state)).ok()?).ok()
}

/// The app-server's socket.
pub(super) fn codex_socket(state: &StateDir) -> PathBuf {
    state.run().join("codex.sock")
}

/// Where codex's standard error goes.
pub(super) fn codex_log(state: &StateDir) -> PathBuf {
    state.logs().join("codex.log")
}

/// Connects to the app-server of these facts, wherever its socket is reachable.
///
/// # Errors
/// When it is not, or when somebody else listens there.
pub(super) async fn dial(state: &StateDir, facts: &Facts) -> io::Result<WebSocket> {
    socket::connect_to(&codex_socket(state), facts.socket.as_deref(), &facts.codex).await
}

/// A connection to the sidecar. While it is open, the sidecar knows that a server is there.
#[derive(Debug)]
pub(super) struct Link {
    stream: BufReader<UnixStream>,
    sidecar: Option<Identity>,
}

impl Link {
    /// Connects; `None` when no sidecar listens.
    pub(super) async fn connect(state: &StateDir) -> Option<Self> {
        let stream = UnixStream::connect(own_socket(state)).await.ok()?;
        let sidecar = stream.peer_cred().ok().and_then(|peer| Identity::of(peer.pid()?));
        Some(Self { stream: BufReader::new(stream), sidecar })
    }

    async fn ask(&mut self, ask: Ask, limit: Duration) -> io::Result<Answer> {
        let mut line = serde_json::to_string(&ask)?;
        line.push('\n');
        let exchange = async {
            self.stream.get_mut().write_all(line.as_bytes()).await?;
            let mut answer = String::new();
            self.stream.read_line(&mut answer).await?;
            Ok(serde_json::from_str(&answer)?)
        };
        tokio::time::timeout(limit, exchange).await.map_err(|_| io::ErrorKind::TimedOut)?
    }

    /// Asks what runs; waits until codex is up or has failed.
    ///
    /// # Errors
    /// [`CodexError::Config`] when codex did not take its configuration, [`CodexError::Start`] when it did
    /// not come up for another reason, [`CodexError::Sidecar`] when the sidecar does not answer or ends.
    pub(super) async fn hello(&mut self) -> Result<Facts, CodexError> {
        match self.ask(Ask::Hello, Duration::from_secs(40)).await {
            Ok(Answer::Up(facts)) => Ok(facts),
            Ok(Answer::Failed { detail }) => Err(failed(detail)),
            Ok(Answer::Ended) => Err(CodexError::Sidecar("it is ending".to_owned())),
            Err(error) => Err(CodexError::Sidecar(error.to_string())),
        }
    }

    /// Asks it to end codex and itself; returns when nothing of them is left. A sidecar that does not
    /// obey is ended.
    pub(super) async fn end(mut self) -> Result<(), CodexError> {
        let asked = self.ask(Ask::End, Duration::from_secs(30)).await;
        let Some(sidecar) = self.sidecar else {
            return asked.map(drop).map_err(|e| CodexError::Sidecar(e.to_string()));
        };
        if sidecar.ended_within(Duration::from_secs(10)).await
            || Ladder::default().end(&sidecar).await
        {
            Ok(())
        } else {
            Err(CodexError::Sidecar("it did not end".to_owned()))
        }
    }
}

/// Codex names the file when its configuration is at fault (seen with unknown keys, types, profiles).
fn failed(detail: String) -> CodexError {
    let words = ["config.toml", "default_permissions", "configuration field"];
    if words.iter().any(|w| detail.contains(w)) {
        CodexError::Config(detail)
    } else {
        CodexError::Start(detail)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_a_sidecar_of_another_build_are_understood() {
        let process = r#"{"pid":7,"start_time":1,"session":7,"more":0}"#;
        let older = format!(
            r#"{{"state":"up","sidecar":{process},"codex":{process},"version":"0.169.0","bin":"/b","config":"c"}}"#
        );
        let Ok(Answer::Up(facts)) = serde_json::from_str(&older) else { panic!("{older}") };
        assert_eq!(facts.socket, None);
        let newer = older.replace(r#""config""#, r#""unheard_of":[1],"config""#);
        assert_eq!(serde_json::from_str::<Answer>(&newer).unwrap(), Answer::Up(facts));
    }
}
