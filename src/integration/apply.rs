use super::landing::unlike;
use super::moves::{Move, Moves, Standing, Way};
use super::place::Place;
use super::plan::{Objects, Plan};
use super::receipt::CheckedOn;
use super::target::Target;
use super::{IntegrationError, Integrations, Preview, Receipt, undo};
use crate::failpoint;
use crate::git::{Change, GitPath, Repo, Stage};
use crate::ids::{IntegrationId, WorkerId};
use crate::lock::MutationProof;
use crate::store::IntegrationRow;
use crate::worktree::Snapshot;
use std::collections::HashSet;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// What to apply, and under which conditions.
#[derive(Debug, Clone)]
pub struct ApplyRequest {
    /// Whose result.
    pub worker: WorkerId,
    /// The token of the preview that was agreed to.
    pub token: String,
    /// Patterns of dirty base paths that may be merged with.
    pub accepted_dirty: Vec<String>,
    /// The same key with the same token is applied once.
    pub idempotency_key: Option<String>,
    /// Where it goes.
    pub target: Target,
    /// Of a branch target: the commit's message.
    pub message: Option<String>,
    /// Of a branch target: the commit's author, `Name <email>`.
    pub author: Option<String>,
    /// Names of checks that must have passed on exactly what is applied, beside those always required.
    pub checks: Vec<String>,
    /// Take the last integration back instead; the token is that of its preview.
    pub undo: bool,
}

/// A result that is in the base now.
#[derive(Debug, Clone)]
pub struct Applied {
    /// Names the receipt.
    pub id: IntegrationId,
    /// What was applied.
    pub snapshot: Snapshot,
    /// What the base got, renames found.
    pub changes: Vec<Change>,
    /// The base's working tree before.
    pub tree_before: String,
    /// And after: verified.
    pub tree_after: String,
    /// Keeps the bytes from before.
    pub undo_ref: String,
    /// Whether an earlier call with the same key did it.
    pub replay: bool,
    /// Of a branch target: the commit that the branch is at now.
    pub commit: Option<String>,
    /// Checks of exactly this result, newest first.
    pub receipts: Vec<Receipt>,
}

impl Applied {
    /// What a preview said, done just now.
    pub(super) fn of(
        id: IntegrationId,
        snapshot: Snapshot,
        preview: Preview,
        undo_ref: String,
    ) -> Self {
        Self {
            id,
            snapshot,
            changes: preview.changes,
            tree_before: preview.ours_tree,
            tree_after: preview.merged_tree,
            undo_ref,
            replay: false,
            commit: None,
            receipts: preview.receipts,
        }
    }
}

impl Integrations {
    /// Applies a worker's result to the working tree of the base or to a branch, or takes the last apply
    /// back: under the mutation lock, exactly as previewed, verified, or not at all. Once begun it goes on to its end even if the caller does not
    /// wait for it.
    ///
    /// # Errors
    /// [`IntegrationError::PreviewStale`] or [`IntegrationError::NotApplicable`] with a fresh preview,
    /// a busy lock, or what went wrong; in each case the base is as it was.
    pub async fn apply(
        &self,
        repo: &Repo,
        request: ApplyRequest,
    ) -> Result<Applied, IntegrationError> {
        let (this, repo, root) = (self.clone(), repo.clone(), repo.root.clone());
        let work = tokio::spawn(async move { this.apply_here(&repo, &request).await });
        work.await
            .unwrap_or_else(|error| Err(IntegrationError::io(&root)(std::io::Error::other(error))))
    }

    pub(super) async fn apply_here(
        &self,
        repo: &Repo,
        request: &ApplyRequest,
    ) -> Result<Applied, IntegrationError> {
        if let Some(replay) = self.replay(repo, request).await? {
            return Ok(replay);
        }
        let operation = "apply a worker's result";
        let guard = self.locks.acquire(repo, "codex_worker_integrate", None, operation).await?;
        let applied = self.apply_locked(repo, request, guard.proof()).await;
        guard.release().await?;
        applied
    }

