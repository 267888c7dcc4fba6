use super::spool::Spool;
use super::wire::{self, Incoming, Kind, RpcError};
use super::{CodexError, ask};
use crate::backend::BackendError;
use crate::failpoint;
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::net::UnixStream;
use tokio::sync::{mpsc, oneshot};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

/// Bytes of messages that are kept in memory before the spool goes to a file.
const SPOOL_MEMORY: usize = 32 << 20;

/// How long an ordinary call may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// Notifications that nobody here reads; the app-server is asked not to send them.
const UNREAD: &[&str] = &[
    "app/list/updated",
    "item/fileChange/outputDelta",
    "item/fileChange/patchUpdated",
    "item/reasoning/textDelta",
    "mcpServer/startupStatus/updated",
    "skills/changed",
    "thread/name/updated",
    "thread/readState/changed",
    "thread/settings/updated",
    "turn/diff/updated",
];

/// Why a call gave no result.
#[derive(Debug)]
pub(super) enum CallError {
    /// The app-server answered with an error.
    Refused(RpcError),
    /// The connection is gone, or no answer came in time.
    Broken(String),
}

impl From<CallError> for BackendError {
    fn from(error: CallError) -> Self {
        match error {
            CallError::Refused(error) => Self::Refused(error.message),
            CallError::Broken(detail) => Self::Disconnected(detail),
        }
    }
}

impl From<CallError> for CodexError {
    fn from(error: CallError) -> Self {
        match error {
            CallError::Refused(error) => Self::Start(error.message),
            CallError::Broken(detail) => Self::Start(detail),
        }
    }
}

type Waiting = Mutex<HashMap<u64, oneshot::Sender<Result<Value, RpcError>>>>;

/// A connection to the app-server. Calls may run side by side.
#[derive(Debug)]
pub(super) struct Conn {
    out: mpsc::UnboundedSender<String>,
    waiting: Arc<Waiting>,
    next: AtomicU64,
    reader: tokio::task::JoinHandle<()>,
}

impl Drop for Conn {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

impl Conn {
    /// Initializes over a stream. Notifications go into the spool that is given back; it closes when
    /// the connection ends.
    pub(super) async fn over(
        stream: WebSocketStream<UnixStream>,
        spool_file: PathBuf,
    ) -> Result<(Arc<Self>, Arc<Spool>), CodexError> {
        let (sink, source) = stream.split();
        let (out, queue) = mpsc::unbounded_channel();
        let spool = Arc::new(Spool::new(SPOOL_MEMORY, spool_file));
        let waiting = Arc::new(Waiting::default());
        tokio::spawn(write_all(sink, queue));
        let reader =
            tokio::spawn(read_all(source, Arc::clone(&spool), Arc::clone(&waiting), out.clone()));
        let conn = Arc::new(Self { out, waiting, next: AtomicU64::new(1), reader });
        conn.initialize().await?;
        Ok((conn, spool))
    }

    async fn initialize(&self) -> Result<(), CallError> {
        let params = json!({
            "clientInfo": {
                "name": "patchbay", "title": "patchbay", "version": env!("CARGO_PKG_VERSION"),
            },
            "capabilities": { "experimentalApi": true, "optOutNotificationMethods": UNREAD },
        });
        self.call("initialize", params).await?;
        self.send(wire::notification("initialized"))
    }

    /// Answers a request of the app-server.
    pub(super) fn answer(&self, id: &Value, result: &Value) -> Result<(), CallError> {
        if self.closed() {
            return Err(CallError::Broken("the connection is closed".to_owned()));
        }
        self.send(wire::answer(id, result))
    }

    fn send(&self, text: String) -> Result<(), CallError> {
        self.out.send(text).map_err(|_| CallError::Broken("the connection is closed".to_owned()))
    }

    /// Calls and waits for the answer, at most a minute.
    pub(super) async fn call(&self, method: &str, params: Value) -> Result<Value, CallError> {
        self.call_within(method, params, PATIENCE).await
    }

    /// Calls and waits for the answer, at most `limit`.
    pub(super) async fn call_within(
        &self,
        method: &str,
        params: Value,
        limit: Duration,
    ) -> Result<Value, CallError> {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let (answer, answered) = oneshot::channel();
        lock(&self.waiting).insert(id, answer);
        self.send(wire::request(id, method, &params))?;
        failpoint::reach(method).await;
        match tokio::time::timeout(limit, answered).await {
            Ok(Ok(outcome)) => outcome.map_err(CallError::Refused),
            Ok(Err(_)) => Err(CallError::Broken("the connection ended".to_owned())),
            Err(_) => {
                lock(&self.waiting).remove(&id);
                Err(CallError::Broken(format!("{method} was not answered")))
            }
        }
    }

    /// Whether the connection has ended.
    pub(super) fn closed(&self) -> bool {
        self.reader.is_finished()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn write_all(
    mut sink: SplitSink<WebSocketStream<UnixStream>, Message>,
    mut queue: mpsc::UnboundedReceiver<String>,
) {
    while let Some(text) = queue.recv().await {
        if sink.send(Message::text(text)).await.is_err() {
            return;
        }
    }
    let _ = sink.close().await;
}

/// Reads until the end and never waits for anybody: answers go to their callers, requests that are never
/// granted are refused at once, everything else goes into the spool.
async fn read_all(
    mut source: SplitStream<WebSocketStream<UnixStream>>,
    spool: Arc<Spool>,
    waiting: Arc<Waiting>,
    out: mpsc::UnboundedSender<String>,
) {
    let mut missed = HashSet::new();
    while let Some(Ok(message)) = source.next().await {
        let Message::Text(text) = message else { continue };
        match wire::kind(&text) {
            // Whoever is behind gets no pieces of output, only the word that some are missing: the whole
            // item replaces them.
            Kind::Delta if spool.behind() => {
                if let Some((item, word)) = wire::gap(&text)
                    && missed.insert(item)
                {
                    spool.push(word.into());
                }
                continue;
            }
            Kind::Delta | Kind::Note => {
                missed.clear();
                spool.push(text);
                continue;
            }
            Kind::Other => {}
        }
        match wire::parse(&text) {
            Some(Incoming::Answer { id, outcome }) => {
                if let Some(caller) = lock(&waiting).remove(&id) {
                    let _ = caller.send(outcome);
                }
            }
            Some(Incoming::Request { id, method, .. }) => {
                if ask::kind(&method).is_none() {
                    let _ = out.send(wire::refusal(&id, &method));
                }
                spool.push(text);
            }
            Some(Incoming::Note { .. }) | None => {
                tracing::warn!("a message of codex was not understood")
            }
        }
    }
    lock(&waiting).clear();
    spool.close();
}
