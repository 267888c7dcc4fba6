use super::WorkerError;
use super::active::ActiveTurns;
use super::overlap::Touched;
use crate::backend::Backend;
use crate::clock::Clock;
use crate::config::Config;
use crate::git::{Git, Repo, RepoKey};
use crate::ids::{EngineId, WorkerId};
use crate::journal::Journal;
use crate::store::{Store, WorkerRow};
use crate::worktree::Worktrees;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// What the room works with.
pub struct WorkersDeps {
    /// The database.
    pub store: Store,
    /// The journal of turns.
    pub journal: Journal,
    /// Worktrees and snapshots.
    pub worktrees: Worktrees,
    /// The agent.
    pub backend: Arc<dyn Backend>,
    /// The operator's settings.
    pub config: Arc<Config>,
    /// The time.
    pub clock: Clock,
    /// How git is run.
    pub git: Git,
}

/// The workers of a state directory. Cheap to clone.
#[derive(Clone)]
pub struct Workers {
    pub(super) room: Arc<Room>,
}

pub(super) struct Room {
    pub(super) deps: WorkersDeps,
    /// This life of the engine; claims carry it.
    pub(super) engine: EngineId,
    /// Somebody asked to try a login again that was refused.
    pub(super) retry_login: AtomicBool,
    /// Something may be claimed.
    pub(super) wake: Notify,
    pub(super) active: ActiveTurns,
    pub(super) touched: Touched,
    pub(super) tasks: TaskTracker,
    /// The engine lets go of its turns; they go on without it.
    pub(super) leave: CancellationToken,
    /// The engine ends, and its turns with it.
    pub(super) closing: CancellationToken,
}

impl Workers {
    /// Nothing runs before [`Workers::recover`] and [`Workers::run`].
    #[must_use]
    pub fn new(deps: WorkersDeps) -> Self {
        let engine = EngineId::mint(&deps.clock);
        Self {
            room: Arc::new(Room {
                deps,
                engine,
                retry_login: AtomicBool::new(false),
                wake: Notify::new(),
                active: ActiveTurns::default(),
                touched: Touched::default(),
                tasks: TaskTracker::new(),
                leave: CancellationToken::new(),
                closing: CancellationToken::new(),
            }),
        }
    }

    /// The worker that a chat means: an id, or a name (case does not count) in `repo`, in all
    /// repositories when that is missing. Live workers come before archived ones of the same name.
    ///
    /// # Errors
    /// [`WorkerError::Unknown`], or [`WorkerError::Ambiguous`] when several repositories have one.
    pub async fn find(
        &self,
        selector: &str,
        repo: Option<&RepoKey>,
    ) -> Result<WorkerRow, WorkerError> {
        let text = selector.split_whitespace().collect::<Vec<_>>().join(" ");
        if let Ok(id) = text.parse::<WorkerId>()
            && let Some(row) = self.room.deps.store.worker(&id).await?
        {
            return Ok(row);
        }
        let key = repo.map(RepoKey::as_str);
        let mut found = self.room.deps.store.workers_named(&text, key).await?;
        if found.iter().any(|row| row.archived_at.is_none()) {
            found.retain(|row| row.archived_at.is_none());
        } else {
            found.truncate(1);
        }
        match found.len() {
            0 => Err(WorkerError::Unknown(text)),
            1 => Ok(found.remove(0)),
            _ => Err(WorkerError::Ambiguous { name: text, candidates: found }),
        }
    }

    /// The repository of a worker, opened anew.
    ///
    /// # Errors
    /// When it is gone, or git refuses it.
    pub async fn repo_of(&self, worker: &WorkerRow) -> Result<Repo, WorkerError> {
        Ok(Repo::open(&self.room.deps.git, &worker.repo_root).await?)
    }

    /// The agent's menu of models.
    ///
    /// # Errors
    /// When there is no usable agent.
    pub async fn models(&self) -> Result<crate::backend::ModelMenu, WorkerError> {
        Ok(self.room.deps.backend.models().await?)
    }

    pub(super) fn store(&self) -> &Store {
        &self.room.deps.store
    }
}
