use super::affected::{check, odd_entries};
use super::merge::merge_trees;
use super::place::Place;
use super::{Conflict, IntegrationError, Integrations, Preview};
use crate::git::{Change, GitPath, Repo, Stage};
use crate::ids::WorkerId;
use crate::store::IntegrationInputs;
use crate::worktree::{Snapshot, SnapshotNotes};
use globset::{Glob, GlobSet, GlobSetBuilder};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, HashSet};
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
    odd: BTreeMap<GitPath, u8>,
}

impl Plan {
    /// The files as they are to be, at their paths below this directory.
    pub(super) fn out(&self) -> PathBuf {
        self.scratch.path().join("out")
    }
}

/// The two ends of what a worker did since it was last integrated.
struct Work {
    inputs: IntegrationInputs,
    ancestor: Snapshot,
    theirs: Snapshot,
}

impl Integrations {
    pub(super) async fn plan(
        &self,
        repo: &Repo,
        worker: &WorkerId,
        accepted: &[String],
        objects: Objects,
    ) -> Result<Plan, IntegrationError> {
        let accepted = patterns(accepted)?;
        let scratch = self.worktrees.scratch()?;
        let mut stage = Stage::new(repo, scratch.path().join("index"));
        if objects == Objects::Scratch {
            stage = stage.private_objects(&make(scratch.path(), "objects")?);
        }
        let (preview, affected, odd) = (Preview::default(), Vec::new(), BTreeMap::new());
        let mut plan = Plan { preview, affected, stage, scratch, odd };
        let inputs = self.store.integration_inputs(worker.as_str()).await?;
        if inputs.mode != "isolated_write" {
            plan.preview.reason = Some("not_isolated");
            return Ok(plan);
        }
        let Some(work) = self.work(worker, inputs).await? else {
            plan.preview.reason = Some("no_snapshot");
            return Ok(plan);
        };
        self.look_at_base(repo, &work, &mut plan).await?;
        if work.theirs.tree == work.ancestor.tree {
            plan.preview = plan.preview.refuse("no_changes");
            return Ok(plan);
        }
        self.merge(repo, &work, &mut plan).await?;
        let settled = settled(&plan, &work).await?;
        Ok(judge(plan, repo, &work, &accepted, &settled))
    }

    async fn work(
        &self,
        worker: &WorkerId,
        inputs: IntegrationInputs,
    ) -> Result<Option<Work>, IntegrationError> {
        let theirs = self.worktrees.latest(worker).await?;
        let ancestor = match &inputs.integrated_snapshot {
            Some(id) => self.worktrees.by_id(id).await?,
            None => self.worktrees.start(worker).await?,
        };
        Ok(theirs.zip(ancestor).map(|(theirs, ancestor)| Work { inputs, ancestor, theirs }))
    }

    async fn look_at_base(
        &self,
        repo: &Repo,
        work: &Work,
        plan: &mut Plan,
    ) -> Result<(), IntegrationError> {
        let preview = &mut plan.preview;
        preview.notes = SnapshotNotes::read(repo, &work.theirs).await?;
        preview.base_head = repo.head().await?;
        preview.worker_base = work.inputs.base_commit.clone().unwrap_or_default();
        preview.base_moved = preview.base_head != preview.worker_base;
        preview.worker_committed = work.theirs.head != preview.worker_base;
        preview.snapshot = Some(work.theirs.clone());
        plan.stage.copy_index().await?;
        // Asked of the index as it is, before the copy is brought up to the disk.
        plan.odd = odd_entries(&plan.stage).await?;
        let added = plan.stage.add_all(&preview.base_head).await?;
        preview.base_dirty = added.changes.into_iter().map(|change| change.path).collect();
        preview.ours_tree = added.tree;
        Ok(())
    }

