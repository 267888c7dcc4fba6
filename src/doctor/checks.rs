use super::Finding;
use crate::git::{Git, GitError, Repo};
use crate::paths::{AllowedRoots, StateDir};
use crate::secret::Secret;

/// The git program and its version.
pub(super) async fn git(git: &Git) -> Finding {
    match git.version().await {
        Ok(version) => Finding::pass("git", format!("git {version}")),
        Err(error) => Finding::fail(
            "git",
            error.to_string(),
            "Install git 2.38 or newer and put it first on PATH.",
        ),
    }
}

/// The default repository.
pub(super) async fn repository(git: &Git, roots: &AllowedRoots) -> Finding {
    const ID: &str = "repository";
    let Some(root) = roots.all().first() else {
        return Finding::fail(ID, "there is no allowed root", "Name a repository with --root.");
    };
    let found = match Repo::open(git, root).await {
        Ok(repo) => repo.head().await.map(|_| repo),
        Err(error) => Err(error),
    };
    match found {
        Ok(repo) => Finding::pass(ID, repo.root.display().to_string()),
        Err(GitError::NoCommit(_)) => Finding::warn(
            ID,
            format!("{} has no commit yet", root.display()),
            "Make a first commit; workers start from one.",
        ),
        Err(GitError::NotARepository(_)) => Finding::warn(
            ID,
            format!("{} is in no git repository", root.display()),
            "Name one with --root, or let calls name one below it by `repo_path`.",
        ),
        Err(error) => Finding::fail(ID, error.to_string(), "See what `git status` says there."),
    }
}

/// The access token, if one was made already.
pub(super) fn token(state: &StateDir) -> Finding {
    match Secret::read_token(state) {
        Ok(Some(_)) => Finding::pass("token", "made, and readable by you alone"),
        Ok(None) => Finding::pass("token", "not made yet; the first start makes it"),
        Err(error) => Finding::fail(
            "token",
            error.to_string(),
            "Close it with `chmod 600`, or remove it to get a new one at the next start.",
        ),
    }
}
