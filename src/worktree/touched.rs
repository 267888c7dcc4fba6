use super::{WorktreeError, Worktrees, admin};
use crate::git::{Change, GitPath, Repo, Stage};
use crate::ids::WorkerId;
use std::collections::BTreeSet;
use std::os::unix::fs::MetadataExt;

impl Worktrees {
    /// The paths that differ between two trees, both names of what was moved.
    ///
    /// # Errors
    /// When git fails.
    pub async fn paths_between(
        &self,
        repo: &Repo,
        from: &str,
        to: &str,
    ) -> Result<BTreeSet<GitPath>, WorktreeError> {
        if from == to {
            return Ok(BTreeSet::new());
        }
        let changes = repo.changes(from, to).await?;
        let names = |change: Change| [Some(change.path), change.old_path].into_iter().flatten();
        Ok(changes.into_iter().flat_map(names).collect())
    }

    /// The paths of a worktree that were written since its newest snapshot, while a turn may be writing.
    /// Git tells them by their times; a file that was written with what it held already counts.
    ///
    /// # Errors
    /// When git or the file system fails.
    pub async fn written_since_snapshot(
        &self,
        repo: &Repo,
        worker: &WorkerId,
    ) -> Result<BTreeSet<GitPath>, WorktreeError> {
        let row = self.store.worktree(worker.as_str()).await?;
        let (Some(row), Some(newest), Some(start)) = (
            row.filter(|row| row.state == "ready"),
            self.latest(worker).await?,
            self.start(worker).await?,
        ) else {
            return Ok(BTreeSet::new());
        };
        let tree = GitPath::new(row.path);
        let tree = tree.as_path();
        let Some(git_dir) = admin::find(repo, tree)? else { return Ok(BTreeSet::new()) };
        let scratch = self.scratch()?;
        let stage = Stage::new(repo, scratch.path().join("index")).over(&git_dir, tree);
        stage.copy_index().await?;
        let mut unlike = stage.unlike_the_disk().await?;
        // The index is that of the start: what the snapshot has of a path decides where it has changed it.
        for change in repo.changes(&start.tree, &newest.tree).await? {
            let there = tree.join(change.path.as_path()).symlink_metadata().ok();
            let written = match there {
                Some(meta) => changed_ms(&meta) >= newest.created_at,
                None => change.new.is_some(),
            };
            match written {
                true => unlike.insert(change.path),
                false => unlike.remove(&change.path),
            };
            if let Some(old) = change.old_path.filter(|old| !tree.join(old.as_path()).exists()) {
                unlike.remove(&old);
            }
        }
        Ok(unlike)
    }
}

fn changed_ms(meta: &std::fs::Metadata) -> i64 {
    meta.ctime() * 1000 + meta.ctime_nsec() / 1_000_000
}
