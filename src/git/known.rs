use super::Repo;
use std::collections::HashMap;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// Most directories that are remembered; with one more all are forgotten.
const MOST: usize = 256;

/// Where git found repositories, until something that git goes by has changed. Clones share it.
#[derive(Debug, Clone, Default)]
pub(super) struct Known(Arc<Mutex<HashMap<PathBuf, Found>>>);

/// A checkout whose git directory is its own `.git`.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Found {
    root: PathBuf,
    git_dir: PathBuf,
    stamp: Stamp,
}

/// What git looks at to find a repository whose top is known: whose the directories are, that they are
/// complete, and the settings, which may name another working tree or a format that git refuses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stamp {
    canonical: PathBuf,
    directories: [File; 4],
    head: u32,
    settings: [Option<Settings>; 2],
}

/// Device, inode, owner, mode.
type File = (u64, u64, u32, u32);
/// Device, inode, size, time of the last write and of the last change, the latter two in nanoseconds.
type Settings = (u64, u64, u64, i128, i128);

impl Stamp {
    /// The stamp of a directory, as it is now; `None` unless `.git` is a whole directory within it.
    pub(super) fn of(dir: &Path) -> Option<Self> {
        let git = dir.join(".git");
        let directory = |path: &Path| {
            let meta = path.symlink_metadata().ok().filter(Metadata::is_dir)?;
            Some((meta.dev(), meta.ino(), meta.uid(), meta.mode()))
        };
        let canonical = dir.canonicalize().ok()?;
        let top = directory(&canonical)?;
        let [git_dir, objects, refs] = [git.clone(), git.join("objects"), git.join("refs")];
        Some(Self {
            directories: [top, directory(&git_dir)?, directory(&objects)?, directory(&refs)?],
            canonical,
            head: git.join("HEAD").symlink_metadata().ok()?.mode(),
            settings: ["config", "config.worktree"].map(|name| settings(&git.join(name))),
        })
    }
}

fn settings(path: &Path) -> Option<Settings> {
    let meta = path.metadata().ok()?;
    let nanos = |seconds: i64, rest: i64| i128::from(seconds) * 1_000_000_000 + i128::from(rest);
    Some((
        meta.dev(),
        meta.ino(),
        meta.size(),
        nanos(meta.mtime(), meta.mtime_nsec()),
        nanos(meta.ctime(), meta.ctime_nsec()),
    ))
}

impl Known {
    /// Top and git directory of the checkout at `dir`, where git said so and would say so again.
    pub(super) fn at(&self, dir: &Path) -> Option<(PathBuf, PathBuf)> {
        let found = self.map().get(dir).cloned()?;
        (Stamp::of(dir).as_ref() == Some(&found.stamp)).then_some((found.root, found.git_dir))
    }

    /// Remembers what git said. The stamp is that of before it was asked.
    pub(super) fn remember(&self, dir: &Path, stamp: Option<Stamp>, repo: &Repo) {
        let Some(stamp) = stamp else { return };
        let plain = repo.root == stamp.canonical
            && repo.git_dir == repo.root.join(".git")
            && repo.common_dir == repo.git_dir;
        if plain {
            let mut map = self.map();
            if map.len() >= MOST {
                map.clear();
            }
            let (root, git_dir) = (repo.root.clone(), repo.git_dir.clone());
            map.insert(dir.to_path_buf(), Found { root, git_dir, stamp });
        }
    }

    fn map(&self) -> std::sync::MutexGuard<'_, HashMap<PathBuf, Found>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use crate::git::Repo;
    use crate::git::testbed::TestRepo;

    #[tokio::test]
    async fn a_repository_is_known_until_it_is_another_one() {
        let bed = TestRepo::new(&[("a", "a\n"), ("sub/b", "b\n")]).await;
        let (git, root) = (&bed.git, &bed.repo.root);
        let known = || git.known.at(root).is_some();
        Repo::open(git, root).await.unwrap();
        assert!(known(), "the one of the bed");
        assert!(git.known.at(&root.join("sub")).is_none(), "only a top is");
        bed.run(&["config", "core.worktree", "../sub"]).await;
        assert!(!known(), "other settings may name another working tree");
        bed.run(&["config", "--unset", "core.worktree"]).await;
        let again = Repo::open(git, root).await.unwrap();
        assert_eq!((&again.root, &again.common_dir), (root, &bed.repo.common_dir));
        assert!(known());
        let head = root.join(".git/HEAD");
        std::fs::rename(&head, root.join("HEAD")).unwrap();
        assert!(!known(), "no repository is without one");
        // Git looks further up, and may find another one there.
        assert!(Repo::open(git, root).await.ok().is_none_or(|found| found.root != *root));
        std::fs::rename(root.join("HEAD"), &head).unwrap();
        let aside = root.with_file_name("aside");
        std::fs::rename(root, &aside).unwrap();
        assert!(!known(), "it is gone");
        std::os::unix::fs::symlink(&aside, root).unwrap();
        assert!(!known(), "its place leads elsewhere");
        assert_eq!(Repo::open(git, root).await.unwrap().root, aside);
    }

    #[tokio::test]
    async fn a_linked_worktree_is_asked_for_each_time() {
        let bed = TestRepo::new(&[("a", "a\n")]).await;
        let tree = bed.repo.root.with_file_name("tree");
        bed.run(&["worktree", "add", "-q", "--detach", tree.to_str().unwrap()]).await;
        let linked = Repo::open(&bed.git, &tree).await.unwrap();
        assert_eq!(linked.common_dir, bed.repo.common_dir);
        assert!(bed.git.known.at(&tree).is_none());
    }
}
