use crate::ids::{TurnId, WorkerId};
use std::collections::HashMap;
use tokio::sync::broadcast;

/// How many pieces a slow subscriber may be behind before it loses some.
const BEHIND: usize = 1024;

/// A piece of output of a running item. It is never stored; the completed item replaces it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveDelta {
    /// Whose.
    pub worker: WorkerId,
    /// In which turn.
    pub turn: TurnId,
    /// The agent's id of the item.
    pub item: String,
    /// What came since the last piece.
    pub text: String,
}

/// Deltas that wait for the next tick, so that an item sends at most ten pieces a second.
pub(super) struct Live {
    out: broadcast::Sender<LiveDelta>,
    waiting: HashMap<(TurnId, String), LiveDelta>,
}

impl Live {
    pub(super) fn new() -> (Self, broadcast::Sender<LiveDelta>) {
        let out = broadcast::Sender::new(BEHIND);
        (Self { out: out.clone(), waiting: HashMap::new() }, out)
    }

    pub(super) fn add(&mut self, delta: LiveDelta) {
        if self.out.receiver_count() == 0 {
            return;
        }
        let key = (delta.turn.clone(), delta.item.clone());
        match self.waiting.get_mut(&key) {
            Some(waiting) => waiting.text.push_str(&delta.text),
            None => {
                self.waiting.insert(key, delta);
            }
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    pub(super) fn send(&mut self) {
        for (_, delta) in self.waiting.drain() {
            // Nobody listens any more: the completed item will say it all.
            let _ = self.out.send(delta);
        }
    }
}
