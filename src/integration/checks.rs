use super::plan::{Objects, Plan};
use super::receipt::{CheckResult, Outcome, Receipt, unchecked};
use super::target::Target;
use super::{IntegrationError, Integrations};
use crate::backend::{Backend, CheckEnd, CheckSpec};
use crate::config::ChecksConfig;
use crate::failpoint;
use crate::git::{Git, GitPath, Repo, RepoKey};
use crate::ids::{ReceiptId, WorkerId};
use crate::store::ReceiptRow;
use crate::worktree::Throwaway;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::os::unix::ffi::OsStrExt;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Runs of checks at the same time; more wait.
const AT_ONCE: usize = 2;
/// Most characters of a check's output that are kept.
const TAIL: usize = 4_000;

/// What it takes to run checks. Cheap to clone.
#[derive(Clone)]
pub struct Checker {
    pub(super) config: Arc<ChecksConfig>,
    backend: Arc<dyn Backend>,
    patience: Duration,
    places: Arc<Semaphore>,
    tasks: TaskTracker,
    closing: CancellationToken,
}

impl std::fmt::Debug for Checker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Checker").field("config", &self.config).finish_non_exhaustive()
    }
}

impl Checker {
    /// The operator's checks, run by this agent's sandbox. A call waits for them for `patience` at most.
    #[must_use]
    pub fn new(config: ChecksConfig, backend: Arc<dyn Backend>, patience: Duration) -> Self {
        Self {
            config: Arc::new(config),
            backend,
            patience,
            places: Arc::new(Semaphore::new(AT_ONCE)),
            tasks: TaskTracker::new(),
            closing: CancellationToken::new(),
        }
    }

    /// The commands of these names.
    fn named(&self, names: &[String]) -> Result<BTreeMap<String, String>, IntegrationError> {
        let of = |name: &String| {
            let command = self.config.commands.get(name);
            let known = || self.config.commands.keys().cloned().collect();
            let command = command.ok_or_else(|| IntegrationError::UnknownCheck {
                name: name.clone(),
                known: known(),
            });
            Ok((name.clone(), command?.clone()))
        };
        names.iter().map(of).collect()
    }

    /// Runs one command. It is ended when the program ends.
    async fn run(&self, place: &Throwaway, command: &str) -> Result<CheckEnd, IntegrationError> {
        let spec = CheckSpec {
            root: place.dir.clone(),
            cwd: place.tree.clone(),
            tmp: place.tmp.clone(),
            command: command.to_owned(),
            limit: Duration::from_secs(self.config.timeout_seconds),
        };
        tokio::select! {
            () = self.closing.cancelled() => {
                Err(IntegrationError::CheckBroken("patchbay was stopped".to_owned()))
            }
            done = self.backend.run_check(&spec) => {
                done.map_err(|error| IntegrationError::CheckBroken(error.to_string()))
            }
        }
    }
}

impl Integrations {
    /// The same, able to run checks.
    #[must_use]
    pub fn with_checks(mut self, checker: Checker) -> Self {
        self.checker = Some(checker);
        self
    }

    /// Names and commands of the operator's checks, and the names that an apply requires.
    #[must_use]
    pub fn checks(&self) -> Option<&ChecksConfig> {
        self.checker.as_ref().map(|checker| &*checker.config)
    }

    /// Runs checks on exactly what an apply would make of the target, unless a receipt of that says
    /// already that they passed. Returns the newest receipt after at most the checker's patience; it may be
    /// running still, and goes on then.
    ///
    /// # Errors
    /// [`IntegrationError::UnknownCheck`]; [`IntegrationError::NotApplicable`] when there is nothing that
    /// could be applied; git's, the store's and the file system's errors.
    pub async fn check(
        &self,
        repo: &Repo,
        worker: &WorkerId,
        target: &Target,
        accepted: &[String],
        names: &[String],
    ) -> Result<Receipt, IntegrationError> {
        let wanted = self.wanted(names)?;
        let plan = self.plan(repo, worker, target, accepted, Objects::Repository).await?;
        if !plan.preview.can_apply {
            return Err(IntegrationError::NotApplicable(Box::new(plan.preview)));
        }
        let there = &plan.preview.receipts;
        let running = there.iter().find(|receipt| receipt.state == "running");
        let id = match (running, there.iter().find(|receipt| receipt.covers(&wanted))) {
            (_, Some(green)) => return Ok(green.clone()),
            (Some(running), None) => running.id.clone(),
            (None, None) => self.begin_checks(repo, worker, target, &plan, &wanted).await?,
        };
        let patience = self.checker.as_ref().map(|checker| checker.patience).unwrap_or_default();
        self.ended_check(&id, patience).await
    }

