use super::registry::{Catalog, mode_name};
use super::{Presence, Reach};
use crate::config::ToolMode;
use schemars::JsonSchema;
use serde::Serialize;
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

/// How a check came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CheckStatus {
    /// As it should be.
    Pass,
    /// Works, with a reservation.
    Warn,
    /// Does not work.
    Fail,
}

/// One check of `codex_self_test`. It is made elsewhere and kept here, because the tool must be cheap.
/// `detail` is shown to chats: no path of the state directory, no secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Check {
    /// What was looked at, for example `codex`.
    pub name: String,
    /// How it came out.
    pub status: CheckStatus,
    /// What is so, and what to do about it when it is not as it should be.
    pub detail: String,
}

impl Check {
    /// A check.
    pub fn new(name: &str, status: CheckStatus, detail: impl Into<String>) -> Self {
        Self { name: name.to_owned(), status, detail: detail.into() }
    }
}

/// One tool mode, as `codex_tool_mode_info` shows it.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct ModeFacts {
    /// The mode's name.
    pub(crate) mode: String,
    /// What it is for.
    pub(crate) purpose: String,
    /// How many tools it shows.
    pub(crate) tool_count: usize,
    /// Their names.
    pub(crate) tool_names: Vec<String>,
}

/// What the tools about the connection itself know: who is connected, what was checked, which modes
/// there are. Cheap to clone; clones share.
#[derive(Clone, Default)]
pub struct Facts {
    /// Who is connected.
    pub presence: Presence,
    /// Under which public host the server is reached.
    pub reach: Reach,
    checks: Arc<RwLock<Arc<Vec<Check>>>>,
    modes: Arc<OnceLock<Vec<ModeFacts>>>,
}

impl Facts {
    /// Replaces the checks that `codex_self_test` shows (git, codex, sandbox, login …).
    pub fn set_checks(&self, checks: Vec<Check>) {
        *self.checks.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(checks);
    }

    /// The checks as they were last set, and how the tunnel is, where there is one.
    #[must_use]
    pub fn checks(&self) -> Vec<Check> {
        let set = self.checks.read().unwrap_or_else(PoisonError::into_inner).clone();
        set.iter().cloned().chain(self.reach.check()).collect()
    }

    /// The modes, richest last but `minimal` at the end, as hosts know the list.
    pub(crate) fn modes(&self) -> &[ModeFacts] {
        self.modes.get().map_or(&[], Vec::as_slice)
    }

    /// Notes what each mode shows, once.
    pub(crate) fn learn(&self, catalog: &Catalog) {
        let modes = [
            (ToolMode::Worker, "Workers and repository reading: the default."),
            (ToolMode::Standard, "Worker mode and the context, handoff and job tools."),
            (ToolMode::Full, "Every tool."),
            (ToolMode::Minimal, "Orientation and readiness only."),
        ];
        let facts = modes.map(|(mode, purpose)| {
            let names = catalog.names(mode);
            ModeFacts {
                mode: mode_name(mode).to_owned(),
                purpose: purpose.to_owned(),
                tool_count: names.len(),
                tool_names: names.into_iter().map(str::to_owned).collect(),
            }
        });
        let _ = self.modes.set(facts.to_vec());
    }
}
