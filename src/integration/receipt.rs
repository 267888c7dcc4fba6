use super::{IntegrationError, Integrations};
use crate::ids::WorkerId;
use crate::store::ReceiptRow;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Most receipts that a look at a worker considers.
const LOOKED_AT: u32 = 50;

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It has not ended, or never began.
    NotRun,
    /// Exit code 0.
    Passed,
    /// Another exit code.
    Failed,
    /// It took too long and was ended.
    TimedOut,
}

impl Outcome {
    /// For people.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::NotRun => "not run",
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::TimedOut => "took too long and was ended",
        }
    }
}

/// One check: what was run, and what came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckResult {
    /// Its name in the operator's settings.
    pub name: String,
    /// The command that was run.
    pub command: String,
    /// How it ended.
    pub outcome: Outcome,
    /// Exit code; 128 and the signal where one ended it.
    pub exit_code: Option<i32>,
    /// How long it took, in milliseconds.
    pub duration_ms: u64,
    /// SHA-256 of the first MiB of its standard output.
    pub stdout_sha256: String,
    /// The same of its standard error.
    pub stderr_sha256: String,
    /// The end of its output, standard error last, at most 4,000 characters.
    pub tail: String,
}

impl CheckResult {
    pub(super) fn not_run(name: &str, command: &str) -> Self {
        Self {
            name: name.to_owned(),
            command: command.to_owned(),
            outcome: Outcome::NotRun,
            exit_code: None,
            duration_ms: 0,
            stdout_sha256: String::new(),
            stderr_sha256: String::new(),
            tail: String::new(),
        }
    }
}

/// What is known of checks on one merged result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// Its id.
    pub id: String,
    /// `running`, `green` (all passed), `red`, or `broken`: they could not be run to their end.
    pub state: String,
    /// The worker's snapshot.
    pub snapshot_id: String,
    /// `checkout`, or the full name of a branch.
    pub target: String,
    /// Tree of the base.
    pub base_tree: String,
    /// Tree that was checked.
    pub merged_tree: String,
    /// Each check.
    pub checks: Vec<CheckResult>,
    /// Why it is broken.
    pub error: Option<String>,
    /// Unix milliseconds.
    pub created_at: i64,
    /// Unix milliseconds.
    pub finished_at: Option<i64>,
}

impl From<ReceiptRow> for Receipt {
    fn from(row: ReceiptRow) -> Self {
        Self {
            // A row that cannot be read proves nothing.
            checks: serde_json::from_str(&row.checks_json).unwrap_or_default(),
            id: row.id,
            state: row.state,
            snapshot_id: row.snapshot_id,
            target: row.target,
            base_tree: row.base_tree,
            merged_tree: row.merged_tree,
            error: row.error,
            created_at: row.created_at,
            finished_at: row.finished_at,
        }
    }
}

impl Receipt {
    /// Whether checks of these names, with these commands, passed.
    pub(super) fn covers(&self, wanted: &BTreeMap<String, String>) -> bool {
        wanted.iter().all(|(name, command)| self.passed(name, command))
    }

    fn passed(&self, name: &str, command: &str) -> bool {
        self.checks.iter().any(|check| {
            check.outcome == Outcome::Passed && check.name == name && check.command == command
        })
    }
}

impl Integrations {
    /// The receipts of a worker, newest first, at most 50.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn receipts(&self, worker: &WorkerId) -> Result<Vec<Receipt>, IntegrationError> {
        let rows = self.store.receipts(worker.as_str(), LOOKED_AT).await?;
        Ok(rows.into_iter().map(Receipt::from).collect())
    }

    /// The receipts of exactly this: newest first.
    pub(super) async fn receipts_on(
        &self,
        worker: &WorkerId,
        on: &CheckedOn<'_>,
    ) -> Result<Vec<Receipt>, IntegrationError> {
        let mut rows = self.store.receipts(worker.as_str(), LOOKED_AT).await?;
        rows.retain(|row| {
            row.repo_key == on.repo_key
                && row.target == on.target
                && row.snapshot_id == on.snapshot_id
                && row.base_tree == on.base_tree
                && row.merged_tree == on.merged_tree
        });
        Ok(rows.into_iter().map(Receipt::from).collect())
    }
}

/// What a receipt is bound to, beside its worker.
#[derive(Debug)]
pub(super) struct CheckedOn<'a> {
    pub(super) repo_key: &'a str,
    pub(super) target: &'a str,
    pub(super) snapshot_id: &'a str,
    pub(super) base_tree: &'a str,
    pub(super) merged_tree: &'a str,
}

/// The names among the wanted checks that no receipt has as passed.
pub(super) fn unchecked(receipts: &[Receipt], wanted: &BTreeMap<String, String>) -> Vec<String> {
    let open = wanted
        .iter()
        .filter(|(name, command)| !receipts.iter().any(|receipt| receipt.passed(name, command)));
    open.map(|(name, _)| name.clone()).collect()
}