    fn wanted(&self, names: &[String]) -> Result<BTreeMap<String, String>, IntegrationError> {
        match &self.checker {
            Some(checker) => checker.named(names),
            None => names.first().map_or_else(
                || Ok(BTreeMap::new()),
                |name| {
                    let (name, known) = (name.clone(), Vec::new());
                    Err(IntegrationError::UnknownCheck { name, known })
                },
            ),
        }
    }

    /// Refuses a plan that lacks a required check, or one that the call names.
    pub(super) fn demand_checks(
        &self,
        plan: &Plan,
        names: &[String],
    ) -> Result<(), IntegrationError> {
        let required = self.checks().map(|config| config.require_checks.as_slice());
        let wanted = self.wanted(&[names, required.unwrap_or_default()].concat())?;
        let missing = unchecked(&plan.preview.receipts, &wanted);
        if missing.is_empty() {
            return Ok(());
        }
        let preview = Box::new(plan.preview.clone());
        Err(IntegrationError::ChecksRequired { missing, preview })
    }

    async fn begin_checks(
        &self,
        repo: &Repo,
        worker: &WorkerId,
        target: &Target,
        plan: &Plan,
        wanted: &BTreeMap<String, String>,
    ) -> Result<String, IntegrationError> {
        let preview = &plan.preview;
        let id = ReceiptId::mint(&self.clock);
        let parents = [preview.base_head.as_str()];
        let message = format!("patchbay: to be checked, {id}\n");
        let commit = plan.stage.commit_tree(&preview.merged_tree, &parents, &message).await?;
        let checks: Vec<CheckResult> =
            wanted.iter().map(|(name, command)| CheckResult::not_run(name, command)).collect();
        let row = ReceiptRow {
            id: id.to_string(),
            worker_id: worker.to_string(),
            snapshot_id: preview.snapshot.as_ref().map(|s| s.id.to_string()).unwrap_or_default(),
            repo_key: repo.key.as_str().to_owned(),
            repo_root: repo.root.as_os_str().as_bytes().to_vec(),
            target: target.stored(),
            base_tree: preview.ours_tree.clone(),
            merged_tree: preview.merged_tree.clone(),
            state: "running".to_owned(),
            checks_json: serde_json::to_string(&checks).unwrap_or_default(),
            error: None,
            created_at: self.clock.now_ms(),
            finished_at: None,
        };
        self.store.begin_receipt(&row).await?;
        if let Some(checker) = self.checker.clone() {
            let (this, repo, receipt) = (self.clone(), repo.clone(), id.clone());
            let run =
                async move { this.run_checks(&checker, &repo, &receipt, &commit, checks).await };
            self.tasks().spawn(run);
        }
        Ok(id.to_string())
    }

    fn tasks(&self) -> TaskTracker {
        self.checker.as_ref().map(|checker| checker.tasks.clone()).unwrap_or_default()
    }

    /// Runs checks to their end, and writes down what came of them.
    async fn run_checks(
        &self,
        checker: &Checker,
        repo: &Repo,
        id: &ReceiptId,
        commit: &str,
        mut checks: Vec<CheckResult>,
    ) {
        let ran = self.run_each(checker, repo, id, commit, &mut checks).await;
        let removed = self.worktrees.remove_throwaway(repo, id).await;
        let error = ran.err().map(|error| error.to_string());
        let error = error.or_else(|| removed.err().map(|error| error.to_string()));
        let all = checks.iter().all(|check| check.outcome == Outcome::Passed);
        let state = match (&error, all) {
            (Some(_), _) => "broken",
            (None, true) => "green",
            (None, false) => "red",
        };
        let json = serde_json::to_string(&checks).ok();
        let done = self.store.finish_receipt(id.as_str(), state, json.as_deref(), error.as_deref());
        if let Err(error) = done.await {
            tracing::error!(%error, %id, "what came of checks was not written down");
        }
    }

