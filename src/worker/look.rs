use super::{WorkerError, Workers};
use crate::store::{
    ApprovalRow, EventRow, HoldReason, HoldRow, StateCount, TurnRow, TurnState, WorkerFacts,
    WorkerFilter, WorkerMode, WorkerRow, WorkerState,
};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;
use std::path::PathBuf;

/// Whether a worker's work is in the base.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum IntegrationState {
    /// It changed nothing, or only reads.
    NothingToIntegrate,
    /// It has changes, and none was ever integrated.
    NotIntegrated,
    /// Its newest snapshot is in the base.
    Integrated,
    /// It has further changes since the last integration.
    ChangedSinceIntegration,
}

/// Whether and how a worker takes a message now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Messaging {
    /// It starts a turn at once.
    Ready,
    /// It goes into the running turn.
    Steers,
    /// It waits behind the turn that is active or waits.
    Queues,
    /// The workspace was cleaned up.
    Archived,
}

/// A worker as it is now.
#[derive(Debug, Clone)]
pub struct Look {
    /// Its rows.
    pub facts: WorkerFacts,
    /// What it said last in its current turn, while that is active.
    pub latest_message: Option<String>,
    /// What runs in its current turn: kind of the newest item that has not ended.
    pub busy_with: Option<String>,
    /// Since when it is in its state, Unix milliseconds.
    pub state_since: Option<i64>,
    /// What its current turn asks for and has no answer to.
    pub open_approvals: Vec<ApprovalRow>,
    /// What holds its turn back, in the states `waiting_limit` and `needs_login`.
    pub hold: Option<HoldRow>,
    /// Where codex's login is, in the state `needs_login`.
    pub login_file: Option<PathBuf>,
    /// Why its turn is being stopped.
    pub stop_reason: Option<String>,
    /// What its current turn waits for before it can begin, in the state `preparing`.
    pub waits_for: Option<&'static str>,
    /// Whether something of its current turn waits for room on the disk.
    pub no_room: bool,
    /// The report of the last completed turn before the current one, while that has none.
    pub earlier_report: Option<String>,
}

impl Look {
    /// The worker.
    #[must_use]
    pub fn worker(&self) -> &WorkerRow {
        &self.facts.worker
    }

    /// Whether its newest snapshot differs from what was integrated last, or from where it started.
    #[must_use]
    pub fn has_changes(&self) -> bool {
        matches!(
            self.integration(),
            IntegrationState::NotIntegrated | IntegrationState::ChangedSinceIntegration
        )
    }

    /// Whether its work is in the base.
    #[must_use]
    pub fn integration(&self) -> IntegrationState {
        let tree = self.facts.snapshot.as_ref().map(|(_, tree)| tree);
        match (tree, &self.facts.integrated_tree, &self.facts.start_tree) {
            (Some(tree), Some(integrated), _) if tree == integrated => IntegrationState::Integrated,
            (Some(_), Some(_), _) => IntegrationState::ChangedSinceIntegration,
            (Some(tree), None, Some(start)) if tree != start => IntegrationState::NotIntegrated,
            _ => IntegrationState::NothingToIntegrate,
        }
    }

    /// Whether and how it takes a message.
    #[must_use]
    pub fn messaging(&self) -> Messaging {
        let worker = self.worker();
        match worker.state {
            _ if worker.archived_at.is_some() => Messaging::Archived,
            WorkerState::Running => Messaging::Steers,
            state if state.is_active() => Messaging::Queues,
            _ => Messaging::Ready,
        }
    }

    /// Whether it has a place to work in (a reader has the base).
    #[must_use]
    pub fn has_workspace(&self) -> bool {
        let ready = self.facts.worktree.as_ref().is_some_and(|(_, state)| state == "ready");
        match self.worker().mode {
            WorkerMode::ReadOnly => self.worker().archived_at.is_none(),
            WorkerMode::IsolatedWrite => ready,
        }
    }

