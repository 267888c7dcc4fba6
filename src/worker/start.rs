use super::{Choice, WorkerError, Workers, rules};
use crate::failpoint;
use crate::git::Repo;
use crate::ids::{TurnId, WorkerId};
use crate::ownership::Caller;
use crate::store::{NewTurn, NewWorker, StoreError, TurnRow, WorkerMode, WorkerRow};
use std::time::Duration;

/// How long the look at the base's uncommitted edits may take.
const LOOK: Duration = Duration::from_secs(5);

/// A worker that a chat wants.
#[derive(Debug, Clone)]
pub struct StartRequest {
    /// Its repository.
    pub repo: Repo,
    /// Its name, 1 to 120 characters.
    pub name: String,
    /// Its first brief, at most 200,000 bytes.
    pub brief: String,
    /// What it may touch.
    pub mode: WorkerMode,
    /// Model id, `default`, or nothing for the operator's.
    pub model: Option<String>,
    /// Reasoning effort, `default`, or nothing for the operator's.
    pub effort: Option<String>,
    /// Take `<name> YYYYMMDD-HHMMSS` when the name is taken.
    pub auto_suffix: bool,
    /// Who asks.
    pub caller: Caller,
}

/// A worker that was accepted.
#[derive(Debug, Clone)]
pub struct Started {
    /// The worker.
    pub worker: WorkerRow,
    /// Its first turn; it waits.
    pub turn: TurnRow,
    /// The revision to wait from.
    pub rev: i64,
    /// Uncommitted paths of the base, which the worker does not see; `None` when they could not be
    /// counted, or the worker sees them because it reads the base itself.
    pub base_dirty: Option<usize>,
}

impl Workers {
    /// Accepts a worker: everything is checked, then worker, turn and event are stored in one
    /// transaction. It runs when there is room.
    ///
    /// # Errors
    /// Arguments out of bounds, [`WorkerError::NameTaken`], a repository without a commit, no usable
    /// agent. Nothing was stored then.
    pub async fn start(&self, request: StartRequest) -> Result<Started, WorkerError> {
        let name = rules::name(&request.name)?;
        let brief = rules::text("brief", &request.brief)?;
        let codex = &self.room.deps.config.codex;
        let standard = (codex.model.clone(), codex.reasoning_effort.clone());
        let model = rules::model(request.model.as_deref())?.after(standard.0, codex.model.as_ref());
        let effort = rules::effort(request.effort.as_deref())?
            .after(standard.1, codex.reasoning_effort.as_ref());
        request.repo.head().await?;
        self.room.deps.backend.version().await?;
        let caller = &request.caller;
        self.store()
            .touch_owner(&caller.owner_ref, &caller.connector, caller.label.as_deref())
            .await?;
        let mut worker = NewWorker {
            id: WorkerId::mint(&self.room.deps.clock),
            repo_key: request.repo.key.as_str().to_owned(),
            repo_root: request.repo.root.clone(),
            repo_name: request.repo.name(),
            name,
            mode: request.mode,
            model: model.clone(),
            effort: effort.clone(),
            owner_ref: caller.owner_ref.clone(),
            owner_label: caller.label.clone(),
        };
        let turn = NewTurn {
            id: TurnId::mint(&self.room.deps.clock),
            worker: worker.id.clone(),
            brief,
            model,
            effort,
        };
        let (row, turn, rev) = self.accept(&mut worker, &turn, request.auto_suffix).await?;
        failpoint::reach("brief_accepted").await;
        self.room.wake.notify_one();
        let base_dirty = match request.mode {
            WorkerMode::IsolatedWrite => dirty(&request.repo).await,
            WorkerMode::ReadOnly => None,
        };
        Ok(Started { worker: row, turn, rev, base_dirty })
    }

    async fn accept(
        &self,
        worker: &mut NewWorker,
        turn: &NewTurn,
        auto_suffix: bool,
    ) -> Result<(WorkerRow, TurnRow, i64), WorkerError> {
        let wanted = worker.name.clone();
        for attempt in 1..100 {
            match self.store().accept_worker(worker, turn).await {
                Err(StoreError::NameTaken) if auto_suffix => {
                    worker.name = suffixed(&wanted, self.room.deps.clock.now_ms(), attempt);
                }
                Err(StoreError::NameTaken) => break,
                done => return Ok(done?),
            }
        }
        let mut named = self.store().workers_named(&wanted, Some(&worker.repo_key)).await?;
        match named.is_empty() {
            true => Err(StoreError::NameTaken.into()),
            false => Err(WorkerError::NameTaken(Box::new(named.swap_remove(0)))),
        }
    }

    /// What holds for a turn that says this much of model and effort.
    pub(super) fn choices(
        &self,
        worker: &WorkerRow,
        model: Choice,
        effort: Choice,
    ) -> (Option<String>, Option<String>) {
        let codex = &self.room.deps.config.codex;
        (
            model.after(worker.model.clone(), codex.model.as_ref()),
            effort.after(worker.effort.clone(), codex.reasoning_effort.as_ref()),
        )
    }
}

async fn dirty(repo: &Repo) -> Option<usize> {
    repo.status(LOOK).await.ok().map(|status| status.entries.len())
}

/// `<name> YYYYMMDD-HHMMSS`, then with `-2`, `-3` …; cut so that it stays a name.
fn suffixed(name: &str, now_ms: i64, attempt: u32) -> String {
    let at = jiff::Timestamp::from_millisecond(now_ms).unwrap_or_default();
    let mut suffix = at.strftime(" %Y%m%d-%H%M%S").to_string();
    if attempt > 1 {
        suffix.push_str(&format!("-{attempt}"));
    }
    let room = rules::MAX_NAME.saturating_sub(suffix.chars().count());
    let kept: String = name.chars().take(room).collect();
    format!("{}{suffix}", kept.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_suffixed_name_is_still_a_name() {
        assert_eq!(suffixed("Ada", 0, 1), "Ada 19700101-000000");
        assert_eq!(suffixed("Ada", 0, 3), "Ada 19700101-000000-3");
        assert_eq!(suffixed(&"é".repeat(120), 0, 12).chars().count(), 120);
    }
}
