use super::spool::{self, Coming, Message, Spool};
use super::websocket::{Frames, Outgoing, Part, WebSocket};
use super::wire::{self, Incoming, Kind, RpcError};
use super::{CodexError, ask, large};
use crate::backend::BackendError;
use crate::failpoint;
use crate::paths::StateDir;
use serde_json::{Value, json};
use std::collections::{HashMap, HashSet};
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{mpsc, oneshot};

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

/// What the app-server says to a call.
pub(super) type Outcome = Result<Value, RpcError>;

type Waiting = Mutex<HashMap<u64, oneshot::Sender<Outcome>>>;

/// A connection to the app-server. Calls may run side by side.
#[derive(Debug)]
pub(super) struct Conn {
    out: mpsc::UnboundedSender<Outgoing>,
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
    /// Initializes over a socket. Notifications go into the spool that is given back, and from there, when
    /// there are too many, to a file of the name `spool`; it closes when the connection ends.
    pub(super) async fn over(
        socket: WebSocket,
        state: &StateDir,
        spool: &str,
    ) -> Result<(Arc<Self>, Arc<Spool>), CodexError> {
        let (frames, sink) = socket.split();
        let (out, queue) = mpsc::unbounded_channel();
        let spool = Arc::new(Spool::new(SPOOL_MEMORY, state.run().join(spool)));
        let waiting = Arc::new(Waiting::default());
        tokio::spawn(write_all(sink, queue));
        let reader = Reader {
            spool: Arc::clone(&spool),
            waiting: Arc::clone(&waiting),
            out: out.clone(),
            state: state.clone(),
            missed: HashSet::new(),
        };
        let reader = tokio::spawn(reader.run(frames));
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

    /// Refuses a request of the app-server that is never granted.
    pub(super) fn refuse(&self, id: &Value, method: &str) {
        refuse(&self.out, id, method);
    }

    /// Hands an answer to its caller.
    pub(super) fn answered(&self, id: u64, outcome: Outcome) {
        answered(&self.waiting, id, outcome);
    }

    fn send(&self, text: String) -> Result<(), CallError> {
        self.out
            .send(Outgoing::Text(text))
            .map_err(|_| CallError::Broken("the connection is closed".to_owned()))
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

fn answered(waiting: &Waiting, id: u64, outcome: Outcome) {
    if let Some(caller) = lock(waiting).remove(&id) {
        let _ = caller.send(outcome);
    }
}

fn refuse(out: &mpsc::UnboundedSender<Outgoing>, id: &Value, method: &str) {
    if ask::kind(method).is_none() {
        let _ = out.send(Outgoing::Text(wire::refusal(id, method)));
    }
}

async fn write_all(mut sink: OwnedWriteHalf, mut queue: mpsc::UnboundedReceiver<Outgoing>) {
    while let Some(outgoing) = queue.recv().await {
        let Ok(frame) = outgoing.frame() else { return };
        if sink.write_all(&frame).await.is_err() {
            return;
        }
    }
    if let Ok(frame) = Outgoing::Close.frame() {
        let _ = sink.write_all(&frame).await;
    }
}

/// Reads until the end and never waits for anybody: answers go to their callers, requests that are never
/// granted are refused at once, everything else goes into the spool. A large message goes there as it
/// comes, and is not looked at.
struct Reader {
    spool: Arc<Spool>,
    waiting: Arc<Waiting>,
    out: mpsc::UnboundedSender<Outgoing>,
    state: StateDir,
    /// Items of which pieces were dropped.
    missed: HashSet<String>,
}

impl Reader {
    async fn run(mut self, mut frames: Frames<OwnedReadHalf>) {
        if let Err(error) = self.read(&mut frames).await {
            tracing::debug!(%error, "the connection to codex ended");
        }
        lock(&self.waiting).clear();
        self.spool.close();
    }

    async fn read(&mut self, frames: &mut Frames<OwnedReadHalf>) -> io::Result<()> {
        let mut coming = Coming::default();
        while let Some(part) = frames.next().await? {
            match part {
                Part::Data { bytes, last } => {
                    self.spool.add(&mut coming, bytes)?;
                    if last {
                        self.message(std::mem::take(&mut coming).whole()?);
                    }
                }
                Part::Ping(payload) => drop(self.out.send(Outgoing::Pong(payload))),
            }
        }
        Ok(())
    }

    fn message(&mut self, message: Message) {
        match message {
            Message::Text(text) if text.len() <= spool::LARGE => self.small(text),
            large if large::answers(&large) => self.answer(large),
            large => {
                self.missed.clear();
                self.spool.push(large);
            }
        }
    }

    /// Reads a large answer beside everything else.
    fn answer(&self, answer: Message) {
        let (state, waiting) = (self.state.clone(), Arc::clone(&self.waiting));
        tokio::spawn(async move {
            if let Some(Incoming::Answer { id, outcome }) = large::take(answer, &state).await {
                answered(&waiting, id, outcome);
            }
        });
    }

    fn small(&mut self, text: String) {
        match wire::kind(&text) {
            // Whoever is behind gets no pieces of output, only the word that some are missing: the whole
            // item replaces them.
            Kind::Delta if self.spool.behind() => {
                if let Some((item, word)) = wire::gap(&text)
                    && self.missed.insert(item)
                {
                    self.spool.push(Message::Text(word));
                }
                return;
            }
            Kind::Delta | Kind::Note => {
                self.missed.clear();
                self.spool.push(Message::Text(text));
                return;
            }
            Kind::Other => {}
        }
        match wire::parse(&text) {
            Some(Incoming::Answer { id, outcome }) => answered(&self.waiting, id, outcome),
            Some(Incoming::Request { id, method, .. }) => {
                refuse(&self.out, &id, &method);
                self.spool.push(Message::Text(text));
            }
            Some(Incoming::Note { .. }) | None => {
                tracing::warn!("a message of codex was not understood");
            }
        }
    }
}
