use super::checks::Checker;
use super::plan::Objects;
use super::{IntegrationError, Preview, Target};
use crate::clock::Clock;
use crate::git::Repo;
use crate::ids::WorkerId;
use crate::lock::Locks;
use crate::store::Store;
use crate::worktree::Worktrees;

/// Previews and applies the results of workers. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Integrations {
    pub(super) store: Store,
    pub(super) locks: Locks,
    pub(super) worktrees: Worktrees,
    pub(super) clock: Clock,
    /// Absent where nothing can be checked.
    pub(super) checker: Option<Checker>,
    #[cfg(test)]
    pub(super) halt: Option<super::tests::Halt>,
}

impl Integrations {
    /// Puts the room together.
    #[must_use]
    pub fn new(store: Store, locks: Locks, worktrees: Worktrees, clock: Clock) -> Self {
        Self {
            store,
            locks,
            worktrees,
            clock,
            checker: None,
            #[cfg(test)]
            halt: None,
        }
    }

    /// What applying the newest snapshot of a worker would do now. Nothing below the repository
    /// changes, git's objects included. `accepted` are patterns (`*` also matches `/`) of dirty base
    /// paths that may be merged with.
    ///
    /// # Errors
    /// When git, the store or the file system fails; that it cannot be applied is no error.
    pub async fn preview(
        &self,
        repo: &Repo,
        worker: &WorkerId,
        accepted: &[String],
    ) -> Result<Preview, IntegrationError> {
        self.preview_into(repo, worker, &Target::Checkout, accepted).await
    }

    /// The same for any target.
    ///
    /// # Errors
    /// As [`Integrations::preview`]; and when a branch is no usable target.
    pub async fn preview_into(
        &self,
        repo: &Repo,
        worker: &WorkerId,
        target: &Target,
        accepted: &[String],
    ) -> Result<Preview, IntegrationError> {
        Ok(self.plan(repo, worker, target, accepted, Objects::Scratch).await?.preview)
    }
}
