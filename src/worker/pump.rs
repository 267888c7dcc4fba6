use super::Workers;
use super::begin::Trip;
use crate::backend::{ItemPhase, TurnEvent};
use crate::failpoint;
use crate::journal::{JournalError, LiveDelta};
use crate::store::NewEvent;
use serde_json::{Value, json};

impl Workers {
    /// Puts an event of the agent into the journal.
    pub(super) async fn take(&self, trip: &Trip, event: TurnEvent) {
        trip.active.hear(self.room.deps.clock.now_ms());
        let stored = match event {
            TurnEvent::Began { backend_turn_id } => {
                self.began(trip, &backend_turn_id).await;
                Ok(())
            }
            TurnEvent::Ask(ask) => {
                self.asked(trip, ask).await;
                Ok(())
            }
            TurnEvent::Unasked { key } => {
                self.unasked(trip, &key).await;
                Ok(())
            }
            TurnEvent::Declined { request } => self.declined(trip, &request).await,
            TurnEvent::Item { item_id, phase, kind, payload } => {
                self.item(trip, item_id, phase, kind, &payload).await
            }
            TurnEvent::Delta { item_id, text, gap } => {
                failpoint::reach("delta").await;
                let (worker, turn) = (trip.lease.worker.clone(), trip.lease.turn.clone());
                let delta = LiveDelta { worker, turn, item: item_id, text, gap };
                self.room.deps.journal.delta(delta).await
            }
            TurnEvent::Usage { usage } => {
                self.room.deps.journal.usage(trip.lease.turn.clone(), usage.to_string()).await
            }
            TurnEvent::Error { message, will_retry } => {
                self.error(trip, &message, will_retry).await
            }
            TurnEvent::Ended(_) | TurnEvent::Lost => Ok(()),
        };
        if let Err(error) = stored {
            tracing::error!(%error, turn = %trip.lease.turn, "an event was not taken");
        }
    }

    async fn item(
        &self,
        trip: &Trip,
        item: String,
        phase: ItemPhase,
        kind: String,
        payload: &Value,
    ) -> Result<(), JournalError> {
        let phase = match phase {
            ItemPhase::Started => "started",
            ItemPhase::Completed => "completed",
        };
        let notable = kind == "agentMessage" && phase == "completed";
        if phase == "completed" && trip.spec.may_ask {
            // Whatever was asked about it was answered, perhaps by an engine that died of it.
            self.unasked(trip, &item).await;
        }
        let event = NewEvent {
            turn: trip.lease.turn.clone(),
            item,
            phase: phase.to_owned(),
            kind,
            payload: payload.to_string(),
            at: self.room.deps.clock.now_ms(),
            notable,
        };
        self.room.deps.journal.append(event).await
    }

    async fn error(
        &self,
        trip: &Trip,
        message: &str,
        will_retry: bool,
    ) -> Result<(), JournalError> {
        let payload = json!({ "message": message, "will_retry": will_retry });
        let item = crate::ids::TurnId::mint(&self.room.deps.clock);
        let event = NewEvent {
            turn: trip.lease.turn.clone(),
            item: item.as_str().replacen("trn_", "err_", 1),
            phase: "completed".to_owned(),
            kind: "error".to_owned(),
            payload: payload.to_string(),
            at: self.room.deps.clock.now_ms(),
            notable: true,
        };
        self.room.deps.journal.append(event).await
    }
}
