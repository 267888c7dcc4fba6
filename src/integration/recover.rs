use super::apply::Journal;
use super::moves::{Moves, Standing};
use super::place::Place;
use super::{IntegrationError, Integrations, undo};
use crate::git::{Git, GitPath, Repo};
use crate::store::IntegrationRow;
use std::os::unix::ffi::OsStrExt;

/// What became of an interrupted integration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recovered {
    /// Which.
    pub id: String,
    /// `applied`, `rolled_back` or `failed`.
    pub state: String,
}

impl Integrations {
    /// At the start of the engine: frees the locks that dead tools left (an interrupted apply held
    /// one), then ends every integration that a crash interrupted. It is finished when each path is still as it was before or as it should be
    /// after; when somebody edited one meanwhile, the others are put back.
    ///
    /// # Errors
    /// When the store fails. A repository that is busy or gone is left for the next start.
    pub async fn reconcile(&self, git: &Git) -> Result<Vec<Recovered>, IntegrationError> {
        self.locks.reconcile(git).await?;
        self.reconcile_checks(git).await?;
        let mut recovered = Vec::new();
        for row in self.store.integrations_applying().await? {
            let id = row.id.clone();
            if let Err(error) = self.recover(git, &row).await {
                tracing::warn!(%id, %error, "an interrupted integration was not recovered cleanly");
            }
            if let Some(row) = self.store.integration(&id).await? {
                recovered.push(Recovered { id, state: row.state });
            }
        }
        Ok(recovered)
    }

    /// Ends what an apply in this repository left open when it broke off in the middle (a panic): the
    /// next one must not begin on half of it. The caller holds the lock.
    pub(super) async fn end_open(&self, repo: &Repo) -> Result<(), IntegrationError> {
        for row in self.store.integrations_applying().await? {
            if row.repo_root == repo.root.as_os_str().as_bytes() {
                // An error here is one of putting back; the row says so.
                self.recover_locked(repo, &row).await?;
            }
        }
        Ok(())
    }

    async fn recover(&self, git: &Git, row: &IntegrationRow) -> Result<(), IntegrationError> {
        let repo = Repo::open(git, GitPath::new(row.repo_root.clone()).as_path()).await?;
        let guard = self.locks.acquire(&repo, "recovery", None, "end an interrupted apply").await?;
        // An apply of this life may have been at work until now: look again, under the lock.
        let done = match self.store.integration(&row.id).await {
            Ok(Some(row)) if row.state == "applying" => self.recover_locked(&repo, &row).await,
            Ok(_) => Ok(()),
            Err(error) => Err(error.into()),
        };
        guard.release().await?;
        done
    }

    async fn recover_locked(
        &self,
        repo: &Repo,
        row: &IntegrationRow,
    ) -> Result<(), IntegrationError> {
        if let Some(commit) = &row.commit_oid {
            return self.recover_branch(repo, row, commit).await;
        }
        let Ok(journal) = serde_json::from_str::<Journal>(&row.paths_json) else {
            let why = "the journal row cannot be read";
            return Ok(self.store.finish_integration(&row.id, "failed", Some(why)).await?);
        };
        let scratch = self.worktrees.scratch()?;
        let contents = scratch.path().join("contents");
        let moves = Moves { id: row.id.clone(), list: journal.moves, contents };
        undo::restore_contents(repo, &moves).await?;
        let place = Place::open(&repo.root)?;
        moves.sweep(&place);
        for n in 0..moves.list.len() {
            if moves.standing(&place, n)? == Standing::Foreign {
                let path = moves.list[n].path();
                let why = format!("{} was edited after the crash", path.lossy());
                return self.put_back(&place, &moves, &why).await;
            }
        }
        self.carry_out(repo, &place, &moves, &row.merged_tree, scratch.path()).await
    }
}
