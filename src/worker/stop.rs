use super::active::Active;
use super::{ChangeBase, Look, WorkerError, Workers};
use crate::failpoint;
use crate::ids::TurnId;
use crate::store::{StoreError, TurnLease, TurnRow, TurnState, WorkerMode, WorkerRow};
use crate::worktree::Removed;
use std::sync::Arc;
use std::time::Duration;

/// How long a stop waits for the end of the turn.
const WAIT: Duration = Duration::from_secs(25);
/// Most paths that a refusal names.
const NAMED: usize = 50;

/// What is to be ended.
#[derive(Debug, Clone, Default)]
pub struct StopRequest {
    /// Stop a turn that looks healthy too.
    pub force: bool,
    /// Kept with the turn; at most 500 characters.
    pub reason: Option<String>,
    /// Remove the worktree and archive the worker; its name becomes free.
    pub cleanup: bool,
    /// The cleanup may discard changes that are not integrated.
    pub discard: bool,
}

/// What was ended.
#[derive(Debug, Clone)]
pub struct Stopped {
    /// Whether a turn was running and is over now.
    pub stopped: bool,
    /// The command that it was running.
    pub command: Option<String>,
    /// Waiting messages that were cancelled.
    pub cancelled: usize,
    /// What the cleanup removed; the last snapshot is kept.
    pub removed: Option<Removed>,
}

impl Workers {
    /// Ends a worker's turn and cancels what waits; the worker stays and can be messaged again.
    /// With `cleanup` its worktree goes too, after a last snapshot, and it is archived.
    ///
    /// # Errors
    /// [`WorkerError::ConfirmStop`] and [`WorkerError::ConfirmDiscard`] change nothing;
    /// [`WorkerError::StillStopping`] when the turn does not end within 25 s.
    pub async fn stop(
        &self,
        worker: &WorkerRow,
        request: StopRequest,
    ) -> Result<Stopped, WorkerError> {
        let look = self.look(worker).await?;
        self.check_healthy(&look, &request).await?;
        if request.cleanup {
            self.check_discard(worker, &request).await?;
        }
        let cancelled = self.cancel_waiting(worker).await?;
        let reason = request.reason.as_deref().map(|r| r.chars().take(500).collect::<String>());
        let why = reason.as_deref().unwrap_or("stopped");
        let said = look.latest_message.as_deref();
        let held = self.store().cancel_held(&worker.id, why, said).await?;
        let stopped = self.end_turn(worker, reason.as_deref()).await? || held.is_some();
        let mut removed = None;
        if request.cleanup && worker.archived_at.is_none() {
            removed = Some(self.clean_up(worker).await?);
        }
        Ok(Stopped { stopped, command: look.busy_with.filter(|_| stopped), cancelled, removed })
    }

    /// A turn that gave a sign of life lately is not stopped without a word: managers lose patience sooner
    /// than workers lose their way. One that is held runs nothing that could be lost.
    async fn check_healthy(&self, look: &Look, request: &StopRequest) -> Result<(), WorkerError> {
        let worker = look.worker();
        let Some(turn) = self.active_turn(worker).await? else { return Ok(()) };
        let calm = matches!(
            turn.state,
            TurnState::Stopping | TurnState::WaitingLimit | TurnState::NeedsLogin
        );
        if calm || request.force {
            return Ok(());
        }
        let grace_s = self.room.deps.config.workers.stop_confirmation_grace_seconds;
        let since = turn.started_at.unwrap_or(turn.created_at);
        let heard = self.room.active.of(&worker.id).map_or(0, |active| active.heard());
        let last = since.max(heard).max(look.facts.last_event_at.unwrap_or(0));
        let now = self.room.deps.clock.now_ms();
        let [elapsed_s, quiet_s] = [since, last].map(|at| (now - at).max(0) / 1000);
        if quiet_s.unsigned_abs() < grace_s {
            let name = worker.name.clone();
            return Err(WorkerError::ConfirmStop { name, elapsed_s, quiet_s, grace_s });
        }
        Ok(())
    }

    async fn check_discard(
        &self,
        worker: &WorkerRow,
        request: &StopRequest,
    ) -> Result<(), WorkerError> {
        if request.discard || worker.mode == WorkerMode::ReadOnly || worker.archived_at.is_some() {
            return Ok(());
        }
        let refused = |paths| WorkerError::ConfirmDiscard { name: worker.name.clone(), paths };
        if self.active_turn(worker).await?.is_some() {
            return Err(refused(Vec::new()));
        }
        let Ok(changes) = self.changes(worker, ChangeBase::Integrated).await else {
            return Ok(()); // it never had a worktree
        };
        if changes.list.is_empty() {
            return Ok(());
        }
        Err(refused(changes.list.iter().take(NAMED).map(|c| c.path.lossy()).collect()))
    }

    async fn active_turn(&self, worker: &WorkerRow) -> Result<Option<TurnRow>, WorkerError> {
        let fresh = self.store().worker(&worker.id).await?.ok_or(StoreError::Missing)?;
        let id = fresh.current_turn.and_then(|id| id.parse::<TurnId>().ok());
        let Some(id) = id else { return Ok(None) };
        let turn = self.store().turn(&id).await?;
        Ok(turn.filter(|t| !t.state.is_terminal() && t.state != TurnState::Queued))
    }

    async fn cancel_waiting(&self, worker: &WorkerRow) -> Result<usize, WorkerError> {
        let mut cancelled = 0;
        for turn in self.store().queued_turns(&worker.id).await? {
            match self.store().cancel_queued(&turn.id, "the worker was stopped").await {
                Ok(_) => cancelled += 1,
                Err(StoreError::Conflict) => {} // it was claimed just now and is ended below
                Err(error) => return Err(error.into()),
            }
        }
        Ok(cancelled)
    }

    async fn end_turn(
        &self,
        worker: &WorkerRow,
        reason: Option<&str>,
    ) -> Result<bool, WorkerError> {
        let Some(active) = self.carried(worker).await? else { return Ok(false) };
        let row = self.store().turn(&active.turn).await?.ok_or(StoreError::Missing)?;
        let lease = TurnLease { turn: row.id, worker: worker.id.clone(), epoch: row.lease_epoch };
        active.keep_reason(reason);
        match self.store().set_turn_state(&lease, TurnState::Stopping).await {
            Ok(_) | Err(StoreError::Conflict) => {}
            Err(error) => return Err(error.into()),
        }
        active.ask_stop(reason);
        if tokio::time::timeout(WAIT, active.done.cancelled()).await.is_err() {
            return Err(WorkerError::StillStopping(worker.name.clone()));
        }
        Ok(true)
    }

    /// The worker's turn as this engine carries it. One that was claimed this moment is waited for.
    async fn carried(&self, worker: &WorkerRow) -> Result<Option<Arc<Active>>, WorkerError> {
        for _ in 0..20 {
            if let Some(active) = self.room.active.of(&worker.id) {
                return Ok(Some(active));
            }
            if self.active_turn(worker).await?.is_none() {
                return Ok(None);
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Err(WorkerError::StillStopping(worker.name.clone()))
    }

    async fn clean_up(&self, worker: &WorkerRow) -> Result<Removed, WorkerError> {
        let repo = self.repo_of(worker).await?;
        // Archived first: a message that comes now is refused instead of finding no worktree.
        self.store().archive_worker(&worker.id).await.map_err(|error| match error {
            StoreError::Conflict => WorkerError::StillStopping(worker.name.clone()),
            other => other.into(),
        })?;
        failpoint::reach("worker_archived").await;
        Ok(self.room.deps.worktrees.remove(&repo, &worker.id).await?)
    }
}
