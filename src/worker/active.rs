use crate::backend::ThreadRef;
use crate::ids::{TurnId, WorkerId};
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// A turn that this engine carries.
pub(super) struct Active {
    pub(super) turn: TurnId,
    pub(super) worker: WorkerId,
    /// Somebody asked for its end.
    pub(super) stop: CancellationToken,
    /// Why, in the asker's words.
    pub(super) reason: Mutex<Option<String>>,
    /// The agent's names for it, once it runs.
    pub(super) running: watch::Sender<Option<Running>>,
    /// Something of it waits for room on the disk.
    full: AtomicBool,
    /// When anything was heard of it last, Unix milliseconds.
    heard: AtomicI64,
    /// It is over and stored.
    pub(super) done: CancellationToken,
}

/// What is needed to steer or interrupt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Running {
    pub(super) thread: ThreadRef,
    pub(super) agent_turn: String,
}

impl Active {
    pub(super) fn new(turn: TurnId, worker: WorkerId) -> Arc<Self> {
        Arc::new(Self {
            turn,
            worker,
            stop: CancellationToken::new(),
            reason: Mutex::default(),
            running: watch::Sender::new(None),
            full: AtomicBool::new(false),
            heard: AtomicI64::new(0),
            done: CancellationToken::new(),
        })
    }

    /// Something was heard of it at this time.
    pub(super) fn hear(&self, now_ms: i64) {
        self.heard.store(now_ms, Ordering::Relaxed);
    }

    pub(super) fn heard(&self) -> i64 {
        self.heard.load(Ordering::Relaxed)
    }

    pub(super) fn set_full(&self, full: bool) {
        self.full.store(full, Ordering::Relaxed);
    }

    /// Whether something of it waits for room on the disk.
    pub(super) fn is_full(&self) -> bool {
        self.full.load(Ordering::Relaxed)
    }

    /// Asks for the end; the first reason counts.
    pub(super) fn ask_stop(&self, reason: Option<&str>) {
        self.keep_reason(reason);
        self.stop.cancel();
    }

    /// Keeps why the end will be asked for, so that whoever sees the state sees the reason.
    pub(super) fn keep_reason(&self, reason: Option<&str>) {
        let mut kept = self.reason.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.is_none() {
            *kept = reason.map(str::to_owned);
        }
    }

    pub(super) fn stop_reason(&self) -> Option<String> {
        self.reason.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// The turns that this engine carries, by worker: one each.
#[derive(Default)]
pub(super) struct ActiveTurns {
    by_worker: Mutex<HashMap<WorkerId, Arc<Active>>>,
}

impl ActiveTurns {
    pub(super) fn add(&self, active: &Arc<Active>) {
        let mut map = self.by_worker.lock().unwrap_or_else(PoisonError::into_inner);
        map.insert(active.worker.clone(), Arc::clone(active));
    }

    /// Forgets a turn and tells whoever waits for its end.
    pub(super) fn remove(&self, active: &Arc<Active>) {
        let mut map = self.by_worker.lock().unwrap_or_else(PoisonError::into_inner);
        if map.get(&active.worker).is_some_and(|now| now.turn == active.turn) {
            map.remove(&active.worker);
        }
        drop(map);
        active.done.cancel();
    }

    pub(super) fn of(&self, worker: &WorkerId) -> Option<Arc<Active>> {
        self.by_worker.lock().unwrap_or_else(PoisonError::into_inner).get(worker).cloned()
    }

    pub(super) fn all(&self) -> Vec<Arc<Active>> {
        let map = self.by_worker.lock().unwrap_or_else(PoisonError::into_inner);
        map.values().cloned().collect()
    }
}
