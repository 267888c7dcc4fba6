use super::{ApplyRequest, IntegrationError, Integrations, Target};
use crate::clock::Clock;
use crate::git::GitPath;
use crate::git::testbed::{TestRepo, everything, write};
use crate::ids::WorkerId;
use crate::lock::Locks;
use crate::paths::StateDir;
use crate::store::Store;
use crate::worktree::{Worktree, Worktrees};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::Notify;

mod crash;
mod kinds;
mod random;
mod random_edits;
mod refusals;
mod repositories;
mod table;
mod targets;

/// Stops an apply for good after some moves, as `kill -9` would.
#[derive(Debug, Clone)]
pub(super) struct Halt {
    left: Arc<AtomicUsize>,
    reached: Arc<Notify>,
}

impl Halt {
    pub(super) async fn pass(&self) {
        if self.left.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.reached.notify_one();
            std::future::pending::<()>().await;
        }
    }
}

/// A base with a worker that has a worktree.
pub(crate) struct Bed {
    pub(crate) base: TestRepo,
    pub(crate) store: Store,
    pub(crate) locks: Locks,
    trees: Worktrees,
    pub(crate) integrations: Integrations,
    pub(crate) worker: WorkerId,
    pub(crate) tree: Worktree,
}

impl Bed {
    pub(crate) async fn new(files: &[(&str, &str)]) -> Self {
        Self::prepared(files, |_| {}).await
    }

    /// `prepare` changes the checkout; what it does is committed before the worker starts.
    async fn prepared(files: &[(&str, &str)], prepare: impl FnOnce(&Path)) -> Self {
        let base = TestRepo::new(files).await;
        prepare(&base.repo.root);
        base.commit("prepared").await;
        Self::over(base).await
    }

    /// A worker is started in this repository.
    async fn over(base: TestRepo) -> Self {
        let clock = Clock::system();
        let state = StateDir::open(&base.state_path()).unwrap();
        let store = Store::open(&state.store_db(), clock.clone()).await.unwrap();
        let trees = Worktrees::new(store.clone(), state.clone(), clock.clone());
        let locks = Locks::new(store.clone(), &state, clock.clone());
        let integrations =
            Integrations::new(store.clone(), locks.clone(), trees.clone(), clock.clone());
        let worker = WorkerId::mint(&clock);
        let root = base.repo.root.as_os_str().as_bytes();
        store.seed_worker(worker.as_str(), base.repo.key.as_str(), root).await;
        let tree = trees.create(&base.repo, &worker).await.unwrap();
        Self { base, store, locks, trees, integrations, worker, tree }
    }

    /// A turn of the worker is over.
    pub(crate) async fn snapshot(&self) {
        self.trees.snapshot(&self.base.repo, &self.worker, None).await.unwrap();
    }

    async fn preview(&self) -> super::Preview {
        self.integrations.preview(&self.base.repo, &self.worker, &[]).await.unwrap()
    }

    fn request(&self, token: &str) -> ApplyRequest {
        ApplyRequest {
            worker: self.worker.clone(),
            token: token.to_owned(),
            accepted_dirty: Vec::new(),
            idempotency_key: None,
            target: Target::Checkout,
            message: None,
            author: None,
            checks: Vec::new(),
            undo: false,
        }
    }

    async fn apply(&self, token: &str) -> Result<super::Applied, IntegrationError> {
        self.integrations.apply(&self.base.repo, self.request(token)).await
    }

    async fn preview_and_apply(&self) -> super::Applied {
        let preview = self.preview().await;
        assert!(preview.can_apply, "{:?} {:?}", preview.reason, preview.conflicts);
        self.apply(&preview.token.unwrap()).await.unwrap()
    }

    pub(crate) fn root(&self) -> &Path {
        &self.base.repo.root
    }

    /// The checkout without `.git`.
    fn checkout(&self) -> Vec<(PathBuf, u32, Vec<u8>)> {
        files_of(self.root())
    }
}

/// Everything below a directory but its `.git`, with paths relative to it; directories left out.
fn files_of(root: &Path) -> Vec<(PathBuf, u32, Vec<u8>)> {
    everything(root)
        .into_iter()
        .filter(|(path, ..)| !path.is_dir() || path.is_symlink())
        .map(|(path, mode, bytes)| (path.strip_prefix(root).unwrap().to_path_buf(), mode, bytes))
        .filter(|(path, ..)| !path.starts_with(".git"))
        .collect()
}

fn read(root: &Path, name: &str) -> Vec<u8> {
    std::fs::read(root.join(name)).unwrap()
}

fn paths(found: &[GitPath]) -> Vec<String> {
    found.iter().map(GitPath::lossy).collect()
}

fn conflicts(preview: &super::Preview) -> Vec<String> {
    preview.conflicts.iter().map(|c| format!("{} {}", c.kind, c.path.lossy())).collect()
}

fn make_executable(path: &Path, yes: bool) {
    let mode = if yes { 0o755 } else { 0o644 };
    std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
}

fn odd_name() -> &'static OsStr {
    OsStr::from_bytes(b"caf\xe9")
}

fn link(target: &str, at: &Path) {
    let _ = std::fs::remove_file(at);
    symlink(target, at).unwrap();
}

fn halted(left: usize) -> Halt {
    Halt { left: Arc::new(AtomicUsize::new(left)), reached: Arc::new(Notify::new()) }
}

/// Lets an apply run until it halts, then drops it.
async fn crash_after(bed: &Bed, moves: usize) {
    let token = bed.preview().await.token.unwrap();
    let halt = halted(moves);
    let mut broken = bed.integrations.clone();
    broken.halt = Some(halt.clone());
    let request = bed.request(&token);
    tokio::select! {
        done = broken.apply_here(&bed.base.repo, &request) => panic!("it did not halt: {done:?}"),
        () = halt.reached.notified() => {}
    }
    let mut changed = bed.store.watch();
    while bed.locks.holder(&bed.base.repo).await.unwrap().is_some() {
        changed.changed().await.unwrap();
    }
}

fn write_in(bed: &Bed, name: impl AsRef<Path>, bytes: &[u8]) {
    write(&bed.tree.path, name, bytes);
}
