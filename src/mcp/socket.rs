//! The engine's private socket, `<state>/run/engine.sock`: MCP for stdio relays and the command line,
//! and the verbs `status` and `stop`.
//!
//! A connection begins with one line of JSON, a greeting, which is answered by one line. After
//! `want: mcp` the stream carries MCP, one message a line; after `want: stop` it stays open until the
//! engine is gone.

use super::connection::Connection;
use super::server::{Server, StopRequest};
use crate::paths::StateDir;
use crate::secret::Secret;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio_util::sync::CancellationToken;

/// Longest first line, in bytes.
const HELLO_MAX: u64 = 4096;

/// How long the first line, or the answer to it, may take.
const HELLO_WAIT: Duration = Duration::from_secs(5);

/// The longest path a unix socket can have on every system we build for, in bytes (macOS: 103).
const PATH_MAX: usize = 103;

/// What a connection is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "want", rename_all = "snake_case")]
pub enum Want {
    /// MCP. `session` is the client's own id: 16 to 64 characters, the same across engines.
    Mcp {
        /// The client's own id.
        session: String,
    },
    /// Facts about the engine.
    Status,
    /// The end of the engine.
    Stop {
        /// Leave running turns to the sidecar.
        #[serde(default)]
        keep_turns: bool,
    },
}

#[derive(Serialize, Deserialize)]
struct Hello {
    token: String,
    #[serde(flatten)]
    want: Want,
}

/// Why the engine could not be asked.
#[derive(Debug, thiserror::Error)]
pub enum SocketError {
    /// Nobody listens: no engine runs on this state directory.
    #[error("no patchbay runs on this state directory")]
    NoEngine,
    /// The engine refused; code and sentence are its own.
    #[error("the running patchbay refused: {message} ({code})")]
    Refused {
        /// Stable snake_case code.
        code: String,
        /// The engine's sentence.
        message: String,
    },
    /// The path is longer than a socket's may be.
    #[error("the state directory's path is too long for a socket: {0}")]
    TooLong(PathBuf),
    /// The socket broke.
    #[error("the engine's socket: {0}")]
    Io(#[from] io::Error),
}

/// Where the engine listens.
#[must_use]
pub fn socket_path(state: &StateDir) -> PathBuf {
    state.run().join("engine.sock")
}

fn checked_path(state: &StateDir) -> Result<PathBuf, SocketError> {
    let path = socket_path(state);
    if path.as_os_str().len() > PATH_MAX { Err(SocketError::TooLong(path)) } else { Ok(path) }
}

/// Listens on the private socket. Only the holder of the engine lock may call this: what lies there
/// from an earlier engine is removed. `run` it until it returns.
///
/// # Errors
/// [`SocketError::TooLong`], or [`SocketError::Io`].
pub fn listen(state: &StateDir) -> Result<Listening, SocketError> {
    let path = checked_path(state)?;
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
        _ => {}
    }
    // The directory is private (0700), so nobody can connect before the mode is set.
    let listener = UnixListener::bind(&path)?;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))?;
    Ok(Listening { listener, path })
}

/// The bound socket; dropping it removes the file, so drop it (end its `run`) before the engine lock.
#[derive(Debug)]
pub struct Listening {
    listener: UnixListener,
    path: PathBuf,
}

