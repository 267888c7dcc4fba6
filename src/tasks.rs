//! Background tasks and their ordered shutdown.
//! siblings: app

use crate::app::App;
use std::sync::Arc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// The tasks that run as long as the engine does.
pub struct Tasks {
    cancel: CancellationToken,
    scheduler: JoinHandle<()>,
}

impl Tasks {
    /// Picks up what an earlier engine left (locks, half-done integrations and worktrees, running
    /// turns), then starts claiming turns.
    #[must_use]
    pub fn start(app: &Arc<App>) -> Self {
        let cancel = CancellationToken::new();
        let scheduler = tokio::spawn(run(app.clone(), cancel.clone()));
        tokio::spawn(anchor(app.clone(), cancel.clone()));
        Self { cancel, scheduler }
    }

    /// Stops claiming turns. Unless they are kept, running turns are interrupted and waited for.
    pub async fn stop(self, app: &App, keep_turns: bool) {
        self.cancel.cancel();
        app.workers.shutdown(keep_turns).await;
        if let Err(error) = self.scheduler.await {
            tracing::error!(%error, "the scheduler ended badly");
        }
    }
}

async fn run(app: Arc<App>, cancel: CancellationToken) {
    tokio::select! {
        () = room(&app) => {}
        () = cancel.cancelled() => return,
    }
    recover(&app).await;
    app.workers.run(cancel).await;
}

/// How often what was committed is brought to the disk for good.
const ANCHOR: std::time::Duration = std::time::Duration::from_secs(30);

async fn anchor(app: Arc<App>, cancel: CancellationToken) {
    let mut changed = app.store.watch();
    loop {
        tokio::select! {
            () = cancel.cancelled() => return,
            () = tokio::time::sleep(ANCHOR) => {}
        }
        if changed.has_changed().unwrap_or(false) {
            changed.mark_unchanged();
            if let Err(error) = app.store.anchor().await {
                tracing::warn!(%error, "the store was not brought to the disk");
            }
        }
    }
}

/// How often a full disk is tried before anything is recovered.
const ROOM: std::time::Duration = std::time::Duration::from_secs(1);

/// Nothing can be taken up that cannot be stored.
async fn room(app: &App) {
    while let Err(error) = app.store.try_write().await {
        app.journal.set_full(error.is_full());
        if !error.is_full() {
            return;
        }
        tracing::error!(%error, "what an earlier engine left waits for room");
        tokio::time::sleep(ROOM).await;
    }
    app.journal.set_full(false);
}

/// Each step is on its own: one that fails is logged and leaves the others to be done.
async fn recover(app: &App) {
    let swept = crate::codex::sidecar::sweep_dead(&app.state).await;
    if swept > 0 {
        tracing::warn!(swept, "processes that a dead sidecar had left were ended");
    }
    if let Err(error) = app.locks.reconcile(&app.git).await {
        tracing::error!(%error, "locks of an earlier engine could not be reconciled");
    }
    if let Err(error) = app.integrations.reconcile(&app.git).await {
        tracing::error!(%error, "integrations of an earlier engine could not be reconciled");
    }
    if let Err(error) = app.worktrees.reconcile(&app.git).await {
        tracing::error!(%error, "worktrees of an earlier engine could not be reconciled");
    }
    if let Err(error) = app.workers.recover().await {
        tracing::error!(%error, "turns of an earlier engine could not be picked up");
    }
}