    async fn merge(
        &self,
        repo: &Repo,
        work: &Work,
        plan: &mut Plan,
    ) -> Result<(), IntegrationError> {
        let (stage, preview) = (&plan.stage, &mut plan.preview);
        let trees = (&work.ancestor.tree, &preview.ours_tree, &work.theirs.tree);
        let merged = merge_trees(stage, trees.0, trees.1, trees.2).await?;
        preview.merged_tree = merged.tree;
        preview.conflicts = merged.conflicts;
        for path in &preview.notes.nested {
            let detail = "a nested repository cannot be part of a result";
            preview.conflicts.push(Conflict::new(path.clone(), "nested_repository", detail));
        }
        let (ours, merged) = (&preview.ours_tree, &preview.merged_tree);
        let (changes, affected) = tokio::try_join!(
            stage.tree_changes(ours, merged, true),
            stage.tree_changes(ours, merged, false),
        )?;
        preview.changes = changes;
        plan.affected = affected;
        if preview.conflicts.is_empty() {
            preview.conflicts = check(&Place::open(&repo.root)?, &plan.odd, &plan.affected)?;
        }
        if preview.conflicts.is_empty() && !plan.affected.is_empty() {
            plan.preview.conflicts = self.materialise(repo, work, plan).await?;
        }
        Ok(())
    }

    /// Writes the files as the base will get them below `out`: the merged blobs through the filters
    /// of the merged attributes, or the worker's exact bytes where those differ. Then asks git for
    /// the tree of exactly these files; a path that comes out as something else is refused.
    async fn materialise(
        &self,
        repo: &Repo,
        work: &Work,
        plan: &Plan,
    ) -> Result<Vec<Conflict>, IntegrationError> {
        let out = make(plan.scratch.path(), "out")?;
        let index = plan.scratch.path().join("merged-index");
        let stage = plan.stage.clone().with_index(index).over_work_tree(&out);
        stage.read_tree(&plan.preview.merged_tree).await?;
        let there: Vec<&Change> = plan.affected.iter().filter(|c| c.new.is_some()).collect();
        let paths: Vec<&GitPath> = there.iter().map(|c| &c.path).collect();
        stage.checkout(&paths).await?;
        if let Some(raw) = &plan.preview.notes.raw_commit {
            for change in &there {
                let Some(exact) = repo.file_at(raw, &change.path).await? else { continue };
                let theirs = repo.entry_at(&work.theirs.tree, &change.path).await?;
                if theirs == change.new {
                    let file = out.join(change.path.as_path());
                    std::fs::write(&file, exact.bytes).map_err(IntegrationError::io(&file))?;
                }
            }
        }
        stage.add_paths(&paths).await?;
        let tree = stage.write_tree().await?;
        let differing = stage.tree_changes(&plan.preview.merged_tree, &tree, false).await?;
        let detail = "git's filters do not give the merged content back";
        Ok(differing.into_iter().map(|c| Conflict::new(c.path, "filters", detail)).collect())
    }
}

/// Uncommitted paths of the base that are as the last apply left them: nobody's edits are in them, so
/// a further integration of that worker needs no leave to write them.
async fn settled(plan: &Plan, work: &Work) -> Result<HashSet<GitPath>, IntegrationError> {
    let Some(left) = &work.inputs.integrated_tree else { return Ok(HashSet::new()) };
    let edited = plan.stage.tree_changes(left, &plan.preview.ours_tree, false).await?;
    let edited: HashSet<GitPath> = edited.into_iter().map(|change| change.path).collect();
    let dirty = plan.preview.base_dirty.iter();
    Ok(dirty.filter(|path| !edited.contains(path)).cloned().collect())
}

/// Fills in what follows from the rest: touched dirty paths, the token, whether it can be applied.
fn judge(
    mut plan: Plan,
    repo: &Repo,
    work: &Work,
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
        preview.token = Some(token(repo, work, &plan.affected));
    }
    plan
}

/// Binds the repository, the worker's work and the entries of the affected paths before and after.
fn token(repo: &Repo, work: &Work, affected: &[Change]) -> String {
    let mut digest = Sha256::new();
    let mut feed = |bytes: &[u8]| {
        digest.update((bytes.len() as u64).to_le_bytes());
        digest.update(bytes);
    };
    feed(b"patchbay preview 1");
    for text in [repo.key.as_str(), work.theirs.id.as_str(), work.ancestor.id.as_str()] {
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

fn make(parent: &Path, name: &str) -> Result<PathBuf, IntegrationError> {
    let path = parent.join(name);
    std::fs::create_dir(&path).map_err(IntegrationError::io(&path))?;
    Ok(path)
}