    /// The report as people read it: the answer of a turn that ended, what is known of one that runs,
    /// why one failed; and the last good answer behind it.
    #[must_use]
    pub fn report(&self) -> String {
        let mut text = self.facts.turn.as_ref().map_or_else(String::new, |turn| self.current(turn));
        if let Some(earlier) = &self.earlier_report {
            text.push_str("\n\nPrevious report:\n");
            text.push_str(earlier);
        }
        text
    }

    fn current(&self, turn: &TurnRow) -> String {
        let said = turn.report.as_deref().or(self.latest_message.as_deref());
        let why = turn.error_message.as_deref().unwrap_or_default();
        let (head, said_head) = match turn.state {
            TurnState::Completed => {
                let silent = "The turn completed without a message.";
                return said.unwrap_or(silent).to_owned();
            }
            TurnState::Failed => (format!("The turn failed: {why}"), "It had said"),
            TurnState::Interrupted => (self.interrupted(why), "It had said"),
            TurnState::Cancelled => (format!("The turn was stopped: {why}"), "It had said"),
            TurnState::Queued => ("The turn waits for its start.".to_owned(), "It had said"),
            TurnState::Preparing => ("The turn is being prepared.".to_owned(), "It had said"),
            TurnState::WaitingApproval => {
                ("The turn waits for a decision; see view=approvals.".to_owned(), "It said last")
            }
            TurnState::WaitingLimit | TurnState::NeedsLogin => (self.held(), "It said last"),
            TurnState::Stopping => ("The turn is being stopped.".to_owned(), "It said last"),
            _ => ("The turn is running; there is no report yet.".to_owned(), "It said last"),
        };
        match said {
            Some(said) => format!("{head}\n\n{said_head}:\n{said}"),
            None => head,
        }
    }
}

impl Look {
    fn interrupted(&self, why: &str) -> String {
        match self.messaging() {
            Messaging::Archived => format!("The turn was interrupted: {why}."),
            _ => format!(
                "The turn was interrupted: {why}. To go on, send a message with codex_worker_message; \
                 the worker has its conversation and its files."
            ),
        }
    }

    /// What a turn waits for that is held.
    fn held(&self) -> String {
        let Some(hold) = &self.hold else { return "The turn is about to go on.".to_owned() };
        let said = &hold.message;
        if hold.reason == HoldReason::Login {
            return format!(
                "Codex's login was refused; the turn goes on after `codex login`. Codex said: {said}"
            );
        }
        let at = hold.until.and_then(|at| jiff::Timestamp::from_millisecond(at).ok());
        let at = at.map(|at| at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()).unwrap_or_default();
        format!(
            "The account's usage limit is reached; the turn goes on by itself at {at}. Codex said: {said}"
        )
    }
}