    async fn apply_locked(
        &self,
        repo: &Repo,
        request: &ApplyRequest,
        proof: &MutationProof,
    ) -> Result<Applied, IntegrationError> {
        proof.check(&repo.key)?;
        self.end_open(repo).await?;
        // The call that this one repeats may have been ended only now.
        if let Some(replay) = self.replay(repo, request).await? {
            return Ok(replay);
        }
        if request.undo {
            return self.undo_locked(repo, request, proof).await;
        }
        let (target, accepted) = (&request.target, &request.accepted_dirty);
        let plan = self.plan(repo, &request.worker, target, accepted, Objects::Repository).await?;
        if plan.preview.token.as_ref().is_some_and(|token| *token != request.token) {
            return Err(IntegrationError::PreviewStale(Box::new(plan.preview)));
        }
        let Some(snapshot) = plan.preview.snapshot.clone().filter(|_| plan.preview.can_apply)
        else {
            return Err(IntegrationError::NotApplicable(Box::new(plan.preview)));
        };
        self.demand_checks(&plan, &request.checks)?;
        if let Some(tip) = plan.tip.clone() {
            return self.commit_to_branch(repo, request, plan, snapshot, &tip, proof).await;
        }
        let place = Place::open(&repo.root)?;
        let id = IntegrationId::mint(&self.clock);
        let moves = undo::capture(&plan, &place, &id).await?;
        still_ours(&plan).await?;
        let undo_ref = format!("refs/patchbay/undo/{id}");
        undo::keep(&plan, repo, &moves, &undo_ref).await?;
        let journal = Journal { token: request.token.clone(), moves: moves.list.clone() };
        let row = self.row(&plan, repo, request, proof, &id, &journal, &undo_ref)?;
        self.store.begin_integration(&row).await?;
        failpoint::reach("apply_journalled").await;
        self.carry_out(repo, &place, &moves, &plan.preview.merged_tree, plan.scratch.path())
            .await?;
        Ok(Applied::of(id, snapshot, plan.preview, undo_ref))
    }

    /// Makes the moves and verifies them; on any failure puts everything back. Ends the journal row.
    pub(super) async fn carry_out(
        &self,
        repo: &Repo,
        place: &Place,
        moves: &Moves,
        merged_tree: &str,
        scratch: &Path,
    ) -> Result<(), IntegrationError> {
        let made = async {
            for n in moves.order(Way::Forward) {
                moves.make(place, n, Way::Forward)?;
                self.halt_here().await;
                failpoint::reach("apply_moved").await;
            }
            verify(repo, place, moves, merged_tree, scratch).await
        };
        match made.await {
            Ok(()) => {
                failpoint::reach("apply_verified").await;
                Ok(self.store.finish_integration(&moves.id, "applied", None).await?)
            }
            Err(error) => {
                self.put_back(place, moves, &error.to_string()).await?;
                Err(error)
            }
        }
    }

    /// Puts every path back that is as we left it, and ends the journal row. A path that somebody else
    /// wrote meanwhile keeps what they wrote.
    pub(super) async fn put_back(
        &self,
        place: &Place,
        moves: &Moves,
        why: &str,
    ) -> Result<(), IntegrationError> {
        moves.sweep(place);
        for n in moves.order(Way::Back) {
            match moves.make(place, n, Way::Back) {
                Ok(()) | Err(IntegrationError::BaseChanged(_)) => {}
                Err(error) => {
                    let text = format!("{why}; and putting back failed: {error}");
                    self.store.finish_integration(&moves.id, "failed", Some(&text)).await?;
                    return Err(error);
                }
            }
        }
        moves.sweep(place);
        Ok(self.store.finish_integration(&moves.id, "rolled_back", Some(why)).await?)
    }

    async fn replay(
        &self,
        repo: &Repo,
        request: &ApplyRequest,
    ) -> Result<Option<Applied>, IntegrationError> {
        let Some(key) = &request.idempotency_key else { return Ok(None) };
        let found = self.store.integration_by_key(request.worker.as_str(), key).await?;
        let Some(row) = found.filter(|row| row.state == "applied") else { return Ok(None) };
        let same = serde_json::from_str::<Journal>(&row.paths_json)
            .is_ok_and(|journal| journal.token == request.token);
        let (snapshot, id) = (self.worktrees.by_id(&row.snapshot_id).await?, row.id.parse());
        let (true, Some(snapshot), Ok(id)) = (same, snapshot, id) else {
            return Err(IntegrationError::KeyReused);
        };
        let changes = repo.changes(&row.ours_tree, &row.merged_tree).await?;
        let on = CheckedOn {
            repo_key: &row.repo_key,
            target: &row.target,
            snapshot_id: &row.snapshot_id,
            base_tree: &row.ours_tree,
            merged_tree: &row.merged_tree,
        };
        let receipts = self.receipts_on(&request.worker, &on).await?;
        Ok(Some(Applied {
            id,
            snapshot,
            changes,
            tree_before: row.ours_tree,
            tree_after: row.merged_tree,
            undo_ref: row.undo_ref,
            replay: true,
            commit: row.commit_oid,
            receipts,
        }))
    }

