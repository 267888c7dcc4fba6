use super::live::Live;
use super::payload::Head;
use super::task::{Task, Work};
use super::{LiveDelta, payload};
use crate::ids::{TurnId, WorkerId};
use crate::paths::StateDir;
use crate::store::{EventRow, NewEvent, Store, StoreError};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::{Mutex, broadcast, mpsc, oneshot};
use tokio::task::JoinHandle;

/// Events that wait for the writing task; a sender waits when there are more.
const QUEUE: usize = 4096;

/// Why the journal could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The journal is closed.
    #[error("the journal is closed")]
    Closed,
    /// A payload's file is gone or was changed.
    #[error("the journal lost a payload: {0}")]
    Payload(String),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The journal of all turns. Cheap to clone.
#[derive(Clone)]
pub struct Journal {
    store: Store,
    state: StateDir,
    work: mpsc::Sender<Work>,
    live: broadcast::Sender<LiveDelta>,
    task: Arc<Mutex<Option<JoinHandle<()>>>>,
    full: Arc<AtomicBool>,
}

impl Journal {
    /// Starts the writing task. Must be called inside a tokio runtime.
    #[must_use]
    pub fn start(store: Store, state: StateDir) -> Self {
        let (work, queue) = mpsc::channel(QUEUE);
        let (live, out) = Live::new();
        let full = Arc::new(AtomicBool::new(false));
        let task = Task::new(store.clone(), queue, live, Arc::clone(&full));
        let task = Arc::new(Mutex::new(Some(tokio::spawn(task.run()))));
        Self { store, state, work, live: out, task, full }
    }

    /// Hands an event to the writing task, which stores it within 100 ms, a notable one within 5 ms.
    /// Waits only when 4,096 events are waiting already.
    ///
    /// # Errors
    /// [`JournalError::Closed`].
    pub async fn append(&self, mut event: NewEvent) -> Result<(), JournalError> {
        if event.payload.len() > payload::LARGEST {
            match payload::keep(&self.state, &mut event.payload.as_bytes()) {
                Ok(kept) => event.payload = kept.to_string(),
                // It stays in the row, which is tried again until there is room.
                Err(error) => tracing::warn!(%error, "a large payload got no file of its own"),
            }
        }
        self.send(Work::Event(event)).await
    }

    /// Notes the token usage of a turn (JSON); the last one wins.
    ///
    /// # Errors
    /// [`JournalError::Closed`].
    pub async fn usage(&self, turn: TurnId, usage: String) -> Result<(), JournalError> {
        self.send(Work::Usage(turn, usage)).await
    }

    /// Passes a piece of output on to subscribers. It is not stored.
    ///
    /// # Errors
    /// [`JournalError::Closed`].
    pub async fn delta(&self, delta: LiveDelta) -> Result<(), JournalError> {
        if self.live.receiver_count() == 0 && !delta.gap {
            return Ok(());
        }
        self.send(Work::Delta(delta)).await
    }

    /// A turn is over: gaps of its items are forgotten.
    ///
    /// # Errors
    /// [`JournalError::Closed`].
    pub async fn over(&self, turn: TurnId) -> Result<(), JournalError> {
        self.send(Work::Over(turn)).await
    }

    /// Waits until everything that was appended before is stored.
    ///
    /// # Errors
    /// [`JournalError::Store`] when the store refuses; the events are kept and tried again.
    pub async fn flush(&self) -> Result<(), JournalError> {
        let (done, stored) = oneshot::channel();
        self.send(Work::Flush(done)).await?;
        Ok(stored.await.map_err(|_| JournalError::Closed)??)
    }

    /// Notes what somebody else found: whether there is room for events.
    pub fn set_full(&self, full: bool) {
        self.full.store(full, Ordering::Relaxed);
    }

    /// Whether events wait because there is no room to store them.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.full.load(Ordering::Relaxed)
    }

    /// Live pieces of output of all workers, at most ten a second an item. A slow reader loses some.
    #[must_use]
    pub fn subscribe(&self) -> broadcast::Receiver<LiveDelta> {
        self.live.subscribe()
    }

    /// Stored events of a worker after the cursor `seq`, oldest first, at most `limit`.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn after(
        &self,
        worker: &WorkerId,
        seq: i64,
        limit: u32,
    ) -> Result<Vec<EventRow>, JournalError> {
        Ok(self.store.events_after(worker, seq, limit).await?)
    }

    /// The payload of an event, whole, wherever it is.
    ///
    /// # Errors
    /// [`JournalError::Payload`] when its file is gone or is not what was written.
    pub fn payload(&self, event: &EventRow) -> Result<String, JournalError> {
        payload::whole(&self.state, &event.payload)
    }

    /// The beginning of a text in the payload of an event: of the member `name`, at most `most` bytes.
    /// A large payload is read through, and never whole in memory. Nothing when there is no such text.
    ///
    /// # Errors
    /// [`JournalError::Payload`] when its file is gone or is not what was written.
    pub async fn head(
        &self,
        event: EventRow,
        name: &'static str,
        most: usize,
    ) -> Result<Option<Head>, JournalError> {
        let state = self.state.clone();
        let read = move || payload::head(&state, &event, name, most);
        tokio::task::spawn_blocking(read).await.map_err(|_| JournalError::Closed)?
    }

    /// Stores what waits and ends the writing task.
    pub async fn close(&self) {
        let _ = self.send(Work::Close).await;
        if let Some(task) = self.task.lock().await.take() {
            let _ = task.await;
        }
    }

    async fn send(&self, work: Work) -> Result<(), JournalError> {
        self.work.send(work).await.map_err(|_| JournalError::Closed)
    }
}
