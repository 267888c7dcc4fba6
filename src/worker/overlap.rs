use super::{WorkerError, Workers};
use crate::git::{GitPath, Repo};
use crate::ids::WorkerId;
use crate::store::{WorkerFacts, WorkerFilter, WorkerMode, WorkerRow, WorkerState};
use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// Most live workers of a repository that are compared, the last changed first.
const COMPARED: u32 = 100;
/// Most workers of which is remembered what was seen; with one more all is forgotten, and looked at again.
const REMEMBERED: usize = 1_000;
/// How old the look at a worktree may be in which a turn runs.
const FRESH: Duration = Duration::from_secs(2);

type Paths = Arc<BTreeSet<GitPath>>;

/// Another live worker that touches the same files.
#[derive(Debug, Clone)]
pub struct Overlap {
    /// The other.
    pub worker: WorkerId,
    /// Its name.
    pub name: String,
    /// Its state.
    pub state: WorkerState,
    /// The files that both touch, ordered.
    pub paths: Vec<GitPath>,
}

/// What was seen of worktrees.
#[derive(Debug, Default)]
pub(super) struct Touched(Mutex<HashMap<WorkerId, Seen>>);

#[derive(Debug, Clone, Default)]
struct Seen {
    /// The two trees that were compared, and what differs.
    recorded: Option<(String, String, Paths)>,
    /// What a turn has written that is in no snapshot, and when that was looked at.
    live: Option<(Instant, Paths)>,
}

impl Touched {
    fn lock(&self) -> MutexGuard<'_, HashMap<WorkerId, Seen>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Workers {
    /// For each of these workers that shares a file with another live worker of its repository: with whom,
    /// and which files. A file is a worker's when it is in its work and not in the base through patchbay;
    /// what a running turn writes is seen within two seconds.
    ///
    /// # Errors
    /// When the store fails; a repository that is gone has no overlap.
    pub async fn overlaps(
        &self,
        of: &[&WorkerRow],
    ) -> Result<HashMap<WorkerId, Vec<Overlap>>, WorkerError> {
        let mut found = HashMap::new();
        let keys: BTreeSet<&str> = of.iter().map(|row| row.repo_key.as_str()).collect();
        for key in keys {
            let touching = self.touching(key).await?;
            for row in of.iter().filter(|row| row.repo_key == key) {
                let shared = shared(&touching, &row.id);
                if !shared.is_empty() {
                    found.insert(row.id.clone(), shared);
                }
            }
        }
        Ok(found)
    }

    /// What the other live workers of a worker's repository touch.
    ///
    /// # Errors
    /// When the store fails; a repository that is gone has none.
    pub async fn touched_by_others(&self, worker: &WorkerRow) -> Result<Vec<Overlap>, WorkerError> {
        let touching = self.touching(&worker.repo_key).await?;
        let others = touching.into_iter().filter(|(row, _)| row.id != worker.id);
        Ok(others.map(|(row, paths)| overlap(&row, paths.iter().cloned().collect())).collect())
    }

    /// The live workers of a repository that touch anything, and what.
    async fn touching(&self, repo_key: &str) -> Result<Vec<(WorkerRow, Paths)>, WorkerError> {
        let repo_key = Some(repo_key.to_owned());
        let filter = WorkerFilter { repo_key, ..WorkerFilter::default() };
        let mut rows = self.store().list_workers(&filter, COMPARED).await?;
        rows.retain(|row| row.mode == WorkerMode::IsolatedWrite);
        if rows.len() < 2 {
            return Ok(Vec::new());
        }
        let Ok(repo) = self.repo_of(&rows[0]).await else { return Ok(Vec::new()) };
        let facts = self.store().worker_facts(rows).await?;
        let looks = facts.into_iter().map(|facts| self.touched(&repo, facts));
        Ok(futures_util::future::join_all(looks).await.into_iter().flatten().collect())
    }

    async fn touched(&self, repo: &Repo, facts: WorkerFacts) -> Option<(WorkerRow, Paths)> {
        let (_, newest) = facts.snapshot.as_ref()?;
        let from = facts.integrated_tree.as_ref().or(facts.start_tree.as_ref())?;
        let recorded = self.recorded(repo, &facts.worker.id, from, newest).await?;
        let live = match facts.worker.state.is_active() {
            true => self.being_written(repo, &facts.worker.id).await.unwrap_or_default(),
            false => Paths::default(),
        };
        let all = match (recorded.is_empty(), live.is_empty()) {
            (true, true) => return None,
            (_, true) => recorded,
            (true, _) => live,
            _ => Arc::new(recorded.union(&live).cloned().collect()),
        };
        Some((facts.worker, all))
    }

    async fn recorded(
        &self,
        repo: &Repo,
        worker: &WorkerId,
        from: &str,
        to: &str,
    ) -> Option<Paths> {
        let touched = &self.room.touched;
        if let Some((f, t, paths)) = touched.lock().get(worker).and_then(|s| s.recorded.clone())
            && f == from
            && t == to
        {
            return Some(paths);
        }
        let paths = self.room.deps.worktrees.paths_between(repo, from, to).await;
        let paths = Arc::new(paths.inspect_err(|error| warn(worker, error)).ok()?);
        let known = (from.to_owned(), to.to_owned(), paths.clone());
        // What was seen of files before this snapshot is in it.
        let seen = Seen { recorded: Some(known), live: None };
        let mut all = touched.lock();
        if all.len() >= REMEMBERED {
            all.clear();
        }
        all.insert(worker.clone(), seen);
        drop(all);
        Some(paths)
    }

    async fn being_written(&self, repo: &Repo, worker: &WorkerId) -> Option<Paths> {
        let touched = &self.room.touched;
        let now = Instant::now();
        if let Some((at, paths)) = touched.lock().get(worker).and_then(|seen| seen.live.clone())
            && now.duration_since(at) < FRESH
        {
            return Some(paths);
        }
        let paths = self.room.deps.worktrees.written_since_snapshot(repo, worker).await;
        let paths = Arc::new(paths.inspect_err(|error| warn(worker, error)).ok()?);
        touched.lock().entry(worker.clone()).or_default().live = Some((now, paths.clone()));
        Some(paths)
    }
}

fn warn(worker: &WorkerId, error: &crate::worktree::WorktreeError) {
    tracing::warn!(%worker, %error, "what a worker touches could not be looked at");
}

fn overlap(row: &WorkerRow, paths: Vec<GitPath>) -> Overlap {
    Overlap { worker: row.id.clone(), name: row.name.clone(), state: row.state, paths }
}

/// The others that share a path with this worker.
fn shared(touching: &[(WorkerRow, Paths)], worker: &WorkerId) -> Vec<Overlap> {
    let Some((_, own)) = touching.iter().find(|(row, _)| row.id == *worker) else {
        return Vec::new();
    };
    let others = touching.iter().filter(|(row, _)| row.id != *worker);
    let both = others.map(|(row, paths)| overlap(row, own.intersection(paths).cloned().collect()));
    both.filter(|overlap| !overlap.paths.is_empty()).collect()
}
