use super::apply::{Applied, ApplyRequest, Journal};
use super::plan::Plan;
use super::target::Tip;
use super::{IntegrationError, Integrations};
use crate::failpoint;
use crate::git::Repo;
use crate::ids::IntegrationId;
use crate::lock::MutationProof;
use crate::store::IntegrationRow;
use crate::worktree::Snapshot;

impl Integrations {
    /// Commits the merged tree on the tip of a branch. No checkout and no index is touched: the branch
    /// is moved from the commit that was looked at, or not at all.
    pub(super) async fn commit_to_branch(
        &self,
        repo: &Repo,
        request: &ApplyRequest,
        plan: Plan,
        snapshot: Snapshot,
        tip: &Tip,
        proof: &MutationProof,
    ) -> Result<Applied, IntegrationError> {
        let id = IntegrationId::mint(&self.clock);
        let commit = commit(&plan, request, tip).await?;
        let undo_ref = format!("refs/patchbay/undo/{id}");
        let keep = repo.git.run(&repo.root, "update-ref").args([&undo_ref, &commit]);
        keep.ok().await?;
        let journal = Journal { token: request.token.clone(), moves: Vec::new() };
        let mut row = self.row(&plan, repo, request, proof, &id, &journal, &undo_ref)?;
        row.commit_oid = Some(commit.clone());
        self.store.begin_integration(&row).await?;
        failpoint::reach("apply_journalled").await;
        let old = if tip.new { "" } else { tip.commit.as_str() };
        let args = ["-m", "patchbay: integrate", &tip.reference, &commit, old];
        let moved = repo.git.run(&repo.root, "update-ref").args(args).output().await?;
        if moved.code != 0 {
            let why = moved.stderr;
            self.store.finish_integration(id.as_str(), "rolled_back", Some(&why)).await?;
            return Err(IntegrationError::BranchMoved(tip.reference.clone()));
        }
        failpoint::reach("branch_moved").await;
        self.store.finish_integration(id.as_str(), "applied", None).await?;
        let applied = Applied::of(id, snapshot, plan.preview, undo_ref);
        Ok(Applied { commit: Some(commit), ..applied })
    }

    /// Ends what a crash interrupted: the branch has the commit, or it has not.
    pub(super) async fn recover_branch(
        &self,
        repo: &Repo,
        row: &IntegrationRow,
        commit: &str,
    ) -> Result<(), IntegrationError> {
        let args = ["--is-ancestor", commit, &row.target];
        let has = repo.git.run(&repo.root, "merge-base").args(args).output().await?.code == 0;
        let (state, why) =
            if has { ("applied", None) } else { ("rolled_back", Some("the branch was not moved")) };
        Ok(self.store.finish_integration(&row.id, state, why).await?)
    }
}

async fn commit(
    plan: &Plan,
    request: &ApplyRequest,
    tip: &Tip,
) -> Result<String, IntegrationError> {
    let message = request.message.as_deref().unwrap_or("Apply a worker's result");
    let mut run = plan.stage.run("commit-tree").args(["-p", &tip.commit, "-F", "-"]);
    if let Some(author) = &request.author {
        let (name, email) = author_of(author)?;
        run = run.env("GIT_AUTHOR_NAME", name).env("GIT_AUTHOR_EMAIL", email);
    }
    let run =
        run.arg(&plan.preview.merged_tree).stdin(format!("{}\n", message.trim()).into_bytes());
    Ok(run.ok().await?.line())
}

/// Reads `Name <email>`.
fn author_of(text: &str) -> Result<(&str, &str), IntegrationError> {
    let bad = || IntegrationError::BadAuthor(text.to_owned());
    let (name, rest) = text.split_once('<').ok_or_else(bad)?;
    let email = rest.trim().strip_suffix('>').ok_or_else(bad)?;
    let name = name.trim();
    let odd = |part: &str| part.is_empty() || part.contains(['<', '>', '\n', '\0']);
    if odd(name) || odd(email) { Err(bad()) } else { Ok((name, email)) }
}

#[cfg(test)]
mod tests {
    use super::author_of;

    #[test]
    fn an_author_has_name_and_address() {
        assert_eq!(author_of("A B <a@b>").unwrap(), ("A B", "a@b"));
        for bad in ["", "A", "A <>", "<a@b>", "A <a@b> x", "A\nB <a@b>", "A <a<b>"] {
            assert!(author_of(bad).is_err(), "{bad:?}");
        }
    }
}
