use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How long a client counts as present after its last call, in milliseconds.
const RECENT_MS: i64 = 15 * 60 * 1000;

/// From how many remembered clients on the old ones are forgotten.
const REMEMBERED: usize = 4096;

/// Who is connected: open sessions, and clients that called lately. Kept in memory; many hosts open a
/// session for each call or none at all, which is why both numbers are shown.
#[derive(Debug, Clone, Default)]
pub struct Presence(Arc<Mutex<Seen>>);

#[derive(Debug, Default)]
struct Seen {
    open: usize,
    recent: HashMap<String, i64>,
}

/// One open session; dropping it says that the session is gone.
#[derive(Debug)]
pub struct Seat(Presence);

impl Presence {
    /// Counts a session as open until the seat is dropped.
    #[must_use]
    pub fn enter(&self) -> Seat {
        self.seen().open += 1;
        Seat(self.clone())
    }

    /// How many sessions are open now (legacy HTTP, stdio, private socket).
    #[must_use]
    pub fn open_sessions(&self) -> usize {
        self.seen().open
    }

    /// How many clients called within the last 15 minutes before `now` (Unix milliseconds).
    #[must_use]
    pub fn recent_clients(&self, now: i64) -> usize {
        self.seen().recent.values().filter(|at| now - **at <= RECENT_MS).count()
    }

    /// Notes a call of a client.
    pub(crate) fn called(&self, client_ref: &str, now: i64) {
        let mut seen = self.seen();
        match seen.recent.get_mut(client_ref) {
            Some(at) => *at = now,
            None => {
                if seen.recent.len() >= REMEMBERED {
                    seen.recent.retain(|_, at| now - *at <= RECENT_MS);
                }
                seen.recent.insert(client_ref.to_owned(), now);
            }
        }
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut seen = self.0.seen();
        seen.open = seen.open.saturating_sub(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seats_and_recent_clients_are_counted() {
        let presence = Presence::default();
        let seat = presence.enter();
        let other = presence.enter();
        assert_eq!(presence.open_sessions(), 2);
        drop(seat);
        assert_eq!(presence.open_sessions(), 1);
        drop(other);
        presence.called("a", 1_000);
        presence.called("b", 1_000 + RECENT_MS);
        assert_eq!(presence.recent_clients(1_000 + RECENT_MS), 2);
        assert_eq!(presence.recent_clients(1_001 + RECENT_MS), 1);
    }
}
