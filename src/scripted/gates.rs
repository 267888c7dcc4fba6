use std::collections::BTreeSet;
use tokio::sync::watch;

/// Named gates that a scene waits at until a test opens them; an open gate stays open.
#[derive(Debug)]
pub(super) struct Gates {
    open: watch::Sender<BTreeSet<String>>,
}

impl Gates {
    /// All closed.
    pub(super) fn new() -> Self {
        Self { open: watch::Sender::new(BTreeSet::new()) }
    }

    /// Opens a gate for good.
    pub(super) fn open(&self, name: &str) {
        self.open.send_modify(|open| {
            open.insert(name.to_owned());
        });
    }

    /// Waits until the gate is open.
    pub(super) async fn pass(&self, name: &str) {
        // The sender lives in `self`, so the channel cannot close while we wait.
        let _ = self.open.subscribe().wait_for(|open| open.contains(name)).await;
    }
}
