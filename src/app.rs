//! Assembly: all rooms, wired once, handed to the doors.

use crate::backend::Backend;
use crate::clock::Clock;
use crate::codex::AppServer;
use crate::config::Config;
use crate::context::Context;
use crate::git::Git;
use crate::integration::{Checker, Integrations};
use crate::journal::Journal;
use crate::lock::Locks;
use crate::ownership::Owners;
use crate::paths::{AllowedRoots, Env, StateDir};
use crate::secret::Secret;
use crate::store::Store;
use crate::worker::{Workers, WorkersDeps};
use crate::worktree::Worktrees;
use anyhow::Context as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// What a program is wired from.
pub struct AppOptions {
    /// Where state is kept.
    pub state: StateDir,
    /// The environment that the process was started in.
    pub env: Env,
    /// The operator's settings.
    pub config: Arc<Config>,
    /// Directories that a chat may name.
    pub roots: AllowedRoots,
    /// The time.
    pub clock: Clock,
    /// This program's own file, for processes that outlive this one.
    pub program: PathBuf,
}

/// The program: every room, wired.
pub struct App {
    /// The operator's settings.
    pub config: Arc<Config>,
    /// Where state is kept.
    pub state: StateDir,
    /// The time.
    pub clock: Clock,
    /// The database.
    pub store: Store,
    /// Refs of callers.
    pub owners: Owners,
    /// How git is run.
    pub git: Git,
    /// What a chat may read; resolves `repo_path` for every tool.
    pub context: Context,
    /// Mutation locks.
    pub locks: Locks,
    /// Worktrees and snapshots.
    pub worktrees: Worktrees,
    /// Previews and applies.
    pub integrations: Integrations,
    /// Events of turns.
    pub journal: Journal,
    /// Workers and their turns.
    pub workers: Workers,
    /// The coding agent.
    pub backend: Arc<dyn Backend>,
}

impl App {
    /// Opens the store and wires all rooms. Only the holder of the engine lock may call this. No
    /// process is started.
    ///
    /// # Errors
    /// The store cannot be opened, or a setting cannot be used.
    pub async fn open(options: AppOptions) -> anyhow::Result<Arc<Self>> {
        let AppOptions { state, env, config, roots, clock, program } = options;
        let store =
            Store::open(&state.store_db(), clock.clone()).await.context("opening the store")?;
        let owners = Owners::new(salt(&store).await?);
        let git = Git::new(&env);
        let context = Context::new(config.clone(), roots, git.clone())?.hide(state.root());
        let locks = Locks::new(store.clone(), &state, clock.clone());
        let worktrees = Worktrees::new(store.clone(), state.clone(), clock.clone());
        let integrations =
            Integrations::new(store.clone(), locks.clone(), worktrees.clone(), clock.clone());
        let journal = Journal::start(store.clone(), state.clone());
        let codex = Arc::new(config.codex.clone());
        let backend: Arc<dyn Backend> = Arc::new(AppServer::new(
            state.clone(),
            env,
            codex,
            store.clone(),
            clock.clone(),
            program,
        ));
        let patience = Duration::from_secs(config.server.longest_wait_seconds);
        let checker = Checker::new(config.checks.clone(), backend.clone(), patience);
        let integrations = integrations.with_checks(checker);
        let workers = Workers::new(WorkersDeps {
            store: store.clone(),
            journal: journal.clone(),
            worktrees: worktrees.clone(),
            backend: backend.clone(),
            config: config.clone(),
            clock: clock.clone(),
            git: git.clone(),
        });
        Ok(Arc::new(Self {
            config,
            state,
            clock,
            store,
            owners,
            git,
            context,
            locks,
            worktrees,
            integrations,
            journal,
            workers,
            backend,
        }))
    }

    /// Ends what the rooms hold, in order: codex (unless running turns are kept), journal, store.
    pub async fn close(&self, keep_turns: bool) {
        self.integrations.close().await;
        self.backend.close(keep_turns).await;
        self.journal.close().await;
        self.store.close().await;
    }
}

/// The salt of owner refs: made once, kept in the store, so that refs outlive restarts.
async fn salt(store: &Store) -> anyhow::Result<[u8; 32]> {
    let fresh = Secret::random_bytes().context("making a salt")?;
    let kept = store.meta_or_set("owner_salt", &fresh).await.context("reading the salt")?;
    kept.try_into().map_err(|_| anyhow::anyhow!("the stored salt is damaged"))
}
