use super::IntegrationError;
use crate::git::{GitPath, Repo};
use std::path::PathBuf;

/// Where a result goes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Target {
    /// Into the files of the base checkout.
    #[default]
    Checkout,
    /// As a commit on a local branch, by its short name.
    Branch(String),
}

impl Target {
    /// Reads `checkout` or `branch:<name>`.
    ///
    /// # Errors
    /// [`IntegrationError::BadTarget`] for anything else.
    pub fn parse(text: &str) -> Result<Self, IntegrationError> {
        match text.split_once(':') {
            None if text == "checkout" => Ok(Self::Checkout),
            Some(("branch", name)) if !name.is_empty() => Ok(Self::Branch(name.to_owned())),
            _ => Err(IntegrationError::BadTarget(text.to_owned())),
        }
    }

    /// As the store names it: `checkout`, or the full name of the branch.
    #[must_use]
    pub fn stored(&self) -> String {
        match self {
            Self::Checkout => "checkout".to_owned(),
            Self::Branch(name) => format!("refs/heads/{name}"),
        }
    }
}

/// The commit a branch is at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Tip {
    /// The full name of the branch.
    pub(super) reference: String,
    pub(super) commit: String,
    /// Whether the branch is yet to be made.
    pub(super) new: bool,
}

/// Where a branch is; one that does not exist begins at `start`.
pub(super) async fn tip(repo: &Repo, name: &str, start: &str) -> Result<Tip, IntegrationError> {
    let run = |verb: &str| repo.git.run(&repo.root, verb);
    let reference = format!("refs/heads/{name}");
    let good = run("check-ref-format").arg(&reference).output().await?.code == 0;
    if !good || name.starts_with('-') {
        return Err(IntegrationError::BadTarget(format!("branch:{name}")));
    }
    if let Some(path) = checked_out(repo, &reference).await? {
        return Err(IntegrationError::BranchCheckedOut { branch: name.to_owned(), path });
    }
    let commit = format!("{reference}^{{commit}}");
    let args = ["--verify", "--quiet", "--end-of-options", &commit];
    let found = run("rev-parse").args(args).output().await?;
    let new = found.code != 0;
    let commit = if new { start.to_owned() } else { found.line() };
    Ok(Tip { reference, commit, new })
}

/// The checkout that has a branch, be it in the middle of a rebase of it.
async fn checked_out(repo: &Repo, reference: &str) -> Result<Option<PathBuf>, IntegrationError> {
    let list = repo.git.run(&repo.root, "worktree").args(["list", "--porcelain", "-z"]);
    let out = list.ok().await?.stdout;
    let mut here = PathBuf::new();
    for line in out.split(|b| *b == 0) {
        if let Some(path) = line.strip_prefix(b"worktree ") {
            here = GitPath::new(path).as_path().to_path_buf();
        } else if line.strip_prefix(b"branch ") == Some(reference.as_bytes()) {
            return Ok(Some(here));
        }
    }
    let mut places = vec![repo.common_dir.clone()];
    let linked = std::fs::read_dir(repo.common_dir.join("worktrees"));
    places.extend(linked.into_iter().flatten().flatten().map(|entry| entry.path()));
    let marks = ["rebase-merge/head-name", "rebase-apply/head-name", "BISECT_START"];
    Ok(places.into_iter().find(|place| {
        marks.iter().any(|mark| {
            let says = std::fs::read_to_string(place.join(mark)).unwrap_or_default();
            says.trim() == reference || format!("refs/heads/{}", says.trim()) == reference
        })
    }))
}
