use super::LiveDelta;
use super::live::Live;
use crate::ids::TurnId;
use crate::store::{NewEvent, Store, StoreError};
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until};

/// A batch is stored when its oldest event has waited this long …
const OLDEST: Duration = Duration::from_millis(100);
/// … when an event that somebody may wait for has waited this long …
const NOTABLE: Duration = Duration::from_millis(5);
/// … or when it has this many.
const MOST: usize = 256;
/// A batch that could not be stored is tried again after this, doubled up to five seconds.
const RETRY: Duration = Duration::from_millis(100);

/// What the writing task is asked to do.
pub(super) enum Work {
    Event(NewEvent),
    Usage(TurnId, String),
    Delta(LiveDelta),
    Over(TurnId),
    Flush(oneshot::Sender<Result<(), StoreError>>),
    Close,
}

pub(super) struct Task {
    store: Store,
    queue: mpsc::Receiver<Work>,
    live: Live,
    batch: Vec<NewEvent>,
    usage: HashMap<TurnId, String>,
    due: Option<Instant>,
    retry: Duration,
    /// Whether the store refused the last batch for want of room.
    full: Arc<AtomicBool>,
}

impl Task {
    pub(super) fn new(
        store: Store,
        queue: mpsc::Receiver<Work>,
        live: Live,
        full: Arc<AtomicBool>,
    ) -> Self {
        let (batch, usage) = (Vec::new(), HashMap::new());
        Self { store, queue, live, batch, usage, due: None, retry: RETRY, full }
    }

    /// Runs until the journal is closed or nobody holds it any more.
    pub(super) async fn run(mut self) {
        loop {
            // A batch that the store refused waits for its next try; the queue pushes back meanwhile.
            let full = self.batch.len() >= MOST;
            tokio::select! {
                () = tick(self.due) => self.store_batch().await,
                work = self.queue.recv(), if !full => match work {
                    Some(Work::Close) | None => break,
                    Some(work) => self.take(work).await,
                },
            }
        }
        self.store_batch().await;
    }

    async fn take(&mut self, work: Work) {
        let mut patience = OLDEST;
        match work {
            Work::Event(event) => {
                if event.phase == "completed" {
                    self.live.whole(&event.turn, &event.item);
                }
                if event.notable {
                    patience = NOTABLE;
                }
                self.batch.push(event);
            }
            Work::Over(turn) => self.live.over(&turn),
            Work::Usage(turn, usage) => {
                self.usage.insert(turn, usage);
            }
            Work::Delta(delta) => self.live.add(delta),
            Work::Flush(done) => {
                let _ = done.send(self.try_store().await);
                return;
            }
            Work::Close => return,
        }
        if self.batch.len() >= MOST {
            self.store_batch().await;
        } else if self.has_work() {
            self.store_within(patience);
        }
    }

    /// What the store has refused keeps its time.
    fn store_within(&mut self, patience: Duration) {
        let at = Instant::now() + patience;
        if self.due.is_none_or(|due| self.retry == RETRY && at < due) {
            self.due = Some(at);
        }
    }

    fn has_work(&self) -> bool {
        !(self.batch.is_empty() && self.usage.is_empty() && self.live.is_empty())
    }

    async fn store_batch(&mut self) {
        if let Err(error) = self.try_store().await {
            tracing::error!(%error, events = self.batch.len(), "the journal could not be written");
            self.due = Some(Instant::now() + self.retry);
            self.retry = (self.retry * 2).min(Duration::from_secs(5));
        }
    }

    async fn try_store(&mut self) -> Result<(), StoreError> {
        self.live.send();
        self.due = None;
        if self.batch.is_empty() && self.usage.is_empty() {
            return Ok(());
        }
        let usage: Vec<(TurnId, String)> =
            self.usage.iter().map(|(turn, json)| (turn.clone(), json.clone())).collect();
        if let Err(error) = self.store.append_events(&self.batch, &usage).await {
            self.due = Some(Instant::now() + self.retry);
            self.full.store(error.is_full(), Ordering::Relaxed);
            return Err(error);
        }
        self.batch.clear();
        self.usage.clear();
        self.retry = RETRY;
        self.full.store(false, Ordering::Relaxed);
        Ok(())
    }
}

async fn tick(due: Option<Instant>) {
    match due {
        Some(at) => sleep_until(at).await,
        None => std::future::pending().await,
    }
}
