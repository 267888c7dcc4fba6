//! Real repositories for the tests of this room.

use super::{Context, Workspace};
use crate::config::Config;
use crate::git::Git;
use crate::paths::{AllowedRoots, Env};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tempfile::TempDir;

/// A temporary directory below `target/tmp`.
pub(crate) fn tmp() -> TempDir {
    std::fs::create_dir_all("target/tmp").unwrap();
    tempfile::tempdir_in(Path::new("target/tmp").canonicalize().unwrap()).unwrap()
}

/// A repository `repo` in a directory of its own, which is also the home of git.
pub(crate) struct Bed {
    pub(crate) dir: TempDir,
    pub(crate) root: PathBuf,
    pub(crate) git: Git,
}

impl Bed {
    pub(crate) async fn new() -> Self {
        Self::with(&[]).await
    }

    /// With further arguments of `git init`.
    pub(crate) async fn with(init: &[&str]) -> Self {
        let dir = tmp();
        let path = Env::from_process().get("PATH").unwrap().to_os_string();
        let env = Env::of([("PATH", path), ("HOME", dir.path().as_os_str().to_os_string())]);
        let git = Git::new(&env);
        let root = dir.path().join("repo");
        git.run(dir.path(), "init")
            .args(["-q", "-b", "main"])
            .args(init)
            .arg("repo")
            .ok()
            .await
            .unwrap();
        Self { dir, root, git }
    }

    pub(crate) async fn run(&self, verb: &str, args: &[&str]) -> String {
        self.git.run(&self.root, verb).args(args).ok().await.unwrap().line()
    }

    pub(crate) async fn commit(&self) {
        self.run("add", &["-A"]).await;
        self.run("commit", &["-q", "--allow-empty", "-m", "state"]).await;
    }

    pub(crate) fn write(&self, path: impl AsRef<Path>, content: impl AsRef<[u8]>) {
        let path = self.root.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }

    pub(crate) fn context(&self) -> Context {
        self.context_with(Config::default())
    }

    pub(crate) fn context_with(&self, config: Config) -> Context {
        let roots = AllowedRoots::new([self.root.clone()]).unwrap();
        Context::new(Arc::new(config), roots, self.git.clone()).unwrap()
    }

    pub(crate) async fn workspace(&self) -> Workspace {
        self.context().workspace(None).await.unwrap()
    }

    /// Every file below the repository, `.git` included, with its bytes.
    pub(crate) fn bytes(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let mut found = BTreeMap::new();
        let mut queue = vec![self.root.clone()];
        while let Some(dir) = queue.pop() {
            for entry in std::fs::read_dir(dir).unwrap() {
                let (path, kind) = entry.map(|e| (e.path(), e.file_type().unwrap())).unwrap();
                if kind.is_dir() {
                    queue.push(path.clone());
                }
                let content = kind.is_file().then(|| std::fs::read(&path).unwrap());
                found.insert(path, content.unwrap_or_default());
            }
        }
        found
    }
}
