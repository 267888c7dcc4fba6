use super::Workers;
use super::active::{Active, Running};
use super::carry::Outcome;
use super::error::backend_code;
use crate::backend::{
    Attached, BackendError, Ending, EventSink, ThreadRef, ThreadSpec, TurnEvent, TurnSpec,
};
use crate::store::TurnLease;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, sleep_until};

/// How long an interrupted turn has to end.
const STOP_LIMIT: Duration = Duration::from_secs(15);
/// How long one call to interrupt may take.
const INTERRUPT_LIMIT: Duration = Duration::from_secs(10);
/// Pauses between the tries to find a turn again; the last one is the limit of patience (20 s in all).
pub(super) const PAUSES: &[u64] = &[0, 100, 300, 1_000, 3_000, 5_000, 10_000];

/// How a turn is taken up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Entry {
    /// It was claimed just now.
    Fresh,
    /// The agent may have it already: an earlier engine, or an earlier connection, began it.
    Again,
}

/// All that the way of one turn needs.
pub(super) struct Trip {
    pub(super) lease: TurnLease,
    pub(super) active: Arc<Active>,
    pub(super) thread: ThreadRef,
    pub(super) spec: ThreadSpec,
    pub(super) message: TurnSpec,
}

/// How a connection to a turn ended.
enum Leg {
    Over(Outcome),
    /// The connection is gone; whether there was any event on it.
    Lost(bool),
}

impl Workers {
    /// Follows a turn to its end, over as many connections as it takes.
    pub(super) async fn ride(&self, trip: &Trip, mut entry: Entry) -> Outcome {
        let mut tries = 0;
        loop {
            match self.leg(trip, entry).await {
                Leg::Over(outcome) => return outcome,
                Leg::Lost(heard) => {
                    tries = if heard { 0 } else { tries + 1 };
                    let Some(pause) = PAUSES.get(tries) else {
                        let text = "the connection to codex broke and could not be made again";
                        return Outcome::Unknown("codex_unreachable", text.to_owned());
                    };
                    sleep(Duration::from_millis(*pause)).await;
                    entry = Entry::Again;
                }
            }
        }
    }

    /// One connection: events are taken while the call that opens it still runs, because an agent
    /// that replays a long turn fills the sink before it answers.
    async fn leg(&self, trip: &Trip, entry: Entry) -> Leg {
        let (sink, mut events) = mpsc::channel(1024);
        let mut call = pin!(self.call(trip, entry, sink));
        let (mut called, mut open, mut heard) = (false, true, false);
        let mut deadline: Option<Instant> = None;
        loop {
            tokio::select! {
                answer = &mut call, if !called => {
                    called = true;
                    match answer {
                        Ok(Attached::Running { backend_turn_id }) => {
                            self.began(trip, &backend_turn_id).await;
                        }
                        Ok(Attached::Ended) => {}
                        Ok(Attached::NeverTaken) => return Leg::Over(Outcome::NeverTaken),
                        Err(BackendError::Disconnected(_)) => return Leg::Lost(heard),
                        // The app-server is another one than the thread was opened on.
                        Err(BackendError::ThreadGone(_)) if entry == Entry::Fresh => {
                            return Leg::Lost(heard);
                        }
                        Err(error) => return Leg::Over(refused(entry, &error)),
                    }
                }
                event = events.recv(), if open => match event {
                    Some(TurnEvent::Ended(ending)) => return Leg::Over(Outcome::Ended(ending)),
                    Some(TurnEvent::Lost) => return Leg::Lost(heard),
                    Some(event) => {
                        heard = true;
                        self.take(trip, event).await;
                    }
                    None if called => return Leg::Lost(heard),
                    None => open = false,
                },
                () = trip.active.stop.cancelled(), if deadline.is_none() && is_running(trip) => {
                    deadline = Some(Instant::now() + STOP_LIMIT);
                    self.interrupt(trip).await;
                }
                () = at(deadline), if deadline.is_some() => {
                    tracing::error!(turn = %trip.lease.turn, "an interrupted turn does not end");
                    return Leg::Over(Outcome::Ended(Ending::Interrupted));
                }
            }
            if called && !open {
                return Leg::Lost(heard);
            }
        }
    }

    async fn call(
        &self,
        trip: &Trip,
        entry: Entry,
        sink: EventSink,
    ) -> Result<Attached, BackendError> {
        let backend = &self.room.deps.backend;
        match entry {
            Entry::Again => backend.attach(&trip.thread, &trip.spec, &trip.message, sink).await,
            Entry::Fresh => {
                let id = backend.start_turn(&trip.thread, &trip.spec, &trip.message, sink).await?;
                Ok(Attached::Running { backend_turn_id: id })
            }
        }
    }

    /// Notes that the agent has the turn; called for each sign of it.
    pub(super) async fn began(&self, trip: &Trip, agent_turn: &str) {
        let store = || self.store().turn_began(&trip.lease, agent_turn);
        if let Err(error) = trip.active.with_room(store).await {
            tracing::error!(%error, turn = %trip.lease.turn, "the begin of a turn was not stored");
        }
        let now = Running { thread: trip.thread.clone(), agent_turn: agent_turn.to_owned() };
        trip.active.running.send_if_modified(|running| {
            let new = running.as_ref() != Some(&now);
            *running = Some(now);
            new
        });
    }

    async fn interrupt(&self, trip: &Trip) {
        let Some(running) = trip.active.running.borrow().clone() else { return };
        let call = self.room.deps.backend.interrupt(&running.thread, &running.agent_turn);
        match tokio::time::timeout(INTERRUPT_LIMIT, call).await {
            // It ended by itself in the meantime: its end is on the way.
            Ok(Ok(()) | Err(BackendError::NoActiveTurn)) => {}
            Ok(Err(error)) => tracing::warn!(%error, "codex did not take an interrupt"),
            Err(_) => tracing::warn!("codex did not answer an interrupt"),
        }
    }
}

fn is_running(trip: &Trip) -> bool {
    trip.active.running.borrow().is_some()
}

/// A refusal of a fresh turn is its failure; a turn that cannot be found again may have done its work.
fn refused(entry: Entry, error: &BackendError) -> Outcome {
    match entry {
        Entry::Fresh => Outcome::Failed(backend_code(error), error.to_string()),
        Entry::Again => Outcome::Unknown(backend_code(error), error.to_string()),
    }
}

async fn at(deadline: Option<Instant>) {
    match deadline {
        Some(at) => sleep_until(at).await,
        None => std::future::pending().await,
    }
}
