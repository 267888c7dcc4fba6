//! A real repository below `target/tmp` for the tests of this and higher rooms.

use super::{Git, Repo};
use crate::paths::Env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// A directory with a repository `repo` in it; both vanish with the value.
pub(crate) struct TestRepo {
    pub(crate) dir: TempDir,
    pub(crate) git: Git,
    pub(crate) repo: Repo,
}

impl TestRepo {
    /// A repository with one commit of these files.
    pub(crate) async fn new(files: &[(&str, &str)]) -> Self {
        Self::with(&[], files).await
    }

    /// The same with arguments for `git init`.
    pub(crate) async fn with(init: &[&str], files: &[(&str, &str)]) -> Self {
        std::fs::create_dir_all("target/tmp").unwrap();
        let dir = tempfile::tempdir_in("target/tmp").unwrap();
        let top = dir.path().canonicalize().unwrap();
        let process = Env::from_process();
        let path = process.get("PATH").unwrap().to_os_string();
        let env = Env::of([(OsString::from("PATH"), path), ("HOME".into(), top.clone().into())]);
        let git = Git::new(&env);
        let root = top.join("repo");
        std::fs::create_dir(&root).unwrap();
        git.run(&root, "init").args(["-q", "-b", "main"]).args(init).ok().await.unwrap();
        for (name, text) in files {
            write(&root, name, text.as_bytes());
        }
        let repo = Repo::open(&git, &root).await.unwrap();
        let bed = Self { dir, git, repo };
        bed.commit("first").await;
        bed
    }

    /// Runs git in the repository and returns what it prints.
    pub(crate) async fn run(&self, args: &[&str]) -> String {
        let run = self.git.run(&self.repo.root, args[0]).args(&args[1..]);
        run.ok().await.unwrap().line()
    }

    /// Commits everything.
    pub(crate) async fn commit(&self, message: &str) -> String {
        self.run(&["add", "-A"]).await;
        self.run(&["commit", "-q", "--allow-empty", "-m", message]).await;
        self.run(&["rev-parse", "HEAD"]).await
    }

    /// Writes a file of the checkout.
    pub(crate) fn write(&self, name: &str, bytes: &[u8]) {
        write(&self.repo.root, name, bytes);
    }

    /// A place for a state directory beside the repository.
    pub(crate) fn state_path(&self) -> PathBuf {
        self.dir.path().canonicalize().unwrap().join("state")
    }
}

/// Writes a file below `root`, with its directories.
pub(crate) fn write(root: &Path, name: impl AsRef<Path>, bytes: &[u8]) {
    let path = root.join(name.as_ref());
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, bytes).unwrap();
}

/// Every path below `root` with its bytes (or link target) and mode, for comparing before and after.
pub(crate) fn everything(root: &Path) -> Vec<(PathBuf, u32, Vec<u8>)> {
    use std::os::unix::ffi::OsStringExt;
    use std::os::unix::fs::MetadataExt;
    let mut all = Vec::new();
    let mut todo = vec![root.to_path_buf()];
    while let Some(path) = todo.pop() {
        let meta = std::fs::symlink_metadata(&path).unwrap();
        let bytes = if meta.is_dir() {
            todo.extend(std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
            Vec::new()
        } else if meta.file_type().is_symlink() {
            std::fs::read_link(&path).unwrap().into_os_string().into_vec()
        } else {
            std::fs::read(&path).unwrap()
        };
        all.push((path, meta.mode(), bytes));
    }
    all.sort();
    all
}