    #[allow(clippy::too_many_arguments)] // each is a column
    pub(super) fn row(
        &self,
        plan: &Plan,
        repo: &Repo,
        request: &ApplyRequest,
        proof: &MutationProof,
        id: &IntegrationId,
        journal: &Journal,
        undo_ref: &str,
    ) -> Result<IntegrationRow, IntegrationError> {
        let snapshot_id = plan.preview.snapshot.as_ref().map(|s| s.id.to_string());
        Ok(IntegrationRow {
            id: id.to_string(),
            worker_id: request.worker.to_string(),
            snapshot_id: snapshot_id.unwrap_or_default(),
            repo_key: repo.key.as_str().to_owned(),
            repo_root: repo.root.as_os_str().as_bytes().to_vec(),
            state: "applying".to_owned(),
            lock_epoch: proof.epoch(),
            ours_tree: plan.preview.ours_tree.clone(),
            merged_tree: plan.preview.merged_tree.clone(),
            undo_ref: undo_ref.to_owned(),
            paths_json: serde_json::to_string(journal)
                .map_err(|error| IntegrationError::io(&repo.root)(error.into()))?,
            idempotency_key: request.idempotency_key.clone(),
            error: None,
            created_at: self.clock.now_ms(),
            finished_at: None,
            target: request.target.stored(),
            commit_oid: None,
            undoes: None,
            undone_at: None,
        })
    }

    #[cfg(not(test))]
    async fn halt_here(&self) {}

    #[cfg(test)]
    async fn halt_here(&self) {
        if let Some(halt) = &self.halt {
            halt.pass().await;
        }
    }
}

/// What the journal row says of the paths.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
pub(super) struct Journal {
    pub(super) token: String,
    pub(super) moves: Vec<Move>,
}

/// The bytes were read after the base's tree was taken: an edit in between must not be overwritten.
pub(super) async fn still_ours(plan: &Plan) -> Result<(), IntegrationError> {
    // New paths are checked when they are written; git refuses to look at one that is a directory yet.
    let there = plan.affected.iter().filter(|change| change.old.is_some());
    let paths: Vec<&GitPath> = there.map(|change| &change.path).collect();
    plan.stage.add_paths(&paths).await?;
    let now = plan.stage.write_tree().await?;
    if now == plan.preview.ours_tree {
        return Ok(());
    }
    let changed = plan.stage.tree_changes(&plan.preview.ours_tree, &now, false).await?;
    let path = changed.into_iter().next().map(|change| change.path);
    Err(IntegrationError::BaseChanged(path.unwrap_or_else(|| GitPath::from(""))))
}

/// Every path has the bytes and the mode that it should, and the base's git makes the merged content of
/// it. Paths that the apply did not write are not looked at: their owner may be editing them.
pub(super) async fn verify(
    repo: &Repo,
    place: &Place,
    moves: &Moves,
    merged_tree: &str,
    scratch: &Path,
) -> Result<(), IntegrationError> {
    let mut written = HashSet::new();
    for (n, one) in moves.list.iter().enumerate() {
        if moves.standing(place, n)? != Standing::After {
            return Err(IntegrationError::NotExact(one.path()));
        }
        if one.after.is_some() {
            written.insert(one.path());
        }
    }
    let mut wanted = repo.entries(merged_tree).await?;
    wanted.retain(|(path, _)| written.remove(path));
    if let Some(path) = written.into_iter().next() {
        return Err(IntegrationError::NotExact(path));
    }
    let stage = Stage::new(repo, scratch.join("verify-index"));
    match unlike(&stage, &wanted).await?.into_iter().next() {
        None => Ok(()),
        Some(path) => Err(IntegrationError::NotExact(path)),
    }
}
