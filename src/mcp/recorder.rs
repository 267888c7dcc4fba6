use crate::store::{AuditRow, Store};
use std::collections::BTreeSet;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};

/// How long calls are gathered before they are written.
const GATHER: Duration = Duration::from_millis(100);

/// Most entries of one transaction.
const BATCH: usize = 4096;

/// Sessions that were not used for 30 days are forgotten.
const SESSION_AGE_MS: i64 = 30 * 24 * 3600 * 1000;

enum Entry {
    Call(Box<AuditRow>, Option<String>),
    Close(oneshot::Sender<()>),
}

/// Writes the audit and the use of sessions in batches, so that a call does not wait for the disk.
#[derive(Clone)]
pub(crate) struct Recorder(mpsc::Sender<Entry>);

impl Recorder {
    /// Starts the writing task; it ends with [`Recorder::close`].
    pub(crate) fn start(store: Store) -> Self {
        let (sender, receiver) = mpsc::channel(2 * BATCH);
        tokio::spawn(run(store, receiver));
        Self(sender)
    }

    /// Hands over one call, and the digest of the session it came in. Waits only when 8,192 calls are
    /// unwritten.
    pub(crate) async fn call(&self, row: AuditRow, session: Option<String>) {
        if self.0.send(Entry::Call(Box::new(row), session)).await.is_err() {
            tracing::debug!("a call after the end of recording");
        }
    }

    /// Writes what is left and ends the task.
    pub(crate) async fn close(&self) {
        let (done, wait) = oneshot::channel();
        if self.0.send(Entry::Close(done)).await.is_ok() {
            let _ = wait.await;
        }
    }
}

async fn run(store: Store, mut receiver: mpsc::Receiver<Entry>) {
    if let Err(error) = store.prune_mcp_sessions(SESSION_AGE_MS).await {
        tracing::warn!(%error, "old sessions were not pruned");
    }
    let mut unwritten = Unwritten::default();
    loop {
        let entries = gather(&mut receiver).await;
        if entries.is_empty() {
            return;
        }
        if let Some(done) = write(&store, entries, &mut unwritten).await {
            let _ = done.send(());
            return;
        }
    }
}

/// The next entries: what comes in within a tenth of a second, or at once what is left at the end.
async fn gather(receiver: &mut mpsc::Receiver<Entry>) -> Vec<Entry> {
    let mut entries = Vec::new();
    receiver.recv_many(&mut entries, BATCH).await;
    if !entries.iter().any(|e| matches!(e, Entry::Close(_))) && !entries.is_empty() {
        tokio::time::sleep(GATHER).await;
        while entries.len() < BATCH
            && let Ok(entry) = receiver.try_recv()
        {
            entries.push(entry);
        }
    }
    entries
}

/// What a full disk kept from being written.
#[derive(Default)]
struct Unwritten {
    calls: Vec<AuditRow>,
    sessions: BTreeSet<String>,
}

/// Writes entries, after those that are unwritten; gives back who asked for the end, if somebody did.
async fn write(
    store: &Store,
    entries: Vec<Entry>,
    all: &mut Unwritten,
) -> Option<oneshot::Sender<()>> {
    let mut closing = None;
    for entry in entries {
        match entry {
            Entry::Call(row, session) => {
                all.calls.push(*row);
                all.sessions.extend(session);
            }
            Entry::Close(done) => closing = Some(done),
        }
    }
    let sessions: Vec<String> = all.sessions.iter().cloned().collect();
    match store.record_traffic(&all.calls, &sessions).await {
        Err(error) if error.is_full() && all.calls.len() < BATCH && closing.is_none() => {
            tracing::error!(%error, waiting = all.calls.len(), "the audit waits for room");
        }
        Err(error) => {
            tracing::error!(%error, lost = all.calls.len(), "the audit could not be written");
            *all = Unwritten::default();
        }
        Ok(()) => *all = Unwritten::default(),
    }
    closing
}
