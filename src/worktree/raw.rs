use super::WorktreeError;
use crate::git::{Change, Entry, GitPath, MODE_LINK, MODE_SUBMODULE, Repo, Stage};
use std::path::Path;

/// Keeps the exact bytes of changed files for which git's filters are no round trip: what a checkout
/// of the snapshot would give is compared with what is there. Returns a commit with those files, or
/// `None` when there are none, which is the usual case and costs one or two short runs of git.
pub(super) async fn keep_exact_bytes(
    repo: &Repo,
    stage: &Stage,
    work_tree: &Path,
    scratch: &Path,
    changes: &[Change],
) -> Result<Option<String>, WorktreeError> {
    let files: Vec<&GitPath> = changes
        .iter()
        .filter(|c| c.new.as_ref().is_some_and(|e| !matches!(e.mode, MODE_LINK | MODE_SUBMODULE)))
        .map(|c| &c.path)
        .collect();
    let suspects = stage.filtered(&files).await?;
    if suspects.is_empty() {
        return Ok(None);
    }
    let copy = scratch.join("checkout");
    std::fs::create_dir(&copy).map_err(WorktreeError::io(&copy))?;
    let checkout = stage.clone().over_work_tree(&copy);
    checkout.checkout(&suspects.iter().collect::<Vec<_>>()).await?;
    let mut entries = Vec::new();
    for path in suspects {
        let there = work_tree.join(path.as_path());
        let exact = tokio::fs::read(&there).await.map_err(WorktreeError::io(&there))?;
        if tokio::fs::read(copy.join(path.as_path())).await.ok().as_ref() != Some(&exact) {
            let oid = stage.write_blob(exact).await?;
            entries.push((path, Some(Entry { mode: 0o100_644, oid })));
        }
    }
    if entries.is_empty() {
        return Ok(None);
    }
    let raw = Stage::new(repo, scratch.join("raw-index"));
    raw.set_entries(&entries).await?;
    let tree = raw.write_tree().await?;
    Ok(Some(raw.commit_tree(&tree, &[], "patchbay: exact bytes\n").await?))
}
