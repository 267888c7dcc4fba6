use super::{WorkerError, Workers};
use crate::ids::WorkerId;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// What is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Until {
    /// A change of state, a message of a worker, an error, a new snapshot.
    #[default]
    Change,
    /// No turn is active or waits any more.
    Idle,
}

/// Who is waited for, and what for.
#[derive(Debug, Clone, Default)]
pub struct WaitQuery {
    /// The workers of this repository; of all when missing.
    pub repo_key: Option<String>,
    /// This worker only.
    pub worker: Option<WorkerId>,
    /// Changes after this revision count; nothing = from now on.
    pub since: Option<i64>,
    /// What is waited for.
    pub until: Until,
}

/// How a wait ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Waited {
    /// Wait from this revision next.
    pub rev: i64,
    /// Whether what was waited for happened.
    pub happened: bool,
    /// Workers with a turn that is active or waits.
    pub active: i64,
    /// How long it took.
    pub took: Duration,
}

impl Workers {
    /// The longest that [`Workers::wait`] waits: a call must be over before a proxy or a host gives it up.
    #[must_use]
    pub fn longest_wait(&self) -> Duration {
        Duration::from_secs(self.room.deps.config.server.longest_wait_seconds)
    }

    /// Waits at most `limit`, and [`Workers::longest_wait`], for a change, or for the end of all work.
    /// Returns at once when nobody works: nothing would happen.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn wait(&self, query: &WaitQuery, limit: Duration) -> Result<Waited, WorkerError> {
        let begun = Instant::now();
        let deadline = begun + limit.min(self.longest_wait());
        let mut changed = self.store().watch();
        let since = query.since.unwrap_or_else(|| *changed.borrow());
        let key = query.repo_key.as_deref();
        loop {
            // Read the revision first: what is committed meanwhile is looked at in the next round.
            let rev = *changed.borrow_and_update();
            let active = self.store().active_workers(key, query.worker.as_ref()).await?;
            let news = self.store().changed_since(since, key, query.worker.as_ref()).await?;
            let happened = match query.until {
                Until::Change => news,
                Until::Idle => active == 0,
            };
            let over = happened || active == 0;
            if over || timeout_at(deadline, changed.changed()).await.is_err() {
                return Ok(Waited { rev, happened, active, took: begun.elapsed() });
            }
        }
    }

    /// The newest revision.
    #[must_use]
    pub fn revision(&self) -> i64 {
        *self.store().watch().borrow()
    }
}
