use super::{Snapshot, SnapshotNotes, WorktreeError, admin};
use crate::clock::Clock;
use crate::failpoint;
use crate::git::{Git, GitPath, Repo, RepoKey};
use crate::ids::{EngineId, ReceiptId, TurnId, WorkerId};
use crate::lock::MetadataLock;
use crate::paths::StateDir;
use crate::store::{Store, WorkerRow, WorktreeRow};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// A worker's worktree.
#[derive(Debug, Clone)]
pub struct Worktree {
    /// Where the worker works.
    pub path: PathBuf,
    /// Its private temporary directory; exists.
    pub tmp: PathBuf,
    /// The commit of the base that it was made from.
    pub base_commit: String,
    /// Where the worker started.
    pub start: Snapshot,
}

/// What a removal left.
#[derive(Debug, Clone)]
pub struct Removed {
    /// The last snapshot; the work can be brought back from it.
    pub snapshot: Option<Snapshot>,
    /// What was not in it and is gone.
    pub dropped: SnapshotNotes,
}

/// Makes, snapshots and removes worktrees. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Worktrees {
    pub(super) store: Store,
    state: StateDir,
    pub(super) clock: Clock,
    /// This life of the program: its scratch directories carry it.
    life: EngineId,
}

impl Worktrees {
    /// Worktrees below the state directory, with their rows in `store`.
    #[must_use]
    pub fn new(store: Store, state: StateDir, clock: Clock) -> Self {
        let life = EngineId::mint(&clock);
        Self { store, state, clock, life }
    }

    /// Makes the worktree of a worker from the base's HEAD commit, detached, hooks off, and takes the
    /// first snapshot. Calling it again gives the same worktree; one that a crash left half-made is
    /// made anew from the commit it was begun with.
    ///
    /// # Errors
    /// [`WorktreeError::None`] when it was removed already; git's errors otherwise.
    pub async fn create(&self, repo: &Repo, worker: &WorkerId) -> Result<Worktree, WorktreeError> {
        let head = repo.head().await?;
        let path = self.worker_dir(worker, &repo.key).join("tree");
        let bytes = path.as_os_str().as_bytes();
        let row = self.store.begin_worktree(worker.as_str(), bytes, &head, "").await?;
        if row.state == "creating" {
            self.tmp_dir(worker, &repo.key)?;
            self.make(repo, &row).await?;
            self.take(repo, worker, None, &row).await?;
        }
        self.get(repo, worker).await?.ok_or(WorktreeError::None)
    }

    /// The worktree of a worker, if it has one that is ready.
    ///
    /// # Errors
    /// When the store or the file system fails.
    pub async fn get(
        &self,
        repo: &Repo,
        worker: &WorkerId,
    ) -> Result<Option<Worktree>, WorktreeError> {
        let Some(row) = self.store.worktree(worker.as_str()).await? else { return Ok(None) };
        let Some(start) = self.start(worker).await? else { return Ok(None) };
        if row.state != "ready" {
            return Ok(None);
        }
        let path = GitPath::new(row.path).as_path().to_path_buf();
        let tmp = self.tmp_dir(worker, &repo.key)?;
        Ok(Some(Worktree { path, tmp, base_commit: row.base_commit, start }))
    }

