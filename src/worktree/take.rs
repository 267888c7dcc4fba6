use super::raw::keep_exact_bytes;
use super::worktrees::Worktrees;
use super::{Snapshot, SnapshotNotes, WorktreeError, admin};
use crate::git::{Added, GitPath, NewCommit, Pen, Repo, Stage};
use crate::ids::{SnapshotId, TurnId, WorkerId};
use crate::store::WorktreeRow;
use std::path::Path;

/// A worktree's content as objects that no ref keeps yet.
struct Taken {
    tree: String,
    head: String,
    notes: SnapshotNotes,
}

impl Worktrees {
    /// Makes the worktree's content a snapshot: files, links, modes and deletions; not what is
    /// ignored, not empty directories, not nested repositories (both are in the notes).
    pub(super) async fn take(
        &self,
        repo: &Repo,
        worker: &WorkerId,
        turn: Option<&TurnId>,
        row: &WorktreeRow,
    ) -> Result<Snapshot, WorktreeError> {
        let scratch = self.scratch()?;
        let (taken, pen) = collect(repo, row, scratch.path()).await?;
        self.keep(pen, worker, turn, taken).await
    }

    /// Like [`Worktrees::take`], but gives `latest` back when nothing has changed since.
    pub(super) async fn take_if_changed(
        &self,
        repo: &Repo,
        worker: &WorkerId,
        row: &WorktreeRow,
        latest: Snapshot,
    ) -> Result<Snapshot, WorktreeError> {
        let scratch = self.scratch()?;
        let (taken, pen) = collect(repo, row, scratch.path()).await?;
        let before = SnapshotNotes::read(repo, &latest).await?;
        let same_bytes = taken.notes.raw_commit.is_none() && before.raw_commit.is_none();
        if taken.tree == latest.tree && taken.head == latest.head && same_bytes {
            return Ok(latest);
        }
        self.keep(pen, worker, None, taken).await
    }

    async fn keep(
        &self,
        pen: Pen,
        worker: &WorkerId,
        turn: Option<&TurnId>,
        taken: Taken,
    ) -> Result<Snapshot, WorktreeError> {
        let Taken { tree, head, notes } = taken;
        let (id, created_at) = (SnapshotId::mint(&self.clock), self.clock.now_ms());
        let mut parents = vec![head.as_str()];
        parents.extend(notes.raw_commit.as_deref());
        let message = notes.message(id.as_str());
        let commit =
            NewCommit { tree: &tree, parents: &parents, at: created_at, message: &message };
        let ref_name = format!("refs/patchbay/{worker}/{id}");
        let commit = pen.write(commit, &ref_name).await?;
        let snapshot = Snapshot {
            id,
            worker: worker.clone(),
            turn: turn.cloned(),
            commit,
            tree,
            head,
            ref_name,
            created_at,
        };
        self.store.insert_snapshot(&snapshot.to_row()).await?;
        Ok(snapshot)
    }
}

async fn collect(
    repo: &Repo,
    row: &WorktreeRow,
    scratch: &Path,
) -> Result<(Taken, Pen), WorktreeError> {
    let path = GitPath::new(row.path.clone());
    let tree_dir = path.as_path();
    let gone = || WorktreeError::Gone(tree_dir.to_path_buf());
    if !tree_dir.is_dir() {
        return Err(gone());
    }
    let git_dir = admin::find(repo, tree_dir)?.ok_or_else(gone)?;
    let stage = Stage::new(repo, scratch.join("index")).over(&git_dir, tree_dir);
    stage.copy_index().await?;
    let head = async {
        if let Some(head) = admin::head(&git_dir) {
            return Ok(head);
        }
        let run = stage.run("rev-parse").args(["--verify", "--quiet", "HEAD^{commit}"]);
        Ok::<_, WorktreeError>(run.ok().await?.line())
    };
    // What is ignored does not depend on what is added: both walk the tree at the same time. Somebody waits
    // for the end of a turn, so what writes the snapshot down starts meanwhile, too.
    let (head, added, ignored, pen) = tokio::try_join!(
        head,
        async { Ok(stage.add_all(&row.base_commit).await?) },
        async { Ok(stage.ignored().await?) },
        async { Ok(Pen::ready(repo)?) },
    )?;
    let raw_commit = keep_exact_bytes(repo, &stage, tree_dir, scratch, &added).await?;
    let Added { nested, refused, tree, .. } = added;
    let ignored_count = ignored.len();
    let notes = SnapshotNotes { nested, refused, ignored_count, ignored, raw_commit };
    Ok((Taken { tree, head, notes }, pen))
}
