//! A stdio client in front of an engine that may change: the relay passes lines on, remembers how the
//! client introduced itself, and introduces it again to the next engine.

use super::connection::Connection;
use super::server::Server;
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;
use tokio::io::{
    AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader, ReadHalf, WriteHalf,
};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// Room between a client and an engine in the same process, in bytes.
const PIPE: usize = 256 << 10;

/// Why a relay ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The client closed its side, and everything it asked is answered.
    ClientGone,
    /// The engine is gone. Requests that were open have been answered with an error; the client can be
    /// given to another engine.
    EngineGone,
}

/// A stdio client: its lines, and what it said so far that the next engine must know.
pub struct StdioClient {
    session: String,
    lines: mpsc::Receiver<Vec<u8>>,
    out: Box<dyn AsyncWrite + Send + Unpin>,
    closed: bool,
    initialize: Option<(Value, Vec<u8>)>,
    initialized: Option<Vec<u8>>,
    open: Vec<Value>,
}

/// As much of a message as the relay looks at.
#[derive(Deserialize)]
struct Peek {
    id: Option<Value>,
    method: Option<String>,
    params: Option<PeekParams>,
}

#[derive(Deserialize)]
struct PeekParams {
    #[serde(rename = "requestId")]
    request_id: Option<Value>,
}

impl StdioClient {
    /// Takes the client's streams (the process's stdin and stdout). Call it inside a tokio runtime; a
    /// task reads lines from now on. `session` is 16 to 64 characters and made anew for each process.
    pub fn new(
        session: impl Into<String>,
        stdin: impl AsyncRead + Send + Unpin + 'static,
        stdout: impl AsyncWrite + Send + Unpin + 'static,
    ) -> Self {
        let (sender, lines) = mpsc::channel(64);
        tokio::spawn(read_lines(stdin, sender));
        Self {
            session: session.into(),
            lines,
            out: Box::new(stdout),
            closed: false,
            initialize: None,
            initialized: None,
            open: Vec::new(),
        }
    }

    /// The client's id, for [`super::socket::Want::Mcp`].
    #[must_use]
    pub fn session(&self) -> &str {
        &self.session
    }

    /// Serves the client by the engine in this process.
    pub async fn serve(&mut self, server: &Arc<Server>, cancel: CancellationToken) -> End {
        let (near, far) = tokio::io::duplex(PIPE);
        let connection = Connection::stdio(self.session.clone());
        let served = server.clone();
        let task = tokio::spawn(async move { served.serve_stream(far, connection, cancel).await });
        let end = self.relay(near).await;
        let _ = task.await;
        end
    }

    /// Serves the client by the engine at the other end of `engine`, until one of them is gone.
    pub async fn relay(&mut self, engine: impl AsyncRead + AsyncWrite + Send) -> End {
        let (reader, mut writer) = tokio::io::split(engine);
        let mut reader = BufReader::new(reader);
        let end = match self.introduce(&mut reader, &mut writer).await {
            Some(()) => self.pass(&mut reader, &mut writer).await,
            None => End::EngineGone,
        };
        if end == End::EngineGone {
            self.answer_open().await;
        }
        end
    }

    /// Repeats the handshake to a new engine, and swallows the answer the client has already had.
    async fn introduce<S: AsyncRead + AsyncWrite>(
        &mut self,
        reader: &mut BufReader<ReadHalf<S>>,
        writer: &mut WriteHalf<S>,
    ) -> Option<()> {
        let Some((id, line)) = &self.initialize else { return Some(()) };
        writer.write_all(line).await.ok()?;
        if self.open.contains(id) {
            return Some(()); // the client still waits for this answer
        }
        loop {
            let mut answer = Vec::new();
            if reader.read_until(b'\n', &mut answer).await.ok()? == 0 {
                return None;
            }
            if peek(&answer).is_some_and(|p| p.method.is_none() && p.id.as_ref() == Some(id)) {
                break;
            }
        }
        if let Some(line) = &self.initialized {
            writer.write_all(line).await.ok()?;
        }
        Some(())
    }

    async fn pass<S: AsyncRead + AsyncWrite>(
        &mut self,
        reader: &mut BufReader<ReadHalf<S>>,
        writer: &mut WriteHalf<S>,
    ) -> End {
        let mut answer = Vec::new();
        loop {
            if self.closed && self.open.is_empty() {
                return End::ClientGone;
            }
            tokio::select! {
                line = self.lines.recv(), if !self.closed => match line {
                    Some(line) => {
                        self.asked(&line);
                        if writer.write_all(&line).await.is_err() {
                            return End::EngineGone;
                        }
                    }
                    None => self.closed = true,
                },
                // Cancellation safe: what was read stays in `answer`.
                read = reader.read_until(b'\n', &mut answer) => {
                    if !matches!(read, Ok(1..)) || answer.last() != Some(&b'\n') {
                        return End::EngineGone;
                    }
                    if !self.tell(&answer).await {
                        return End::ClientGone;
                    }
                    self.answered(&answer);
                    answer.clear();
                }
            }
        }
    }

    /// Notes a line of the client.
    fn asked(&mut self, line: &[u8]) {
        let Some(peek) = peek(line) else { return };
        match (peek.method.as_deref(), peek.id) {
            (Some(method), Some(id)) => {
                if method == "initialize" {
                    self.initialize = Some((id.clone(), line.to_vec()));
                }
                self.open.push(id);
            }
            (Some("notifications/initialized"), None) => self.initialized = Some(line.to_vec()),
            (Some("notifications/cancelled"), None) => {
                let cancelled = peek.params.and_then(|p| p.request_id);
                self.open.retain(|id| Some(id) != cancelled.as_ref());
            }
            _ => {}
        }
    }

    /// Notes a line of the engine.
    fn answered(&mut self, line: &[u8]) {
        // All of that id: rmcp answers only one of two requests that have it, and the relay must end.
        if let Some(Peek { id: Some(id), method: None, .. }) = peek(line) {
            self.open.retain(|open| *open != id);
        }
    }

    /// Tells the client that its open requests will get no answer. `initialize` is left open: the next
    /// engine answers it.
    async fn answer_open(&mut self) {
        let handshake = self.initialize.as_ref().map(|(id, _)| id.clone());
        for id in std::mem::take(&mut self.open) {
            if Some(&id) == handshake.as_ref() {
                self.open.push(id);
                continue;
            }
            let message = "patchbay's engine ended before it answered; what it was doing may or may not \
                           be done. Call codex_worker_status to see what is so, then ask again.";
            let error = json!({"code": -32000, "message": message});
            let mut line = json!({"jsonrpc": "2.0", "id": id, "error": error}).to_string();
            line.push('\n');
            self.tell(line.as_bytes()).await;
        }
    }

    async fn tell(&mut self, line: &[u8]) -> bool {
        let written = self.out.write_all(line).await;
        written.is_ok() && self.out.flush().await.is_ok()
    }
}

fn peek(line: &[u8]) -> Option<Peek> {
    serde_json::from_slice(line).ok()
}

async fn read_lines(stdin: impl AsyncRead + Unpin, lines: mpsc::Sender<Vec<u8>>) {
    let mut stdin = BufReader::new(stdin);
    loop {
        let mut line = Vec::new();
        match stdin.read_until(b'\n', &mut line).await {
            Ok(0) | Err(_) => return,
            Ok(_) => {
                if line.last() != Some(&b'\n') {
                    line.push(b'\n'); // a client may end without one
                }
                if lines.send(line).await.is_err() {
                    return;
                }
            }
        }
    }
}