    /// Each check gets a worktree of its own: what one of them writes is not what the next one checks.
    async fn run_each(
        &self,
        checker: &Checker,
        repo: &Repo,
        id: &ReceiptId,
        commit: &str,
        checks: &mut [CheckResult],
    ) -> Result<(), IntegrationError> {
        let closed = || IntegrationError::CheckBroken("patchbay was stopped".to_owned());
        let _place = tokio::select! {
            () = checker.closing.cancelled() => return Err(closed()),
            place = checker.places.acquire() => place.map_err(|_| closed())?,
        };
        for check in checks {
            let place = self.worktrees.make_throwaway(repo, id, commit).await?;
            failpoint::reach("check_placed").await;
            let began = tokio::time::Instant::now();
            let end = checker.run(&place, &check.command).await?;
            check.duration_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
            note(check, &end, &place);
            self.worktrees.remove_throwaway(repo, id).await?;
        }
        Ok(())
    }

    /// Waits until checks have ended, at most `patience`.
    async fn ended_check(&self, id: &str, patience: Duration) -> Result<Receipt, IntegrationError> {
        let deadline = tokio::time::Instant::now() + patience;
        let mut changed = self.store.watch();
        loop {
            changed.mark_unchanged();
            let row = self.store.receipt(id).await?.ok_or(crate::store::StoreError::Missing)?;
            if row.state != "running"
                || tokio::time::timeout_at(deadline, changed.changed()).await.is_err()
            {
                return Ok(row.into());
            }
        }
    }

    /// Ends checks that run, and waits until nothing of them is left.
    pub async fn close(&self) {
        if let Some(checker) = &self.checker {
            checker.closing.cancel();
            checker.tasks.close();
            checker.tasks.wait().await;
        }
    }

    /// Removes what checks left that an earlier life of the program began.
    pub(super) async fn reconcile_checks(&self, git: &Git) -> Result<(), IntegrationError> {
        for row in self.store.receipts_running().await? {
            let Ok(id) = row.id.parse::<ReceiptId>() else { continue };
            let root = GitPath::new(row.repo_root);
            let gone = match Repo::open(git, root.as_path()).await {
                Ok(repo) => self.worktrees.remove_throwaway(&repo, &id).await,
                Err(_) => {
                    let key = RepoKey::stored(row.repo_key);
                    self.worktrees.delete_throwaway(&id, &key).await
                }
            };
            if let Err(error) = gone {
                tracing::warn!(%error, %id, "a worktree of checks was not removed");
            }
            let why = "patchbay ended while they ran";
            self.store.finish_receipt(id.as_str(), "broken", None, Some(why)).await?;
        }
        Ok(())
    }
}

fn note(check: &mut CheckResult, end: &CheckEnd, place: &Throwaway) {
    check.outcome = match (end.timed_out, end.exit_code) {
        (true, _) => Outcome::TimedOut,
        (false, 0) => Outcome::Passed,
        (false, _) => Outcome::Failed,
    };
    check.exit_code = (!end.timed_out).then_some(end.exit_code);
    check.stdout_sha256 = hex::encode(Sha256::digest(&end.stdout));
    check.stderr_sha256 = hex::encode(Sha256::digest(&end.stderr));
    // Where it ran is nobody's business, and gone.
    let both = format!("{}{}", end.stdout, end.stderr)
        .replace(&*place.tree.to_string_lossy(), ".")
        .replace(&*place.tmp.to_string_lossy(), "$TMPDIR")
        .replace(&*place.dir.to_string_lossy(), "..");
    let skipped = both.chars().count().saturating_sub(TAIL);
    check.tail = both.chars().skip(skipped).collect();
}
