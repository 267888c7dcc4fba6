use super::{WorkerError, Workers};
use crate::git::{Change, FileAt, FileDiff, GitPath, Repo};
use crate::store::{WorkerMode, WorkerRow};
use crate::worktree::{Snapshot, SnapshotNotes};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Most changed paths that one call of git names.
const MOST_NAMED: usize = 1_000;

/// What a worker's result is compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ChangeBase {
    /// What was integrated last, or where the worker started: what an integration would bring.
    #[default]
    Integrated,
    /// Where the worker started.
    Start,
}

/// What a worker changed, from its newest snapshot.
#[derive(Debug, Clone)]
pub struct WorkerChanges {
    /// The repository.
    pub repo: Repo,
    /// The tree that is compared with.
    pub from: String,
    /// The newest snapshot.
    pub to: Snapshot,
    /// The changed paths, ordered.
    pub list: Vec<Change>,
}

impl Workers {
    /// The changed paths of a worker as of its newest snapshot; a running turn may have more.
    ///
    /// # Errors
    /// [`WorkerError::NoSnapshot`] for a reader and for a worker that has not begun.
    pub async fn changes(
        &self,
        worker: &WorkerRow,
        base: ChangeBase,
    ) -> Result<WorkerChanges, WorkerError> {
        let to = self.newest(worker).await?;
        let from = self.compared_with(worker, base, &to).await?;
        let repo = self.repo_of(worker).await?;
        let list = match from == to.tree {
            true => Vec::new(),
            false => repo.changes(&from, &to.tree).await?,
        };
        Ok(WorkerChanges { repo, from, to, list })
    }

    /// The newest snapshot of a worker.
    ///
    /// # Errors
    /// [`WorkerError::NoSnapshot`] for a reader and for a worker that has not begun.
    pub async fn newest(&self, worker: &WorkerRow) -> Result<Snapshot, WorkerError> {
        if worker.mode == WorkerMode::ReadOnly {
            let text = format!("{:?} reads only: it has no files of its own", worker.name);
            return Err(WorkerError::NoSnapshot(text));
        }
        let newest = self.room.deps.worktrees.latest(&worker.id).await?;
        newest.ok_or_else(|| {
            WorkerError::NoSnapshot(format!("{:?} has no worktree yet", worker.name))
        })
    }

    /// What stands beside the tree of a snapshot: ignored files, nested repositories.
    ///
    /// # Errors
    /// When the snapshot's commit is gone.
    pub async fn notes(
        &self,
        repo: &Repo,
        snapshot: &Snapshot,
    ) -> Result<SnapshotNotes, WorkerError> {
        Ok(SnapshotNotes::read(repo, snapshot).await?)
    }

    async fn compared_with(
        &self,
        worker: &WorkerRow,
        base: ChangeBase,
        newest: &Snapshot,
    ) -> Result<String, WorkerError> {
        let worktrees = &self.room.deps.worktrees;
        if let (ChangeBase::Integrated, Some(id)) = (base, &worker.integrated_snapshot)
            && let Some(snapshot) = worktrees.by_id(id).await?
        {
            return Ok(snapshot.tree);
        }
        let start = worktrees.start(&worker.id).await?;
        Ok(start.map_or_else(|| newest.tree.clone(), |s| s.tree))
    }
}

impl WorkerChanges {
    /// The change of one path.
    ///
    /// # Errors
    /// [`WorkerError::Argument`] for a path that did not change.
    pub fn of(&self, path: &GitPath) -> Result<&Change, WorkerError> {
        self.list.iter().find(|c| c.path == *path).ok_or_else(|| {
            WorkerError::Argument(format!("the worker did not change {}", path.lossy()))
        })
    }

    /// The unified diff of these changes, at most `max_bytes`; of at most 1,000 of them, unless they
    /// are all there are.
    ///
    /// # Errors
    /// When git fails.
    pub async fn diff(
        &self,
        changes: &[&Change],
        max_bytes: usize,
    ) -> Result<FileDiff, WorkerError> {
        let nothing = FileDiff { text: Vec::new(), truncated: false, total_bytes: 0 };
        if changes.is_empty() {
            return Ok(nothing);
        }
        let mut paths = Vec::new();
        if changes.len() < self.list.len() {
            for change in changes.iter().take(MOST_NAMED) {
                paths.push(&change.path);
                paths.extend(&change.old_path);
            }
        }
        let mut diff = self.repo.file_diff(&self.from, &self.to.tree, &paths, max_bytes).await?;
        diff.truncated |= !paths.is_empty() && changes.len() > MOST_NAMED;
        Ok(diff)
    }

    /// The file as the worker left it; `None` when there is none.
    ///
    /// # Errors
    /// When git fails.
    pub async fn file(&self, path: &GitPath) -> Result<Option<FileAt>, WorkerError> {
        Ok(self.repo.file_at(&self.to.tree, path).await?)
    }
}
