use super::affected::{check, check_names};
use super::apply::Journal;
use super::material::materialise;
use super::merge::merge_trees;
use super::place::Place;
use super::receipt::CheckedOn;
use super::target::{Target, Tip, tip};
use super::{Conflict, IntegrationError, Integrations, Preview, sides};
use crate::git::{Change, GitPath, Repo, Stage};
use crate::ids::WorkerId;
use crate::store::{IntegrationInputs, IntegrationRow};
use crate::worktree::{Snapshot, SnapshotNotes};
use globset::{Glob, GlobSet, GlobSetBuilder};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, HashSet};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// Where the objects of a plan go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Objects {
    /// Into the scratch directory: a preview leaves nothing in the repository.
    Scratch,
    /// Into the repository: an apply keeps them under its undo ref.
    Repository,
}

/// A preview, with what an apply needs to do what it says.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) preview: Preview,
    /// Every path that would be written, moves taken apart, ordered.
    pub(super) affected: Vec<Change>,
    pub(super) stage: Stage,
    pub(super) scratch: TempDir,
    /// Entries of the base's index that git does not compare with the disk.
    pub(super) odd: BTreeMap<GitPath, u8>,
    /// Of a branch target: where the branch is.
    pub(super) tip: Option<Tip>,
}

impl Plan {
    /// The files as they are to be, at their paths below this directory.
    pub(super) fn out(&self) -> PathBuf {
        self.scratch.path().join("out")
    }
}

/// The two ends of what a worker did since it was last integrated.
pub(super) struct Work {
    inputs: IntegrationInputs,
    pub(super) ancestor: Snapshot,
    /// The ancestor's tree, but for paths that the worker merged itself.
    ancestor_tree: String,
    pub(super) theirs: Snapshot,
    /// What stands in the target, newest first.
    standing: Vec<IntegrationRow>,
}

impl Integrations {
    /// A plan in which nothing was looked at yet.
    pub(super) fn empty_plan(
        &self,
        repo: &Repo,
        objects: Objects,
    ) -> Result<Plan, IntegrationError> {
        let scratch = self.worktrees.scratch()?;
        let mut stage = Stage::new(repo, scratch.path().join("index"));
        if objects == Objects::Scratch {
            stage = stage.private_objects(&make(scratch.path(), "objects")?);
        }
        let (preview, affected, odd) = (Preview::default(), Vec::new(), BTreeMap::new());
        Ok(Plan { preview, affected, stage, scratch, odd, tip: None })
    }

    pub(super) async fn plan(
        &self,
        repo: &Repo,
        worker: &WorkerId,
        target: &Target,
        accepted: &[String],
        objects: Objects,
    ) -> Result<Plan, IntegrationError> {
        let accepted = patterns(accepted)?;
        let mut plan = self.empty_plan(repo, objects)?;
        let inputs = self.store.integration_inputs(worker.as_str()).await?;
        if inputs.mode != "isolated_write" {
            plan.preview.reason = Some("not_isolated");
            return Ok(plan);
        }
        let Some(mut work) = self.work(repo, worker, target, inputs).await? else {
            plan.preview.reason = Some("no_snapshot");
            return Ok(plan);
        };
        let preview = &mut plan.preview;
        preview.notes = SnapshotNotes::read(repo, &work.theirs).await?;
        preview.worker_base = work.inputs.base_commit.clone().unwrap_or_default();
        preview.worker_committed = work.theirs.head != preview.worker_base;
        preview.snapshot = Some(work.theirs.clone());
        match target {
            Target::Checkout => self.look_at_files(repo, &mut plan).await?,
            Target::Branch(name) => look_at_branch(repo, name, &mut plan).await?,
        }
        plan.preview.base_moved = plan.preview.base_head != plan.preview.worker_base;
        if work.theirs.tree == work.ancestor.tree && plan.preview.notes.refused.is_empty() {
            plan.preview = plan.preview.refuse("no_changes");
            return Ok(plan);
        }
        let scratch = plan.scratch.path();
        work.ancestor_tree = self.ancestor_tree(repo, worker, target, &work, scratch).await?;
        self.merge(repo, &work, &mut plan).await?;
        let settled = settled(&plan, &work).await?;
        let mut plan = judge(plan, repo, &work, target, &accepted, &settled);
        if plan.preview.token.is_some() {
            let on = CheckedOn {
                repo_key: repo.key.as_str(),
                target: &target.stored(),
                snapshot_id: work.theirs.id.as_str(),
                base_tree: &plan.preview.ours_tree,
                merged_tree: &plan.preview.merged_tree,
            };
            plan.preview.receipts = self.receipts_on(worker, &on).await?;
        }
        Ok(plan)
    }

