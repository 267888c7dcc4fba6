use super::WorkerError;
use super::active::Active;
use crate::journal::JournalError;
use crate::store::StoreError;
use crate::worktree::WorktreeError;
use std::fmt::Display;
use std::time::Duration;

/// The first pause before something is tried again, and the longest.
const PAUSE: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(5);

/// A failure that can be for want of room.
pub(super) trait MayBeFull: Display {
    /// Whether the same call can succeed later, when there is room.
    fn is_full(&self) -> bool;
}

impl MayBeFull for StoreError {
    fn is_full(&self) -> bool {
        Self::is_full(self)
    }
}

impl MayBeFull for WorktreeError {
    fn is_full(&self) -> bool {
        Self::is_full(self)
    }
}

impl MayBeFull for WorkerError {
    fn is_full(&self) -> bool {
        match self {
            Self::Git(error) => error.is_full(),
            Self::Worktree(error) => error.is_full(),
            Self::Store(error) | Self::Journal(JournalError::Store(error)) => error.is_full(),
            _ => false,
        }
    }
}

/// A pause between tries that doubles.
pub(super) struct Pause(Duration);

impl Pause {
    pub(super) fn new() -> Self {
        Self(PAUSE)
    }

    pub(super) async fn wait(&mut self) {
        tokio::time::sleep(self.0).await;
        self.0 = (self.0 * 2).min(LONGEST);
    }
}

impl Active {
    /// Does something of the turn as often as it fails for want of room; the turn says so meanwhile. The end
    /// of the engine ends the wait as well: the turn is taken up by the next one.
    pub(super) async fn with_room<T, E, F>(&self, mut act: impl FnMut() -> F) -> Result<T, E>
    where
        E: MayBeFull,
        F: Future<Output = Result<T, E>>,
    {
        let mut pause = Pause::new();
        loop {
            match act().await {
                Err(error) if error.is_full() => {
                    tracing::error!(%error, turn = %self.turn, "no room for what belongs to a turn");
                    self.set_full(true);
                    pause.wait().await;
                }
                done => {
                    self.set_full(false);
                    return done;
                }
            }
        }
    }

    /// As [`Active::with_room`], for what comes before the agent has the turn: a stop ends the wait, with the
    /// error.
    pub(super) async fn with_room_to_begin<T, E, F>(
        &self,
        mut act: impl FnMut() -> F,
    ) -> Result<T, E>
    where
        E: MayBeFull,
        F: Future<Output = Result<T, E>>,
    {
        let mut pause = Pause::new();
        loop {
            let done = act().await;
            let full = done.as_ref().err().is_some_and(E::is_full);
            self.set_full(full && !self.stop.is_cancelled());
            if !full || self.stop.is_cancelled() {
                return done;
            }
            tokio::select! {
                () = self.stop.cancelled() => {}
                () = pause.wait() => {}
            }
        }
    }
}
