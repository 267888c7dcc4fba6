use super::Workers;
use super::begin::Entry;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// The scheduler looks again after this, even when nobody woke it.
const LOOK_AGAIN: Duration = Duration::from_secs(5);
/// While turns are held back it looks more often: their end, or another login, is near perhaps.
const LOOK_AT_HOLDS: Duration = Duration::from_secs(1);
/// How long turns have to end when the engine is stopped.
const STOP_LIMIT: Duration = Duration::from_secs(30);

impl Workers {
    /// Claims turns and carries them, at most `server.max_concurrent_turns` at once, until `cancel`.
    pub async fn run(&self, cancel: CancellationToken) {
        while !cancel.is_cancelled() {
            let pause = self.before_claims().await;
            self.claim_all(&cancel).await;
            tokio::select! {
                () = cancel.cancelled() => {}
                () = self.room.wake.notified() => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// Looks at what holds turns back; says after which time to look again.
    async fn before_claims(&self) -> Duration {
        if let Err(error) = self.look_at_holds().await {
            tracing::error!(%error, "what holds turns back could not be looked at");
        }
        let holds = self.store().holds().await.unwrap_or_default();
        let now = self.room.deps.clock.now_ms();
        let left = holds.iter().filter_map(|hold| hold.until).map(|until| until - now).min();
        let left = left.map(|ms| Duration::from_millis(ms.max(0).unsigned_abs() + 1));
        match holds.is_empty() {
            true => LOOK_AGAIN,
            false => left.unwrap_or(LOOK_AT_HOLDS).min(LOOK_AT_HOLDS),
        }
    }

    async fn claim_all(&self, cancel: &CancellationToken) {
        let most = self.room.deps.config.server.max_concurrent_turns;
        while !cancel.is_cancelled() && !self.room.closing.is_cancelled() {
            match self.store().claim_turn(&self.room.engine, most).await {
                Ok(Some((turn, lease))) => self.carry(turn, lease, Entry::Fresh),
                Ok(None) => return,
                Err(error) => {
                    tracing::error!(%error, "no turn could be claimed");
                    return;
                }
            }
        }
    }

    /// Lets go of all turns. With `keep_turns` they go on without this engine and the next one picks
    /// them up; otherwise they are interrupted and their ends stored. The scheduler must be cancelled.
    pub async fn shutdown(&self, keep_turns: bool) {
        self.room.tasks.close();
        if !keep_turns {
            self.room.closing.cancel();
            for active in self.room.active.all() {
                active.ask_stop(Some("patchbay was stopped"));
            }
            if tokio::time::timeout(STOP_LIMIT, self.room.tasks.wait()).await.is_err() {
                tracing::error!("some turns did not end in time");
            }
        }
        self.room.leave.cancel();
        self.room.tasks.wait().await;
        if let Err(error) = self.room.deps.journal.flush().await {
            tracing::error!(%error, "the journal could not be flushed");
        }
    }
}
