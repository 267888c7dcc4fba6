use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

/// The locks that guards of this process hold now, so that a start-up repair that runs beside the
/// first calls does not take a living one for a dead one's.
#[derive(Debug, Clone, Default)]
pub(super) struct Live {
    /// Held while a row is taken and noted, and while rows are repaired.
    pub(super) taking: Arc<tokio::sync::Mutex<()>>,
    held: Arc<Mutex<HashSet<(String, i64)>>>,
}

impl Live {
    pub(super) fn note(&self, repo_key: &str, epoch: i64) {
        self.set().insert((repo_key.to_owned(), epoch));
    }

    pub(super) fn forget(&self, repo_key: &str, epoch: i64) {
        self.set().remove(&(repo_key.to_owned(), epoch));
    }

    pub(super) fn holds(&self, repo_key: &str, epoch: i64) -> bool {
        self.set().contains(&(repo_key.to_owned(), epoch))
    }

    fn set(&self) -> std::sync::MutexGuard<'_, HashSet<(String, i64)>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
