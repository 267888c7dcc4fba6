use crate::ids::{TurnId, WorkerId};
use std::collections::{HashMap, HashSet};
use tokio::sync::broadcast;

/// How many pieces a slow subscriber may be behind before it loses some.
const BEHIND: usize = 1024;
/// Running items whose gaps are remembered. There are as many as turns, a few each.
const GAPS: usize = 4096;

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
    /// Pieces of the item before this one were lost: what was shown of it is not all of it. So it
    /// stays until the completed item comes.
    pub gap: bool,
}

type Item = (TurnId, String);

/// Deltas that wait for the next tick, so that an item sends at most ten pieces a second.
pub(super) struct Live {
    out: broadcast::Sender<LiveDelta>,
    waiting: HashMap<Item, LiveDelta>,
    gaps: HashSet<Item>,
}

impl Live {
    pub(super) fn new() -> (Self, broadcast::Sender<LiveDelta>) {
        let out = broadcast::Sender::new(BEHIND);
        (Self { out: out.clone(), waiting: HashMap::new(), gaps: HashSet::new() }, out)
    }

    pub(super) fn add(&mut self, mut delta: LiveDelta) {
        let key = (delta.turn.clone(), delta.item.clone());
        if delta.gap && self.gaps.len() < GAPS {
            self.gaps.insert(key.clone());
        }
        if self.out.receiver_count() == 0 {
            return;
        }
        delta.gap |= self.gaps.contains(&key);
        match self.waiting.get_mut(&key) {
            Some(waiting) => {
                waiting.text.push_str(&delta.text);
                waiting.gap |= delta.gap;
            }
            None => {
                self.waiting.insert(key, delta);
            }
        }
    }

    /// The item is whole: nothing of it is missing any more.
    pub(super) fn whole(&mut self, turn: &TurnId, item: &str) {
        if !self.gaps.is_empty() || !self.waiting.is_empty() {
            let key = (turn.clone(), item.to_owned());
            self.gaps.remove(&key);
            self.waiting.remove(&key);
        }
    }

    /// The turn is over: items of it that never became whole are forgotten.
    pub(super) fn over(&mut self, turn: &TurnId) {
        self.gaps.retain(|(of, _)| of != turn);
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
