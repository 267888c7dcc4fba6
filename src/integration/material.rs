use super::landing::unlike;
use super::plan::{Plan, make};
use super::{Conflict, IntegrationError};
use crate::git::{Change, Entry, GitPath, MODE_EXECUTABLE, MODE_LINK, MODE_SUBMODULE, Repo, Stage};
use crate::worktree::Snapshot;
use std::collections::{HashMap, HashSet};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Writes the files as the base will get them below `out`: the merged blobs through the filters of the
/// merged attributes, or the worker's exact bytes where a path is the worker's alone and they differ.
/// Then asks git what the base would stage of exactly these files; a path that comes out as something
/// else is refused.
pub(super) async fn materialise(
    repo: &Repo,
    theirs: &Snapshot,
    plan: &Plan,
) -> Result<Vec<Conflict>, IntegrationError> {
    let out = make(plan.scratch.path(), "out")?;
    let index = plan.scratch.path().join("merged-index");
    let stage = plan.stage.clone().with_index(index).over_work_tree(&out);
    stage.read_tree(&plan.preview.merged_tree).await?;
    let there: Vec<&Change> = plan.affected.iter().filter(|c| c.new.is_some()).collect();
    let paths: Vec<&GitPath> = there.iter().map(|c| &c.path).collect();
    let mut failed = stage.checkout_what_goes(&paths).await?;
    // A checkout has its attributes on the disk; here the base's index would be asked for them.
    let attributes = stage.attribute_files().await?;
    stage.checkout_what_goes(&attributes.iter().collect::<Vec<_>>()).await?;
    let taken = Taken::of(&stage, theirs, plan, &there).await?;
    for (path, file) in taken.exact_bytes(repo, &stage, theirs, plan).await? {
        put(&out.join(path.as_path()), &file, taken.entries[&path].mode)?;
        failed.retain(|other| *other != path);
    }
    if !failed.is_empty() {
        let detail = "git's filter fails at this file";
        return Ok(failed.into_iter().map(|p| Conflict::new(p, "filters", detail)).collect());
    }
    let base = stage.with_index(plan.scratch.path().join("landing-index"));
    let wanted =
        there.iter().filter_map(|c| Some((c.path.clone(), c.new.clone()?))).collect::<Vec<_>>();
    let detail = "git in the base does not make the merged content of this file";
    let differing = unlike(&base, &wanted).await?;
    Ok(differing.into_iter().map(|path| Conflict::new(path, "filters", detail)).collect())
}

/// The affected files that are as the worker has them.
struct Taken {
    entries: HashMap<GitPath, Entry>,
    /// Whether a file of attributes is not as the worker has it: filters may do other things there.
    other_attributes: bool,
}

impl Taken {
    async fn of(
        stage: &Stage,
        theirs: &Snapshot,
        plan: &Plan,
        there: &[&Change],
    ) -> Result<Self, IntegrationError> {
        let other = stage.tree_changes(&theirs.tree, &plan.preview.merged_tree, false).await?;
        let other: HashSet<GitPath> = other.into_iter().map(|change| change.path).collect();
        let attributes = |path: &GitPath| path.as_path().ends_with(".gitattributes");
        let entries = there.iter().filter_map(|change| {
            let entry = change.new.clone()?;
            let file = !matches!(entry.mode, MODE_LINK | MODE_SUBMODULE);
            (file && !other.contains(&change.path)).then(|| (change.path.clone(), entry))
        });
        Ok(Self { entries: entries.collect(), other_attributes: other.iter().any(attributes) })
    }

    /// Files with the worker's bytes, where those are not what the merged attributes give.
    async fn exact_bytes(
        &self,
        repo: &Repo,
        stage: &Stage,
        theirs: &Snapshot,
        plan: &Plan,
    ) -> Result<Vec<(GitPath, PathBuf)>, IntegrationError> {
        let scratch = plan.scratch.path();
        let mut found = Vec::new();
        if let Some(raw) = &plan.preview.notes.raw_commit {
            let directory = make(scratch, "exact")?;
            let kept = repo.entries(raw).await?;
            let kept = kept.into_iter().filter(|(path, _)| self.entries.contains_key(path));
            let (mut blobs, mut n) = (Vec::new(), 0);
            for (path, entry) in kept {
                let file = directory.join(n.to_string());
                n += 1;
                blobs.push((entry.oid, file.clone()));
                found.push((path, file));
            }
            repo.blobs_to_files(&blobs).await?;
        }
        if self.other_attributes {
            let done: HashSet<&GitPath> = found.iter().map(|(path, _)| path).collect();
            let rest: Vec<&GitPath> = self.entries.keys().filter(|p| !done.contains(p)).collect();
            let more = self.under_their_attributes(stage, theirs, scratch, &rest).await?;
            found.extend(more);
        }
        Ok(found)
    }

    async fn under_their_attributes(
        &self,
        merged: &Stage,
        theirs: &Snapshot,
        scratch: &Path,
        rest: &[&GitPath],
    ) -> Result<Vec<(GitPath, PathBuf)>, IntegrationError> {
        let out = make(scratch, "theirs")?;
        let stage = merged.clone().with_index(scratch.join("theirs-index")).over_work_tree(&out);
        stage.read_tree(&theirs.tree).await?;
        let (here, there) = tokio::try_join!(merged.filtered(rest), stage.filtered(rest))?;
        let suspects: HashSet<GitPath> = here.into_iter().chain(there).collect();
        let suspects: Vec<&GitPath> = suspects.iter().collect();
        let failed = stage.checkout_what_goes(&suspects).await?;
        let given = suspects.into_iter().filter(|path| !failed.contains(path));
        Ok(given.map(|path| (path.clone(), out.join(path.as_path()))).collect())
    }
}

fn put(at: &Path, file: &Path, mode: u32) -> Result<(), IntegrationError> {
    if let Some(parent) = at.parent() {
        std::fs::create_dir_all(parent).map_err(IntegrationError::io(parent))?;
    }
    std::fs::copy(file, at).map_err(IntegrationError::io(at))?;
    let mode = if mode == MODE_EXECUTABLE { 0o755 } else { 0o644 };
    let permissions = std::fs::Permissions::from_mode(mode);
    std::fs::set_permissions(at, permissions).map_err(IntegrationError::io(at))
}
