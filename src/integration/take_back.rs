use super::affected::{REFUSED, check, odd_entries};
use super::apply::{Applied, ApplyRequest, Journal, still_ours};
use super::moves::{Move, Moves, Standing};
use super::place::Place;
use super::plan::{Objects, Plan, token_of};
use super::{Conflict, IntegrationError, Integrations, Preview, undo};
use crate::failpoint;
use crate::git::Repo;
use crate::ids::{IntegrationId, WorkerId};
use crate::lock::MutationProof;
use crate::store::IntegrationRow;
use std::os::unix::ffi::OsStrExt;

/// An undo that is looked at, with what it takes to do it.
struct UndoPlan {
    plan: Plan,
    /// What is taken back, and how; absent when there is nothing.
    back: Option<(IntegrationRow, Moves)>,
}

impl Integrations {
    /// What taking back the last integration of a worker into this checkout would do now.
    ///
    /// # Errors
    /// When git, the store or the file system fails; that it cannot be done is no error.
    pub async fn preview_undo(
        &self,
        repo: &Repo,
        worker: &WorkerId,
    ) -> Result<Preview, IntegrationError> {
        Ok(self.plan_undo(repo, worker, Objects::Scratch).await?.plan.preview)
    }

    pub(super) async fn undo_locked(
        &self,
        repo: &Repo,
        request: &ApplyRequest,
        proof: &MutationProof,
    ) -> Result<Applied, IntegrationError> {
        let UndoPlan { plan, back } =
            self.plan_undo(repo, &request.worker, Objects::Repository).await?;
        if plan.preview.token.as_ref().is_some_and(|token| *token != request.token) {
            return Err(IntegrationError::PreviewStale(Box::new(plan.preview)));
        }
        let (Some((undone, mut moves)), Some(snapshot), true) =
            (back, plan.preview.snapshot.clone(), plan.preview.can_apply)
        else {
            return Err(IntegrationError::NotApplicable(Box::new(plan.preview)));
        };
        let place = Place::open(&repo.root)?;
        let id = IntegrationId::mint(&self.clock);
        moves.id = id.to_string();
        still_ours(&plan).await?;
        let undo_ref = format!("refs/patchbay/undo/{id}");
        undo::keep(&plan, repo, &moves, &undo_ref).await?;
        let journal = Journal { token: request.token.clone(), moves: moves.list.clone() };
        let mut row = self.row(&plan, repo, request, proof, &id, &journal, &undo_ref)?;
        row.undoes = Some(undone.id);
        self.store.begin_integration(&row).await?;
        failpoint::reach("apply_journalled").await;
        let (tree, scratch) = (&plan.preview.merged_tree, plan.scratch.path());
        self.carry_out(repo, &place, &moves, tree, scratch).await?;
        Ok(Applied::of(id, snapshot, plan.preview, undo_ref))
    }

    async fn plan_undo(
        &self,
        repo: &Repo,
        worker: &WorkerId,
        objects: Objects,
    ) -> Result<UndoPlan, IntegrationError> {
        let mut plan = self.empty_plan(repo, objects)?;
        let root = repo.root.as_os_str().as_bytes();
        let standing = self.store.integrations_standing(worker.as_str(), root, "checkout").await?;
        let journal = standing.into_iter().next().and_then(|row| {
            serde_json::from_str::<Journal>(&row.paths_json).ok().map(|journal| (row, journal))
        });
        let Some((row, journal)) = journal else {
            plan.preview.reason = Some("nothing_to_undo");
            return Ok(UndoPlan { plan, back: None });
        };
        let snapshot = self.worktrees.by_id(&row.snapshot_id).await?;
        plan.preview.worker_base = snapshot.as_ref().map(|s| s.head.clone()).unwrap_or_default();
        plan.preview.snapshot = snapshot;
        self.look_at_files(repo, &mut plan).await?;
        let moves = reversed(&journal, &plan, &row);
        undo::restore_contents(repo, &moves).await?;
        self.turn_back(repo, &row, &mut plan, &moves).await?;
        judge(&mut plan, repo, &row);
        Ok(UndoPlan { plan, back: Some((row, moves)) })
    }

    /// The base's files and what git does not compare with the disk.
    pub(super) async fn look_at_files(
        &self,
        repo: &Repo,
        plan: &mut Plan,
    ) -> Result<(), IntegrationError> {
        let preview = &mut plan.preview;
        preview.base_head = repo.head().await?;
        plan.stage.copy_index().await?;
        // Asked of the index as it is, before the copy is brought up to the disk.
        plan.odd = odd_entries(&plan.stage).await?;
        let added = plan.stage.add_all(&preview.base_head).await?;
        plan.odd.extend(added.refused.into_iter().map(|path| (path, REFUSED)));
        preview.base_dirty = added.changes.into_iter().map(|change| change.path).collect();
        preview.ours_tree = added.tree;
        Ok(())
    }

    async fn turn_back(
        &self,
        repo: &Repo,
        row: &IntegrationRow,
        plan: &mut Plan,
        moves: &Moves,
    ) -> Result<(), IntegrationError> {
        let place = Place::open(&repo.root)?;
        let mut edited = Vec::new();
        for (n, one) in moves.list.iter().enumerate() {
            if moves.standing(&place, n)? != Standing::Before {
                let detail = "the base was edited there since";
                edited.push(Conflict::new(one.path(), "edited_since", detail));
            }
        }
        let was = plan.stage.tree_changes(&row.merged_tree, &row.ours_tree, false).await?;
        let entries: Vec<_> = was.into_iter().map(|change| (change.path, change.new)).collect();
        let index = plan.scratch.path().join("merged-index");
        let stage = plan.stage.clone().with_index(index);
        stage.read_tree(&plan.preview.ours_tree).await?;
        stage.set_entries(&entries).await?;
        plan.preview.merged_tree = stage.write_tree().await?;
        let (ours, merged) = (&plan.preview.ours_tree, &plan.preview.merged_tree);
        plan.affected = stage.tree_changes(ours, merged, false).await?;
        plan.preview.changes = stage.tree_changes(ours, merged, true).await?;
        plan.preview.conflicts =
            if edited.is_empty() { check(&place, &plan.odd, &plan.affected)? } else { edited };
        Ok(())
    }
}

fn judge(plan: &mut Plan, repo: &Repo, row: &IntegrationRow) {
    plan.preview.reason = (!plan.preview.conflicts.is_empty()).then_some("conflict");
    plan.preview.can_apply = plan.preview.reason.is_none();
    if plan.preview.can_apply {
        let bound = [repo.key.as_str(), "undo", row.id.as_str()];
        plan.preview.token = Some(token_of(&bound, &plan.affected));
    }
}

/// The moves of an integration, the other way round.
fn reversed(journal: &Journal, plan: &Plan, row: &IntegrationRow) -> Moves {
    let turn = |one: &Move| Move::new(&one.path(), one.after.clone(), one.before.clone());
    Moves {
        id: row.id.clone(),
        list: journal.moves.iter().map(turn).collect(),
        contents: plan.scratch.path().join("contents"),
    }
}
