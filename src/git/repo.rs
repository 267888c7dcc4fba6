use super::known::Stamp;
use super::{Git, GitError};
use sha2::{Digest, Sha256};
use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

/// Names a repository by its git common directory: linked worktrees of one repository share it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RepoKey(String);

impl RepoKey {
    /// The key of a canonical git common directory: 24 hexadecimal digits of its SHA-256.
    #[must_use]
    pub fn of(common_dir: &Path) -> Self {
        let digest = Sha256::digest(common_dir.as_os_str().as_bytes());
        Self(hex::encode(&digest[..12]))
    }

    /// A key as the store holds it.
    #[must_use]
    pub fn stored(text: String) -> Self {
        Self(text)
    }

    /// The key as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A checkout and the repository behind it.
#[derive(Debug, Clone)]
pub struct Repo {
    /// Top of the working tree, canonical.
    pub root: PathBuf,
    /// This checkout's own git directory, canonical.
    pub git_dir: PathBuf,
    /// The git directory that all worktrees of the repository share, canonical.
    pub common_dir: PathBuf,
    /// Key of the repository.
    pub key: RepoKey,
    /// How git is run.
    pub git: Git,
}

impl Repo {
    /// Finds the checkout that `dir` is in. Git is asked unless it was before, and nothing that it goes by
    /// has changed since.
    ///
    /// # Errors
    /// [`GitError::NotARepository`] for a bare repository or none at all.
    pub async fn open(git: &Git, dir: &Path) -> Result<Self, GitError> {
        if let Some((root, git_dir)) = git.known.at(dir) {
            let (common_dir, key) = (git_dir.clone(), RepoKey::of(&git_dir));
            return Ok(Self { root, git_dir, common_dir, key, git: git.clone() });
        }
        let stamp = Stamp::of(dir);
        let none = || GitError::NotARepository(dir.to_path_buf());
        let found = git
            .run(dir, "rev-parse")
            .args(["--path-format=absolute", "--show-toplevel", "--absolute-git-dir"])
            .arg("--git-common-dir")
            .output()
            .await?;
        if found.code != 0 {
            return Err(none());
        }
        let lines: Vec<PathBuf> = found
            .stdout
            .split(|b| *b == b'\n')
            .filter(|line| !line.is_empty())
            .map(|line| PathBuf::from(OsString::from_vec(line.to_vec())))
            .collect();
        let [root, git_dir, common_dir] = lines.as_slice() else { return Err(none()) };
        let real = |path: &PathBuf| {
            path.canonicalize().map_err(|source| GitError::Io { path: path.clone(), source })
        };
        let common_dir = real(common_dir)?;
        let key = RepoKey::of(&common_dir);
        let (root, git_dir) = (real(root)?, real(git_dir)?);
        let repo = Self { root, git_dir, common_dir, key, git: git.clone() };
        git.known.remember(dir, stamp, &repo);
        Ok(repo)
    }

    /// The commit that HEAD names.
    ///
    /// # Errors
    /// [`GitError::NoCommit`] in a repository without one.
    pub async fn head(&self) -> Result<String, GitError> {
        let out = self
            .git
            .run(&self.root, "rev-parse")
            .args(["--verify", "--quiet", "--end-of-options", "HEAD^{commit}"])
            .output()
            .await?;
        if out.code == 0 { Ok(out.line()) } else { Err(GitError::NoCommit(self.root.clone())) }
    }

    /// The name that people use: the last component of the root.
    #[must_use]
    pub fn name(&self) -> String {
        self.root.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default()
    }
}