    /// The private temporary directory of a worker, made when it is missing. Readers have one too.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn tmp_dir(&self, worker: &WorkerId, repo: &RepoKey) -> Result<PathBuf, WorktreeError> {
        self.private(&self.worker_dir(worker, repo).join("tmp"))
    }

    pub(super) fn private(&self, path: &Path) -> Result<PathBuf, WorktreeError> {
        Ok(self.state.private_dir(path)?)
    }

    /// Takes a snapshot of the worktree: after a turn, or (without one) at any moment when no turn runs.
    ///
    /// # Errors
    /// [`WorktreeError::None`] or [`WorktreeError::Gone`] when there is no worktree.
    pub async fn snapshot(
        &self,
        repo: &Repo,
        worker: &WorkerId,
        turn: Option<&TurnId>,
    ) -> Result<Snapshot, WorktreeError> {
        let row = self.store.worktree(worker.as_str()).await?;
        let row = row.filter(|row| row.state == "ready").ok_or(WorktreeError::None)?;
        self.take(repo, worker, turn, &row).await
    }

    /// Removes the worktree after a last snapshot; refs and snapshots stay. The private temporary
    /// directory goes with it. Whether unintegrated work may go is for the caller to have asked.
    ///
    /// # Errors
    /// When the last snapshot cannot be taken, nothing is removed.
    pub async fn remove(&self, repo: &Repo, worker: &WorkerId) -> Result<Removed, WorktreeError> {
        let mut last = self.latest(worker).await?;
        let row = self.store.worktree(worker.as_str()).await?;
        let row = row.filter(|row| row.state != "removed");
        if let Some(row) = &row {
            let there = GitPath::new(row.path.clone()).as_path().is_dir();
            if let (true, "ready", Some(latest)) = (there, row.state.as_str(), last.clone()) {
                last = Some(self.take_if_changed(repo, worker, row, latest).await?);
            }
            self.store.worktree_removing(worker.as_str()).await?;
            self.finish_removal(repo, worker).await?;
        } else {
            admin::delete(self.worker_dir(worker, &repo.key)).await?;
        }
        let dropped = match (&row, &last) {
            (Some(_), Some(snapshot)) => SnapshotNotes::read(repo, snapshot).await?,
            _ => SnapshotNotes::default(),
        };
        Ok(Removed { snapshot: last, dropped })
    }

    /// At the start of the engine: ends removals that a crash interrupted, also where the worker was
    /// archived and its removal had not begun, and deletes scratch directories of an earlier life.
    ///
    /// # Errors
    /// When the store fails; a repository that is gone is passed over.
    pub async fn reconcile(&self, git: &Git) -> Result<(), WorktreeError> {
        // A chat may be served already: what this life made is in use.
        let ours = self.scratch_prefix();
        for entry in std::fs::read_dir(self.state.run()).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let name = name.as_bytes();
            if name.starts_with(b"scratch-") && !name.starts_with(ours.as_bytes()) {
                admin::delete(entry.path()).await?;
            }
        }
        for row in self.store.worktrees_being_removed().await? {
            let root = GitPath::new(row.repo_root);
            let (Ok(worker), Ok(repo)) =
                (row.worker_id.parse(), Repo::open(git, root.as_path()).await)
            else {
                continue;
            };
            self.finish_removal(&repo, &worker).await?;
        }
        for worker in self.archived_with_directory().await? {
            let Ok(repo) = Repo::open(git, &worker.repo_root).await else { continue };
            if let Err(error) = self.remove(&repo, &worker.id).await {
                tracing::warn!(%error, worker = %worker.id, "a workspace was not cleaned up");
            }
        }
        Ok(())
    }

    async fn archived_with_directory(&self) -> Result<Vec<WorkerRow>, WorktreeError> {
        let inside = |path: PathBuf| std::fs::read_dir(path).into_iter().flatten().flatten();
        let mut archived = Vec::new();
        for directory in inside(self.state.worktrees()).flat_map(|repo| inside(repo.path())) {
            let name = directory.file_name();
            let Some(id) = name.to_str().and_then(|name| name.parse().ok()) else { continue };
            let worker = self.store.worker(&id).await?;
            archived.extend(worker.filter(|worker| worker.archived_at.is_some()));
        }
        Ok(archived)
    }

    /// The newest snapshot of a worker.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn latest(&self, worker: &WorkerId) -> Result<Option<Snapshot>, WorktreeError> {
        self.store.latest_snapshot(worker.as_str()).await?.map(Snapshot::from_row).transpose()
    }

    /// The first snapshot of a worker: where it started.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn start(&self, worker: &WorkerId) -> Result<Option<Snapshot>, WorktreeError> {
        self.store.first_snapshot(worker.as_str()).await?.map(Snapshot::from_row).transpose()
    }

    /// The snapshot that was taken after a turn.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn of_turn(&self, turn: &TurnId) -> Result<Option<Snapshot>, WorktreeError> {
        self.store.snapshot_of_turn(turn.as_str()).await?.map(Snapshot::from_row).transpose()
    }

    /// A snapshot by its id.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn by_id(&self, id: &str) -> Result<Option<Snapshot>, WorktreeError> {
        self.store.snapshot(id).await?.map(Snapshot::from_row).transpose()
    }

    /// A private directory that vanishes when it is dropped.
    pub(crate) fn scratch(&self) -> Result<TempDir, WorktreeError> {
        let run = self.state.run();
        let made = tempfile::Builder::new().prefix(&self.scratch_prefix()).tempdir_in(&run);
        made.map_err(WorktreeError::io(&run))
    }

    fn scratch_prefix(&self) -> String {
        format!("scratch-{}-", self.life)
    }

    fn worker_dir(&self, worker: &WorkerId, repo: &RepoKey) -> PathBuf {
        self.state.worktrees().join(repo.as_str()).join(worker.as_str())
    }

    pub(super) fn throwaway_dir(&self, id: &ReceiptId, repo: &RepoKey) -> PathBuf {
        self.state.worktrees().join(repo.as_str()).join(id.as_str())
    }

    async fn make(&self, repo: &Repo, row: &WorktreeRow) -> Result<(), WorktreeError> {
        let path = GitPath::new(row.path.clone());
        self.check_out(repo, path.as_path(), &row.base_commit).await
    }

    /// Makes a worktree of a commit, detached, hooks off; one that is half made is made anew.
    pub(super) async fn check_out(
        &self,
        repo: &Repo,
        path: &Path,
        commit: &str,
    ) -> Result<(), WorktreeError> {
        let aside = path.with_file_name("aside");
        admin::delete(aside.clone()).await?;
        let metadata = MetadataLock::acquire(repo).await?;
        admin::detach(repo, path, &aside)?;
        let add = repo.git.run(&repo.root, "worktree").config("worktree.useRelativePaths=false");
        let add = add.args(["add", "--detach", "--no-checkout"]).arg(path).arg(commit);
        add.ok().await?;
        drop(metadata);
        failpoint::reach("worktree_empty").await;
        admin::delete(aside).await?;
        repo.git.run(path, "reset").args(["--hard", "--quiet"]).ok().await?;
        Ok(())
    }

    async fn finish_removal(&self, repo: &Repo, worker: &WorkerId) -> Result<(), WorktreeError> {
        self.take_away(repo, self.worker_dir(worker, &repo.key)).await?;
        Ok(self.store.worktree_removed(worker.as_str()).await?)
    }
}
