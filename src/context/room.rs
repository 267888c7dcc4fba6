use super::guard::Guard;
use super::{ContextError, Workspace};
use crate::config::Config;
use crate::git::{Git, GitError, Repo};
use crate::paths::{AllowedRoots, PathError};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What a chat may read, and how. Cheap to clone.
#[derive(Clone)]
pub struct Context {
    pub(super) config: Arc<Config>,
    pub(super) roots: AllowedRoots,
    pub(super) git: Git,
    pub(super) guard: Guard,
}

impl Context {
    /// Reads below `roots`, within the bounds of the section `security`.
    ///
    /// # Errors
    /// [`ContextError::Pattern`] for a blocked glob that is none.
    pub fn new(config: Arc<Config>, roots: AllowedRoots, git: Git) -> Result<Self, ContextError> {
        let guard = Guard::new(&config.security.blocked_globs)?;
        Ok(Self { config, roots, git, guard })
    }

    /// Also hides `dir` and everything below it, even where an allowed root holds it: the state
    /// directory, the user's codex home. A directory that does not exist hides nothing.
    #[must_use]
    pub fn hide(mut self, dir: &Path) -> Self {
        if let Ok(canonical) = dir.canonicalize() {
            self.guard.hide(canonical);
        }
        self
    }

    /// The repository that a chat's `repo_path` names: an absolute path, one relative to the first
    /// root, or nothing for the default. A directory inside a repository names the repository.
    ///
    /// # Errors
    /// What is not below an allowed root, no directory, or no repository is refused by name.
    pub async fn repo(&self, selector: Option<&str>) -> Result<Repo, ContextError> {
        let dir = self.directory(selector)?;
        let repo = match Repo::open(&self.git, &dir).await {
            Ok(repo) => repo,
            Err(GitError::NotARepository(_)) => return Err(self.why_none(&dir).await),
            Err(error) => return Err(error.into()),
        };
        if !self.roots.contains(&repo.root) {
            return Err(ContextError::RepositoryAboveRoots(shown(&dir)));
        }
        if self.guard.is_private(&repo.root) {
            return Err(ContextError::NotAllowed(shown(&dir)));
        }
        Ok(repo)
    }

    /// The workspace that a selector names: its repository, or the directory itself where it is in
    /// none (or in one that reaches above the allowed roots).
    ///
    /// # Errors
    /// What is not below an allowed root or no directory is refused; so is what git refuses.
    pub async fn workspace(&self, selector: Option<&str>) -> Result<Workspace, ContextError> {
        match self.repo(selector).await {
            Ok(repo) => Ok(Workspace::new(repo.root.clone(), Some(repo))),
            Err(ContextError::NotARepository(_) | ContextError::RepositoryAboveRoots(_)) => {
                Ok(Workspace::new(self.directory(selector)?, None))
            }
            Err(error) => Err(error),
        }
    }

    fn directory(&self, selector: Option<&str>) -> Result<PathBuf, ContextError> {
        let named = selector.unwrap_or_default().trim();
        if self.roots.all().is_empty() {
            return Err(ContextError::NoRoots);
        }
        let dir = self.roots.resolve(selector).map_err(|error| match error {
            PathError::Missing(path) => ContextError::NoDirectory(path),
            PathError::Malformed(path) => ContextError::Malformed(path),
            PathError::NotAllowed(path) | PathError::Escapes(path) => {
                ContextError::NotAllowed(path)
            }
        })?;
        if self.guard.is_private(&dir) {
            return Err(ContextError::NotAllowed(named.to_owned()));
        }
        Ok(dir)
    }

    /// Tells "there is no repository" from "git will not open it" (a foreign owner, a broken file).
    async fn why_none(&self, dir: &Path) -> ContextError {
        let path = shown(dir);
        let has_git = dir.ancestors().any(|d| d.join(".git").symlink_metadata().is_ok());
        if !has_git {
            return ContextError::NotARepository(path);
        }
        match self.git.run(dir, "rev-parse").arg("--show-toplevel").output().await {
            Ok(out) if out.code != 0 && !out.stderr.contains("not a git repository (or any") => {
                ContextError::Refused { path, said: out.stderr }
            }
            Ok(_) => ContextError::NotARepository(path),
            Err(error) => error.into(),
        }
    }
}

fn shown(dir: &Path) -> String {
    dir.to_string_lossy().into_owned()
}