impl Workers {
    /// A worker as it is now.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn look(&self, worker: &WorkerRow) -> Result<Look, WorkerError> {
        let row = self.store().worker(&worker.id).await?.unwrap_or_else(|| worker.clone());
        let mut looks = self.looks(vec![row]).await?;
        Ok(looks.swap_remove(0))
    }

    /// The workers that a filter means, the last changed first, at most `limit`.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn list(&self, filter: &WorkerFilter, limit: u32) -> Result<Vec<Look>, WorkerError> {
        let rows = self.store().list_workers(filter, limit).await?;
        self.looks(rows).await
    }

    /// How many workers of each state a filter means.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn count(&self, filter: &WorkerFilter) -> Result<Vec<StateCount>, WorkerError> {
        Ok(self.store().count_workers(filter).await?)
    }

    /// The messages of a worker that wait.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn queue(&self, worker: &WorkerRow) -> Result<Vec<TurnRow>, WorkerError> {
        Ok(self.store().queued_turns(&worker.id).await?)
    }

    /// A page of a worker's journal behind the cursor `after`.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn log(
        &self,
        worker: &WorkerRow,
        after: i64,
        limit: u32,
    ) -> Result<Vec<EventRow>, WorkerError> {
        Ok(self.room.deps.journal.after(&worker.id, after, limit).await?)
    }

    async fn looks(&self, rows: Vec<WorkerRow>) -> Result<Vec<Look>, WorkerError> {
        let mut looks = Vec::with_capacity(rows.len());
        let held = |row: &WorkerRow| {
            matches!(row.state, WorkerState::WaitingLimit | WorkerState::NeedsLogin)
        };
        let holds = if rows.iter().any(held) { self.store().holds().await? } else { Vec::new() };
        for facts in self.store().worker_facts(rows).await? {
            let mut look = Look {
                facts,
                latest_message: None,
                busy_with: None,
                state_since: None,
                open_approvals: Vec::new(),
                hold: None,
                login_file: None,
                stop_reason: None,
                waits_for: None,
                no_room: false,
                earlier_report: None,
            };
            self.look_deeper(&mut look).await?;
            self.look_at_state(&mut look, &holds).await?;
            looks.push(look);
        }
        Ok(looks)
    }

    /// What only a turn that has no report yet needs.
    async fn look_deeper(&self, look: &mut Look) -> Result<(), WorkerError> {
        let Some(turn) = &look.facts.turn else { return Ok(()) };
        if !turn.state.is_terminal() && turn.state != TurnState::Queued {
            let said = self.store().last_event(&turn.id, "agentMessage", "completed").await?;
            if let Some(event) = said {
                look.latest_message = self.text_of(event).await;
            }
            look.busy_with = self.busy_with(turn).await?;
        }
        if turn.state != TurnState::Completed && turn.position > 1 {
            let earlier = self.store().last_completed_before(&turn.worker, turn.position).await?;
            look.earlier_report = earlier.and_then(|turn| turn.report);
        }
        Ok(())
    }

    /// The facts behind the state.
    async fn look_at_state(&self, look: &mut Look, holds: &[HoldRow]) -> Result<(), WorkerError> {
        let state = look.worker().state;
        let worker = look.worker().id.clone();
        let ended = look.facts.turn.as_ref().and_then(|turn| turn.ended_at);
        look.state_since = match state.is_active() {
            true => self.store().last_state_at(&worker).await?,
            false => ended.or(Some(look.worker().created_at)),
        };
        let full = self.room.active.of(&worker).is_some_and(|active| active.is_full());
        look.no_room = state.is_active() && (full || self.room.deps.journal.is_full());
        let hold = |reason| holds.iter().find(|hold| hold.reason == reason).cloned();
        match state {
            WorkerState::Preparing => look.waits_for = self.room.deps.backend.waits_for(),
            WorkerState::WaitingLimit => look.hold = hold(HoldReason::Limit),
            WorkerState::NeedsLogin => {
                look.hold = hold(HoldReason::Login);
                look.login_file = self.room.deps.backend.login().file;
            }
            WorkerState::WaitingApproval => {
                let asked = self.store().approvals(&worker, 20).await?;
                look.open_approvals = asked.into_iter().filter(ApprovalRow::is_open).collect();
            }
            WorkerState::Stopping => {
                let active = self.room.active.of(&worker);
                look.stop_reason = active.and_then(|active| active.stop_reason());
            }
            _ => {}
        }
        Ok(())
    }

    async fn busy_with(&self, turn: &TurnRow) -> Result<Option<String>, WorkerError> {
        let begun = self.store().last_event(&turn.id, "commandExecution", "started").await?;
        let Some(begun) = begun else { return Ok(None) };
        let ended = self.store().last_event(&turn.id, "commandExecution", "completed").await?;
        if ended.is_some_and(|ended| ended.seq > begun.seq) {
            return Ok(None);
        }
        let payload: Value = serde_json::from_str(&begun.payload).unwrap_or_default();
        let command = payload["command"].as_str().unwrap_or("a command");
        Ok(Some(command.chars().take(200).collect()))
    }
}
