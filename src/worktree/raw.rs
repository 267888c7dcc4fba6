use super::WorktreeError;
use crate::git::{Added, Entry, GitPath, MODE_LINK, MODE_SUBMODULE, Repo, Stage};
use std::path::{Path, PathBuf};

/// Keeps the exact bytes of changed files for which git's filters are no round trip: what a checkout
/// of the snapshot would give is compared with what is there; and of files that git refuses. Returns a
/// commit with those files, or `None` when there are none, which is the usual case and costs one or two
/// short runs of git.
pub(super) async fn keep_exact_bytes(
    repo: &Repo,
    stage: &Stage,
    work_tree: &Path,
    scratch: &Path,
    added: &Added,
) -> Result<Option<String>, WorktreeError> {
    let files: Vec<&GitPath> = added
        .changes
        .iter()
        .filter(|c| c.new.as_ref().is_some_and(|e| !matches!(e.mode, MODE_LINK | MODE_SUBMODULE)))
        .map(|c| &c.path)
        .collect();
    let suspects = stage.filtered(&files).await?;
    if suspects.is_empty() && added.refused.is_empty() {
        return Ok(None);
    }
    let copy = make(scratch, "checkout")?;
    let exact = make(scratch, "exact")?;
    let checkout = stage.clone().over_work_tree(&copy);
    // What a filter refuses to give back is not given back.
    checkout.checkout_what_goes(&suspects.iter().collect::<Vec<_>>()).await?;
    let (mut kept, mut files) = (Vec::new(), Vec::new());
    for path in added.refused.iter().chain(&suspects) {
        let there = work_tree.join(path.as_path());
        if !there.symlink_metadata().is_ok_and(|meta| meta.is_file()) {
            // A pipe is among what git refuses; it has no bytes to keep.
            continue;
        }
        let bytes = tokio::fs::read(&there).await.map_err(WorktreeError::io(&there))?;
        if tokio::fs::read(copy.join(path.as_path())).await.ok().as_ref() != Some(&bytes) {
            let file = exact.join(files.len().to_string());
            tokio::fs::write(&file, bytes).await.map_err(WorktreeError::io(&file))?;
            files.push(file);
            kept.push(path.clone());
        }
    }
    if kept.is_empty() {
        return Ok(None);
    }
    let oids = stage.write_files(&files).await?;
    let entry = |oid| Some(Entry { mode: 0o100_644, oid });
    let entries: Vec<_> = kept.into_iter().zip(oids.into_iter().map(entry)).collect();
    let raw = Stage::new(repo, scratch.join("raw-index"));
    raw.set_entries(&entries).await?;
    let tree = raw.write_tree().await?;
    Ok(Some(raw.commit_tree(&tree, &[], "patchbay: exact bytes\n").await?))
}

fn make(parent: &Path, name: &str) -> Result<PathBuf, WorktreeError> {
    let path = parent.join(name);
    std::fs::create_dir(&path).map_err(WorktreeError::io(&path))?;
    Ok(path)
}
