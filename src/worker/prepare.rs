use super::begin::PAUSES;
use super::{WorkerError, Workers, instructions};
use crate::backend::{BackendError, Sandbox, ThreadRef, ThreadSpec, TurnSpec};
use crate::failpoint;
use crate::git::Repo;
use crate::ids::WorkerId;
use crate::store::{StoreError, ThreadRow, TurnLease, TurnRow, WorkerMode, WorkerRow};
use crate::worktree::{Worktree, WorktreeError};
use std::path::PathBuf;
use std::time::Duration;

/// Everything that a turn needs before the agent gets it.
pub(super) struct Prepared {
    pub(super) worker: WorkerRow,
    pub(super) repo: Repo,
    pub(super) thread: ThreadSpec,
}

impl Workers {
    /// Finds the repository and makes the worktree, where the worker has none yet.
    pub(super) async fn prepare(&self, turn: &TurnRow) -> Result<Prepared, WorkerError> {
        let worker = self.store().worker(&turn.worker).await?.ok_or(StoreError::Missing)?;
        let repo = self.repo_of(&worker).await?;
        let (cwd, tmp, sandbox) = self.place(&worker, &repo).await?;
        let may_ask = self.may_ask(worker.mode);
        let thread = ThreadSpec {
            worker: worker.id.clone(),
            name: worker.name.clone(),
            cwd,
            tmp,
            sandbox,
            model: turn.model.clone(),
            effort: turn.effort.clone(),
            may_ask,
            instructions: instructions::standing(&worker.name, worker.mode, may_ask),
        };
        Ok(Prepared { worker, repo, thread })
    }

    async fn place(
        &self,
        worker: &WorkerRow,
        repo: &Repo,
    ) -> Result<(PathBuf, PathBuf, Sandbox), WorkerError> {
        let worktrees = &self.room.deps.worktrees;
        if worker.mode == WorkerMode::ReadOnly {
            let tmp = worktrees.tmp_dir(&worker.id, &repo.key)?;
            return Ok((repo.root.clone(), tmp, Sandbox::ReadOnly));
        }
        let Worktree { path, tmp, .. } = match worktrees.get(repo, &worker.id).await? {
            Some(worktree) => worktree,
            None => worktrees.create(repo, &worker.id).await?,
        };
        failpoint::reach("worktree_ready").await;
        if !path.is_dir() {
            // Never fall back to the base checkout.
            return Err(WorktreeError::Gone(path).into());
        }
        Ok((path, tmp, Sandbox::Worktree))
    }

    /// Opens the worker's thread, or a new one where the old was never used. A connection that breaks
    /// meanwhile is made again: nothing has begun yet.
    pub(super) async fn open_thread(&self, prepared: &Prepared) -> Result<ThreadRef, WorkerError> {
        let mut pauses = PAUSES.iter();
        loop {
            match self.try_open(prepared).await {
                Err(WorkerError::Backend(BackendError::Disconnected(detail))) => {
                    let Some(pause) = pauses.next() else {
                        return Err(BackendError::Disconnected(detail).into());
                    };
                    tokio::time::sleep(Duration::from_millis(*pause)).await;
                }
                other => return other,
            }
        }
    }

    async fn try_open(&self, prepared: &Prepared) -> Result<ThreadRef, WorkerError> {
        let backend = &self.room.deps.backend;
        let worker = &prepared.worker.id;
        let existing = self.thread_of(worker).await?;
        let opened = match backend.open_thread(&prepared.thread, existing.as_ref()).await {
            // Codex keeps no record of a thread before its first turn (seen).
            Err(BackendError::ThreadGone(_)) if !self.store().ever_began(worker).await? => {
                backend.open_thread(&prepared.thread, None).await?
            }
            opened => opened?,
        };
        if existing.as_ref() != Some(&opened) {
            let row = ThreadRow {
                thread_id: opened.id.clone(),
                cli_version: opened.agent_version.clone(),
                rollout: opened.rollout.clone(),
            };
            self.store().put_thread(worker, &row).await?;
            failpoint::reach("thread_stored").await;
        }
        Ok(opened)
    }

    pub(super) async fn thread_of(
        &self,
        worker: &WorkerId,
    ) -> Result<Option<ThreadRef>, WorkerError> {
        let row = self.store().thread(worker).await?;
        Ok(row.map(|row| ThreadRef {
            id: row.thread_id,
            agent_version: row.cli_version,
            rollout: row.rollout,
        }))
    }

    /// Remembers what the base was before a `read_only` turn, to look again after it.
    pub(super) async fn remember_base(
        &self,
        prepared: &Prepared,
        lease: &TurnLease,
    ) -> Result<(), WorkerError> {
        if prepared.worker.mode == WorkerMode::ReadOnly {
            let print = self.room.deps.worktrees.read_only_fingerprint(&prepared.repo).await?;
            self.store().set_base_before(lease, &print).await?;
        }
        Ok(())
    }
}

/// The turn as the agent gets it.
pub(super) fn turn_spec(turn: &TurnRow) -> TurnSpec {
    TurnSpec {
        turn: turn.id.clone(),
        client_id: turn.client_id.clone(),
        text: instructions::message(turn),
        model: turn.model.clone(),
        effort: turn.effort.clone(),
    }
}
