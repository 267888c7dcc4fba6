use super::active::Active;
use super::begin::{Entry, Trip};
use super::error::backend_code;
use super::full::MayBeFull;
use super::prepare::{Prepared, turn_spec};
use super::{WorkerError, Workers};
use crate::backend::Ending;
use crate::failpoint;
use crate::store::{TurnLease, TurnRow, TurnState};
use std::sync::Arc;

/// How a turn came to its end, before anything of it is stored.
#[derive(Debug)]
pub(super) enum Outcome {
    /// The agent ended it.
    Ended(Ending),
    /// It was stopped before the agent had it.
    NotBegun,
    /// The agent never took it.
    NeverTaken,
    /// It could not be run: a stable code and a sentence.
    Failed(&'static str, String),
    /// What became of it cannot be found out: a stable code and a sentence.
    Unknown(&'static str, String),
}

impl Outcome {
    pub(super) fn failed(error: &WorkerError) -> Self {
        let code = match error {
            WorkerError::Backend(error) => backend_code(error),
            other => other.code(),
        };
        Self::Failed(code, error.to_string())
    }
}

impl Workers {
    /// Carries a turn to its end, in a task of its own.
    pub(super) fn carry(&self, turn: TurnRow, lease: TurnLease, entry: Entry) {
        let active = Active::new(turn.id.clone(), turn.worker.clone());
        if turn.state == TurnState::Stopping {
            active.ask_stop(None);
        }
        self.room.active.add(&active);
        let this = self.clone();
        self.room.tasks.spawn(async move {
            let inner = (this.clone(), Arc::clone(&active), lease.clone());
            let mut task =
                tokio::spawn(async move { inner.0.live(turn, inner.2, &inner.1, entry).await });
            tokio::select! {
                () = this.room.leave.cancelled() => task.abort(),
                ended = &mut task => if let Err(error) = ended {
                    tracing::error!(%error, turn = %active.turn, "the task of a turn died");
                    this.give_up(&lease, &active).await;
                },
            }
            this.room.active.remove(&active);
            this.room.wake.notify_one();
        });
    }

    async fn live(&self, turn: TurnRow, lease: TurnLease, active: &Arc<Active>, entry: Entry) {
        failpoint::reach("turn_claimed").await;
        let (prepared, outcome) = match active.with_room_to_begin(|| self.prepare(&turn)).await {
            Ok(prepared) => {
                let outcome = self.travel(&turn, &lease, active, &prepared, entry).await;
                (Some(prepared), outcome.unwrap_or_else(|error| unbegun(active, &error)))
            }
            Err(error) => (None, unbegun(active, &error)),
        };
        self.settle(&turn, &lease, active, prepared.as_ref(), outcome).await;
    }

    async fn travel(
        &self,
        turn: &TurnRow,
        lease: &TurnLease,
        active: &Arc<Active>,
        prepared: &Prepared,
        entry: Entry,
    ) -> Result<Outcome, WorkerError> {
        let thread = match entry {
            Entry::Again => match self.thread_of(&turn.worker).await? {
                Some(thread) => thread,
                None => return Ok(Outcome::NeverTaken),
            },
            Entry::Fresh => {
                active.with_room_to_begin(|| self.remember_base(prepared, lease)).await?;
                if active.stop.is_cancelled() {
                    return Ok(Outcome::NotBegun);
                }
                // Codex may be waited for, until turns on an older one are over.
                tokio::select! {
                    opened = active.with_room(|| self.open_thread(prepared)) => opened?,
                    () = active.stop.cancelled() => return Ok(Outcome::NotBegun),
                }
            }
        };
        if entry == Entry::Fresh && active.stop.is_cancelled() {
            return Ok(Outcome::NotBegun);
        }
        let trip = Trip {
            lease: lease.clone(),
            active: Arc::clone(active),
            thread,
            spec: prepared.thread.clone(),
            message: turn_spec(turn),
        };
        Ok(self.ride(&trip, entry).await)
    }
}

/// What an error means before the agent has the turn: one that was stopped while it waited for room has not
/// begun.
fn unbegun(active: &Active, error: &WorkerError) -> Outcome {
    match error.is_full() && active.stop.is_cancelled() {
        true => Outcome::NotBegun,
        false => Outcome::failed(error),
    }
}