    async fn work(
        &self,
        repo: &Repo,
        worker: &WorkerId,
        target: &Target,
        inputs: IntegrationInputs,
    ) -> Result<Option<Work>, IntegrationError> {
        let root = repo.root.as_os_str().as_bytes();
        let name = target.stored();
        let standing = self.store.integrations_standing(worker.as_str(), root, &name).await?;
        let theirs = self.worktrees.latest(worker).await?;
        let ancestor = match standing.first() {
            Some(row) => self.worktrees.by_id(&row.snapshot_id).await?,
            None => self.worktrees.start(worker).await?,
        };
        Ok(theirs.zip(ancestor).map(|(theirs, ancestor)| {
            let ancestor_tree = ancestor.tree.clone();
            Work { inputs, ancestor, ancestor_tree, theirs, standing }
        }))
    }

    async fn merge(
        &self,
        repo: &Repo,
        work: &Work,
        plan: &mut Plan,
    ) -> Result<(), IntegrationError> {
        let (stage, preview) = (&plan.stage, &mut plan.preview);
        let trees = (&work.ancestor_tree, &preview.ours_tree, &work.theirs.tree);
        let merged = merge_trees(stage, trees.0, trees.1, trees.2).await?;
        preview.merged_tree = merged.tree;
        preview.conflicts = merged.conflicts;
        for path in &preview.notes.nested {
            let detail = "a nested repository cannot be part of a result";
            preview.conflicts.push(Conflict::new(path.clone(), "nested_repository", detail));
        }
        for path in &preview.notes.refused {
            let detail = "git cannot hold this file: its name is reserved, or a filter fails at it";
            preview.conflicts.push(Conflict::new(path.clone(), "unstorable", detail));
        }
        let (ours, merged) = (&preview.ours_tree, &preview.merged_tree);
        let (changes, affected) = tokio::try_join!(
            stage.tree_changes(ours, merged, true),
            stage.tree_changes(ours, merged, false),
        )?;
        preview.changes = changes;
        plan.affected = affected;
        let files = plan.tip.is_none();
        if preview.conflicts.is_empty() {
            preview.conflicts = match files {
                true => check(&Place::open(&repo.root)?, &plan.odd, &plan.affected)?,
                false => check_names(&plan.affected),
            };
        }
        if preview.conflicts.is_empty() && files && !plan.affected.is_empty() {
            plan.preview.conflicts = materialise(repo, &work.theirs, plan).await?;
        }
        let preview = &mut plan.preview;
        let (ours, theirs) = (&preview.ours_tree, &work.theirs.tree);
        sides::read(&plan.stage, ours, theirs, &mut preview.conflicts).await
    }
}

/// The base of a branch target: the branch's tip. There are no files, and so nothing uncommitted.
async fn look_at_branch(repo: &Repo, name: &str, plan: &mut Plan) -> Result<(), IntegrationError> {
    let tip = tip(repo, name, &plan.preview.worker_base).await?;
    let tree = format!("{}^{{tree}}", tip.commit);
    let args = ["--verify", "--quiet", "--end-of-options", &tree];
    plan.preview.ours_tree = plan.stage.run("rev-parse").args(args).ok().await?.line();
    plan.preview.base_head.clone_from(&tip.commit);
    plan.tip = Some(tip);
    Ok(())
}

