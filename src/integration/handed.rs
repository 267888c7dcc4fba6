use super::place::{Content, Place};
use super::plan::{Objects, Work};
use super::target::Target;
use super::{Conflict, IntegrationError, Integrations};
use crate::git::{Entry, GitPath, MODE_LINK, MODE_SUBMODULE, Repo, Stage};
use crate::ids::{IntegrationId, WorkerId};
use crate::store::SentConflictsRow;
use std::collections::BTreeMap;
use std::path::Path;

/// The base's side of conflicts, laid out for the worker.
#[derive(Debug, Clone)]
pub struct Handed {
    /// What stood in the way.
    pub conflicts: Vec<Conflict>,
    /// Words for the worker: what to do, and where the base's side lies.
    pub message: String,
}

impl Integrations {
    /// Gives a worker the base's side of its conflicts: as files in its private temporary directory,
    /// which no view and no snapshot shows. From then on a path that the worker changes counts as merged
    /// by it: the base's side is its ancestor. A path that it leaves alone stays a conflict.
    ///
    /// # Errors
    /// [`IntegrationError::NotApplicable`] when there is no conflict; git's, the store's and the file
    /// system's errors.
    pub async fn hand_conflicts(
        &self,
        repo: &Repo,
        worker: &WorkerId,
        target: &Target,
    ) -> Result<Handed, IntegrationError> {
        let plan = self.plan(repo, worker, target, &[], Objects::Repository).await?;
        let (Some("conflict"), Some(snapshot)) = (plan.preview.reason, &plan.preview.snapshot)
        else {
            return Err(IntegrationError::NotApplicable(Box::new(plan.preview)));
        };
        let id = IntegrationId::mint(&self.clock).to_string();
        let message = format!("patchbay: the base's side of conflicts, {id}\n");
        let base = &plan.preview.ours_tree;
        let commit = plan.stage.commit_tree(base, &[], &message).await?;
        let ref_name = format!("refs/patchbay/{worker}/conflicts-{id}");
        repo.git.run(&repo.root, "update-ref").args([&ref_name, &commit]).ok().await?;
        let paths: Vec<&GitPath> = plan.preview.conflicts.iter().map(|c| &c.path).collect();
        let there = entries_of(repo, base, &paths).await?;
        let directory = format!("conflicts-{id}");
        let tmp = self.worktrees.tmp_dir(worker, &repo.key)?;
        lay_out(repo, &tmp, &directory, &there).await?;
        let b64: Vec<String> = paths.iter().map(|path| path.b64()).collect();
        let row = SentConflictsRow {
            id,
            worker_id: worker.to_string(),
            target: target.stored(),
            snapshot_id: snapshot.id.to_string(),
            base_tree: base.clone(),
            ref_name,
            paths_json: serde_json::to_string(&b64).unwrap_or_default(),
            created_at: self.clock.now_ms(),
        };
        self.store.insert_sent_conflicts(&row).await?;
        let message = words(&plan.preview.conflicts, &there, &tmp.join(directory));
        Ok(Handed { conflicts: plan.preview.conflicts, message })
    }

    /// The tree to take for the ancestor: that of `work`, with the base's side where the worker was given
    /// it and changed the path since.
    pub(super) async fn ancestor_tree(
        &self,
        repo: &Repo,
        worker: &WorkerId,
        target: &Target,
        work: &Work,
        scratch: &Path,
    ) -> Result<String, IntegrationError> {
        let sent = self.store.sent_conflicts(worker.as_str(), &target.stored()).await?;
        let mut merged_by_worker: BTreeMap<GitPath, Option<Entry>> = BTreeMap::new();
        for row in &sent {
            let Some(then) = self.worktrees.by_id(&row.snapshot_id).await? else { continue };
            let b64: Vec<String> = serde_json::from_str(&row.paths_json).unwrap_or_default();
            let paths: Vec<GitPath> = b64.iter().filter_map(|p| GitPath::from_b64(p)).collect();
            let paths: Vec<&GitPath> = paths.iter().collect();
            let (base, then, now) = tokio::try_join!(
                entries_of(repo, &row.base_tree, &paths),
                entries_of(repo, &then.tree, &paths),
                entries_of(repo, &work.theirs.tree, &paths),
            )?;
            for path in paths.into_iter().filter(|path| then.get(path) != now.get(path)) {
                merged_by_worker.insert(path.clone(), base.get(path).cloned());
            }
        }
        if merged_by_worker.is_empty() {
            return Ok(work.ancestor.tree.clone());
        }
        let stage = Stage::new(repo, scratch.join("ancestor-index"));
        stage.read_tree(&work.ancestor.tree).await?;
        stage.set_entries(&merged_by_worker.into_iter().collect::<Vec<_>>()).await?;
        Ok(stage.write_tree().await?)
    }
}

/// The files and links of a tree at these paths.
async fn entries_of(
    repo: &Repo,
    tree: &str,
    paths: &[&GitPath],
) -> Result<BTreeMap<GitPath, Entry>, IntegrationError> {
    let mut found = BTreeMap::new();
    for path in paths {
        if let Some(entry) = repo.entry_at(tree, path).await? {
            found.insert((*path).clone(), entry);
        }
    }
    Ok(found)
}

/// The worker may write its temporary directory: no link there is followed.
async fn lay_out(
    repo: &Repo,
    tmp: &Path,
    directory: &str,
    there: &BTreeMap<GitPath, Entry>,
) -> Result<(), IntegrationError> {
    let place = Place::open(tmp)?;
    for (path, entry) in there {
        if entry.mode == MODE_SUBMODULE || !path.is_plain() {
            continue;
        }
        let bytes = repo.blob(&entry.oid).await?;
        let content = match entry.mode {
            MODE_LINK => Content::Link { target: bytes },
            _ => Content::File { permissions: Some(0o644), executable: false, bytes },
        };
        let at = GitPath::new([directory.as_bytes(), b"/base/", path.as_bytes()].concat());
        place.put(&at, ".patchbay-part", &content)?;
    }
    Ok(())
}

fn words(conflicts: &[Conflict], there: &BTreeMap<GitPath, Entry>, directory: &Path) -> String {
    let base = directory.join("base");
    let mut text = format!(
        "Your result cannot be merged into the base: the base changed the same files since you began. For \
         each path below the base's version lies at the same path below {}. Change the file in your worktree \
         so that it holds what the base changed and what you changed, without conflict markers. A path that \
         you leave as it is stays a conflict.\n",
        base.display()
    );
    for conflict in conflicts.iter().take(100) {
        let gone =
            if there.contains_key(&conflict.path) { "" } else { "; the base has no such file" };
        text.push_str(&format!("- {} ({}{gone})\n", conflict.path.lossy(), conflict.kind));
    }
    if conflicts.len() > 100 {
        text.push_str(&format!("and {} more\n", conflicts.len() - 100));
    }
    text
}