impl Listening {
    /// Serves connections until `cancel` fires.
    pub async fn run(self, server: Arc<Server>, token: Secret, cancel: CancellationToken) {
        loop {
            let accepted = tokio::select! {
                accepted = self.listener.accept() => accepted,
                () = cancel.cancelled() => return,
            };
            match accepted {
                Ok((stream, _)) => {
                    let (server, token, cancel) = (server.clone(), token.clone(), cancel.clone());
                    tokio::spawn(async move {
                        if let Err(error) = serve(stream, &server, &token, cancel).await {
                            tracing::debug!(%error, "a connection to the private socket ended");
                        }
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "the private socket could not accept");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_file(&self.path) {
            tracing::debug!(%error, "the private socket was gone already");
        }
    }
}

async fn serve(
    stream: UnixStream,
    server: &Arc<Server>,
    token: &Secret,
    cancel: CancellationToken,
) -> io::Result<()> {
    if stream.peer_cred()?.uid() != rustix::process::geteuid().as_raw() {
        return Ok(());
    }
    let mut stream = BufReader::new(stream);
    let line = tokio::time::timeout(HELLO_WAIT, first_line(&mut stream)).await??;
    let want = match serde_json::from_str::<Hello>(&line) {
        Ok(hello) if token.matches(&hello.token) => hello.want,
        Ok(_) => return say(&mut stream, &refusal("unauthorized", "wrong token")).await,
        Err(_) => return say(&mut stream, &refusal("bad_hello", "not understood")).await,
    };
    match want {
        Want::Mcp { session } if (16..=64).contains(&session.len()) => {
            say(&mut stream, &json!({"ok": true})).await?;
            server.serve_stream(stream, Connection::stdio(session), cancel).await;
            Ok(())
        }
        Want::Mcp { .. } => {
            say(&mut stream, &refusal("bad_session", "a session id has 16 to 64 characters")).await
        }
        Want::Status => {
            let mut answer = server.status();
            answer["ok"] = json!(true);
            say(&mut stream, &answer).await
        }
        Want::Stop { keep_turns } => {
            say(&mut stream, &json!({"ok": true, "pid": std::process::id()})).await?;
            server.request_stop(StopRequest { keep_turns });
            // Held open: its end tells the asker that the engine is gone.
            let mut rest = [0_u8; 1];
            while stream.read(&mut rest).await? != 0 {}
            Ok(())
        }
    }
}

fn refusal(code: &str, message: &str) -> Value {
    json!({"ok": false, "code": code, "message": message})
}

async fn say(stream: &mut BufReader<UnixStream>, value: &Value) -> io::Result<()> {
    let mut line = value.to_string();
    line.push('\n');
    stream.write_all(line.as_bytes()).await
}

async fn first_line(stream: &mut BufReader<UnixStream>) -> io::Result<String> {
    let mut line = Vec::new();
    stream.take(HELLO_MAX).read_until(b'\n', &mut line).await?;
    if line.last() != Some(&b'\n') {
        return Err(io::Error::from(io::ErrorKind::UnexpectedEof));
    }
    String::from_utf8(line).map_err(|_| io::Error::from(io::ErrorKind::InvalidData))
}

/// Connects to the engine and says what for. Gives the stream, which carries MCP after [`Want::Mcp`],
/// and the engine's answer line.
///
/// # Errors
/// [`SocketError::NoEngine`] when nobody listens; [`SocketError::Refused`] with the engine's words.
pub async fn ask(
    state: &StateDir,
    token: &Secret,
    want: Want,
) -> Result<(BufReader<UnixStream>, Value), SocketError> {
    let path = checked_path(state)?;
    let mut stream = BufReader::new(connect(&path).await?);
    let hello = Hello { token: token.expose().to_owned(), want };
    let mut line = serde_json::to_string(&hello).map_err(io::Error::from)?;
    line.push('\n');
    stream.write_all(line.as_bytes()).await?;
    let answer = tokio::time::timeout(HELLO_WAIT, async {
        let mut line = Vec::new();
        stream.read_until(b'\n', &mut line).await?;
        io::Result::Ok(line)
    });
    let line = answer.await.map_err(io::Error::from)??;
    if line.is_empty() {
        return Err(SocketError::NoEngine); // it ended while we asked
    }
    let answer: Value = serde_json::from_slice(&line).map_err(io::Error::from)?;
    if answer["ok"] == true {
        return Ok((stream, answer));
    }
    let text = |key: &str| answer[key].as_str().unwrap_or("unknown").to_owned();
    Err(SocketError::Refused { code: text("code"), message: text("message") })
}

async fn connect(path: &Path) -> Result<UnixStream, SocketError> {
    match UnixStream::connect(path).await {
        Ok(stream) => Ok(stream),
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused
            ) =>
        {
            Err(SocketError::NoEngine)
        }
        Err(error) => Err(error.into()),
    }
}