/// Uncommitted paths of the base that this worker's applies wrote and that are as they left them: nobody's
/// edits are in them, so a further integration of that worker needs no leave to write them.
async fn settled(plan: &Plan, work: &Work) -> Result<HashSet<GitPath>, IntegrationError> {
    let affected: HashSet<&GitPath> = plan.affected.iter().map(|change| &change.path).collect();
    let dirty = plan.preview.base_dirty.iter().filter(|path| affected.contains(path));
    let mut open: HashSet<GitPath> = dirty.cloned().collect();
    let mut settled = HashSet::new();
    for row in &work.standing {
        let written: Vec<GitPath> =
            written_by(row).into_iter().filter(|path| open.remove(path)).collect();
        if written.is_empty() {
            continue;
        }
        let ours = &plan.preview.ours_tree;
        let edited = plan.stage.tree_changes(&row.merged_tree, ours, false).await?;
        let edited: HashSet<GitPath> = edited.into_iter().map(|change| change.path).collect();
        settled.extend(written.into_iter().filter(|path| !edited.contains(path)));
    }
    Ok(settled)
}

fn written_by(row: &IntegrationRow) -> Vec<GitPath> {
    let journal = serde_json::from_str::<Journal>(&row.paths_json);
    journal.map(|j| j.moves.iter().map(|one| one.path()).collect()).unwrap_or_default()
}

/// Fills in what follows from the rest: touched dirty paths, the token, whether it can be applied.
fn judge(
    mut plan: Plan,
    repo: &Repo,
    work: &Work,
    target: &Target,
    accepted: &GlobSet,
    settled: &HashSet<GitPath>,
) -> Plan {
    let affected: HashSet<&GitPath> = plan.affected.iter().map(|change| &change.path).collect();
    let preview = &mut plan.preview;
    let dirty = preview.base_dirty.iter();
    preview.base_dirty_touched = dirty.filter(|path| affected.contains(path)).cloned().collect();
    let touched = preview.base_dirty_touched.iter();
    let edited = touched.filter(|path| !settled.contains(path));
    let refused = edited.filter(|path| !accepted.is_match(path.as_path()));
    preview.base_dirty_unaccepted = refused.cloned().collect();
    let reason = if work.inputs.turn_active {
        Some("turn_active")
    } else if !preview.conflicts.is_empty() {
        Some("conflict")
    } else if affected.is_empty() {
        Some("already_in_base")
    } else if preview.base_dirty_unaccepted.is_empty() {
        None
    } else {
        Some("base_dirty")
    };
    preview.reason = reason;
    preview.can_apply = reason.is_none();
    if matches!(reason, None | Some("base_dirty")) {
        let (theirs, ancestor) = (work.theirs.id.as_str(), work.ancestor_tree.as_str());
        let (target, tip) =
            (target.stored(), plan.tip.as_ref().map_or("", |tip| tip.commit.as_str()));
        let bound = [repo.key.as_str(), theirs, ancestor, &target, tip];
        preview.token = Some(token_of(&bound, &plan.affected));
    }
    plan
}

/// Binds these texts and the entries of the affected paths before and after.
pub(super) fn token_of(bound: &[&str], affected: &[Change]) -> String {
    let mut digest = Sha256::new();
    let mut feed = |bytes: &[u8]| {
        digest.update((bytes.len() as u64).to_le_bytes());
        digest.update(bytes);
    };
    feed(b"patchbay preview 2");
    for text in bound {
        feed(text.as_bytes());
    }
    for change in affected {
        feed(change.path.as_bytes());
        for entry in [&change.old, &change.new] {
            let text = entry.as_ref().map(|e| format!("{:o} {}", e.mode, e.oid));
            feed(text.unwrap_or_default().as_bytes());
        }
    }
    format!("pvt_{}", hex::encode(&digest.finalize()[..20]))
}

fn patterns(texts: &[String]) -> Result<GlobSet, IntegrationError> {
    let bad = |text: &str| IntegrationError::BadPattern(text.to_owned());
    let mut set = GlobSetBuilder::new();
    for text in texts {
        set.add(Glob::new(text).map_err(|_| bad(text))?);
    }
    set.build().map_err(|error| bad(&error.to_string()))
}

pub(super) fn make(parent: &Path, name: &str) -> Result<PathBuf, IntegrationError> {
    let path = parent.join(name);
    std::fs::create_dir(&path).map_err(IntegrationError::io(&path))?;
    Ok(path)
}
