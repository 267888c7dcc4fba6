use super::{SnapshotNotes, WorktreeError, Worktrees};
use crate::clock::Clock;
use crate::git::testbed::{TestRepo, everything, write};
use crate::git::{ChangeKind, GitPath};
use crate::ids::WorkerId;
use crate::paths::StateDir;
use crate::store::Store;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

mod hostile;

struct Bed {
    repo: TestRepo,
    store: Store,
    trees: Worktrees,
    clock: Clock,
}

impl Bed {
    async fn new(init: &[&str], files: &[(&str, &str)]) -> Self {
        let repo = TestRepo::with(init, files).await;
        let clock = Clock::system();
        let state = StateDir::open(&repo.state_path()).unwrap();
        let store = Store::open(&state.store_db(), clock.clone()).await.unwrap();
        let trees = Worktrees::new(store.clone(), state, clock.clone());
        Self { repo, store, trees, clock }
    }

    async fn worker(&self) -> WorkerId {
        let id = WorkerId::mint(&self.clock);
        let root = self.repo.repo.root.as_os_str().as_bytes();
        self.store.seed_worker(id.as_str(), self.repo.repo.key.as_str(), root).await;
        id
    }
}

fn names(changes: &[crate::git::Change]) -> Vec<String> {
    changes.iter().map(|c| format!("{:?} {}", c.kind, c.path.lossy())).collect()
}

async fn every_kind_of_change(init: &[&str]) {
    let files =
        [("keep", "k\n"), ("edit", "1\n2\n"), ("gone", "g\n"), ("moved from", "m1\nm2\nm3\n")];
    let bed = Bed::new(init, &files).await;
    let before = everything(&bed.repo.repo.root)
        .into_iter()
        .filter(|(path, ..)| !path.starts_with(&bed.repo.repo.git_dir))
        .collect::<Vec<_>>();
    let worker = bed.worker().await;
    let repo = &bed.repo.repo;
    let tree = bed.trees.create(repo, &worker).await.unwrap();
    assert_eq!(tree.start.tree, bed.repo.run(&["rev-parse", "HEAD^{tree}"]).await);
    let top = &tree.path;
    write(top, "edit", b"1\nzwei\n3\n");
    std::fs::remove_file(top.join("gone")).unwrap();
    std::fs::rename(top.join("moved from"), top.join("moved\nto")).unwrap();
    write(top, "sub/new empty", b"");
    write(top, OsStr::from_bytes(b"caf\xe9"), b"\x00\xff binary");
    write(top, "run.sh", b"#!/bin/sh\n");
    std::fs::set_permissions(top.join("run.sh"), PermissionsExt::from_mode(0o755)).unwrap();
    std::os::unix::fs::symlink("/nowhere", top.join("link")).unwrap();
    let snapshot = bed.trees.snapshot(repo, &worker, None).await.unwrap();
    let changes = repo.changes(&tree.start.tree, &snapshot.tree).await.unwrap();
    assert_eq!(
        names(&changes),
        [
            "Added caf\u{fffd}",
            "Modified edit",
            "Deleted gone",
            "Added link",
            "Renamed moved\nto",
            "Added run.sh",
            "Added sub/new empty"
        ]
    );
    let edit = changes.iter().find(|c| c.kind == ChangeKind::Modified).unwrap();
    assert_eq!((edit.additions, edit.deletions), (2, 1));
    assert!(changes[0].binary);
    let file = repo.file_at(&snapshot.tree, &changes[0].path).await.unwrap().unwrap();
    assert_eq!(file.bytes, b"\x00\xff binary");
    assert!(repo.file_at(&snapshot.tree, &GitPath::from("gone")).await.unwrap().is_none());
    let paths = [&edit.path];
    let diff = repo.file_diff(&tree.start.tree, &snapshot.tree, &paths, 1 << 20).await.unwrap();
    let diff = String::from_utf8(diff.text).unwrap();
    assert!(diff.contains("+zwei") && diff.contains("--- a/edit"), "{diff}");
    let after = everything(&bed.repo.repo.root)
        .into_iter()
        .filter(|(path, ..)| !path.starts_with(&bed.repo.repo.git_dir))
        .collect::<Vec<_>>();
    assert_eq!(before, after, "the base checkout is as it was");
    assert_eq!(bed.repo.run(&["status", "--porcelain"]).await, "");
}

#[tokio::test]
async fn a_snapshot_holds_every_kind_of_change() {
    every_kind_of_change(&[]).await;
}

#[tokio::test]
async fn a_snapshot_works_with_sha256_objects() {
    every_kind_of_change(&["--object-format=sha256"]).await;
}

#[tokio::test]
async fn a_snapshot_works_with_a_reftable() {
    every_kind_of_change(&["--ref-format=reftable"]).await;
}

#[tokio::test]
async fn many_worktrees_at_once() {
    let bed = Bed::new(&[], &[("a", "a\n")]).await;
    let mut workers = Vec::new();
    for _ in 0..8 {
        workers.push(bed.worker().await);
    }
    let made = workers.iter().map(|worker| bed.trees.create(&bed.repo.repo, worker));
    let made = futures_util::future::join_all(made).await;
    for tree in &made {
        assert_eq!(std::fs::read(tree.as_ref().unwrap().path.join("a")).unwrap(), b"a\n");
    }
    let listed = bed.repo.run(&["worktree", "list", "--porcelain"]).await;
    assert_eq!(listed.matches("worktree ").count(), 9, "{listed}");
    for worker in &workers {
        bed.trees.remove(&bed.repo.repo, worker).await.unwrap();
    }
    let listed = bed.repo.run(&["worktree", "list", "--porcelain"]).await;
    assert_eq!(listed.matches("worktree ").count(), 1, "{listed}");
    assert!(!bed.repo.repo.common_dir.join("worktrees").exists());
}

#[tokio::test]
async fn creating_is_idempotent_and_repairs_what_a_crash_left() {
    let bed = Bed::new(&[], &[("a", "a\n")]).await;
    let worker = bed.worker().await;
    let repo = &bed.repo.repo;
    let head = repo.head().await.unwrap();
    // As after kill -9 between `git worktree add` and the checkout.
    let dir = bed.repo.state_path().join("worktrees").join(repo.key.as_str());
    let path = dir.join(worker.as_str()).join("tree");
    let bytes = path.as_os_str().as_bytes();
    bed.store.begin_worktree(worker.as_str(), bytes, &head, "").await.unwrap();
    let text = path.to_str().unwrap();
    bed.repo.run(&["worktree", "add", "--detach", "--no-checkout", text, "HEAD"]).await;
    write(&path, "half", b"x");
    bed.repo.write("a", b"later\n");
    bed.repo.commit("later").await;
    let first = bed.trees.create(repo, &worker).await.unwrap();
    assert_eq!(first.base_commit, head, "the commit it was begun with");
    assert!(!path.join("half").exists());
    assert_eq!(std::fs::read(path.join("a")).unwrap(), b"a\n");
    let again = bed.trees.create(repo, &worker).await.unwrap();
    assert_eq!(again.start, first.start);
    let listed = bed.repo.run(&["worktree", "list", "--porcelain"]).await;
    assert_eq!(listed.matches("worktree ").count(), 2, "{listed}");
}

#[tokio::test]
async fn what_is_not_in_a_snapshot_is_named() {
    let bed = Bed::new(&[], &[(".gitignore", "out/\n*.log\n"), ("a", "a\n")]).await;
    let worker = bed.worker().await;
    let repo = &bed.repo.repo;
    let tree = bed.trees.create(repo, &worker).await.unwrap();
    write(&tree.path, "out/big", b"x");
    write(&tree.path, "x.log", b"x");
    write(&tree.path, "b", b"b\n");
    for (name, commit) in [("unborn", false), ("born", true)] {
        let nested = tree.path.join("vendor").join(name);
        write(&nested, "f", b"f\n");
        bed.repo.git.run(&nested, "init").arg("-q").ok().await.unwrap();
        if commit {
            bed.repo.git.run(&nested, "add").arg("-A").ok().await.unwrap();
            bed.repo.git.run(&nested, "commit").args(["-qm", "x"]).ok().await.unwrap();
        }
    }
    let snapshot = bed.trees.snapshot(repo, &worker, None).await.unwrap();
    let changes = repo.changes(&tree.start.tree, &snapshot.tree).await.unwrap();
    assert_eq!(names(&changes), ["Added b"]);
    let notes = SnapshotNotes::read(repo, &snapshot).await.unwrap();
    let lossy = |paths: &[GitPath]| paths.iter().map(GitPath::lossy).collect::<Vec<_>>();
    assert_eq!(lossy(&notes.nested), ["vendor/born", "vendor/unborn"]);
    assert_eq!(
        (notes.ignored_count, lossy(&notes.ignored)),
        (2, vec!["out/".into(), "x.log".into()])
    );
}

#[tokio::test]
async fn commits_of_a_worker_are_part_of_its_result() {
    let bed = Bed::new(&[], &[("a", "a\n")]).await;
    let worker = bed.worker().await;
    let tree = bed.trees.create(&bed.repo.repo, &worker).await.unwrap();
    write(&tree.path, "a", b"committed\n");
    bed.repo.git.run(&tree.path, "commit").args(["-qam", "mine"]).ok().await.unwrap();
    let snapshot = bed.trees.snapshot(&bed.repo.repo, &worker, None).await.unwrap();
    assert_ne!(snapshot.head, tree.base_commit);
    let changes = bed.repo.repo.changes(&tree.start.tree, &snapshot.tree).await.unwrap();
    assert_eq!(names(&changes), ["Modified a"]);
}

#[tokio::test]
async fn bytes_that_a_filter_would_not_give_back_are_kept() {
    let bed = Bed::new(&[], &[(".gitattributes", "*.txt text eol=crlf\n"), ("a.txt", "a\n")]).await;
    let worker = bed.worker().await;
    let repo = &bed.repo.repo;
    let tree = bed.trees.create(repo, &worker).await.unwrap();
    assert_eq!(std::fs::read(tree.path.join("a.txt")).unwrap(), b"a\r\n");
    write(&tree.path, "a.txt", b"lf only\n");
    write(&tree.path, "b.txt", b"crlf\r\n");
    let snapshot = bed.trees.snapshot(repo, &worker, None).await.unwrap();
    let raw = SnapshotNotes::read(repo, &snapshot).await.unwrap().raw_commit.unwrap();
    let kept = repo.file_at(&raw, &GitPath::from("a.txt")).await.unwrap().unwrap();
    assert_eq!(kept.bytes, b"lf only\n");
    assert!(repo.file_at(&raw, &GitPath::from("b.txt")).await.unwrap().is_none());
}

#[tokio::test]
async fn removal_keeps_the_work_and_ends_after_a_crash() {
    let bed = Bed::new(&[], &[("a", "a\n")]).await;
    let worker = bed.worker().await;
    let repo = &bed.repo.repo;
    let tree = bed.trees.create(repo, &worker).await.unwrap();
    write(&tree.path, "closed/b", b"b\n");
    bed.trees.snapshot(repo, &worker, None).await.unwrap();
    write(&tree.path, "closed/late", b"late\n");
    let removed = bed.trees.remove(repo, &worker).await.unwrap();
    let last = removed.snapshot.unwrap();
    let late = repo.file_at(&last.ref_name, &GitPath::from("closed/late")).await.unwrap();
    assert_eq!(late.unwrap().bytes, b"late\n");
    assert!(!tree.path.exists() && !tree.tmp.exists());
    let refused = bed.trees.snapshot(repo, &worker, None).await.unwrap_err();
    assert!(matches!(refused, WorktreeError::None));
    let second = bed.worker().await;
    let tree = bed.trees.create(repo, &second).await.unwrap();
    bed.store.worktree_removing(second.as_str()).await.unwrap();
    bed.trees.reconcile(&bed.repo.git).await.unwrap();
    assert!(!tree.path.exists());
    assert_eq!(bed.store.live_worktree_paths().await.unwrap(), Vec::<Vec<u8>>::new());
}

#[tokio::test]
async fn a_fingerprint_changes_nothing_and_notices_everything() {
    let bed = Bed::new(&[], &[("a", "a\n"), (".gitignore", "ign\n")]).await;
    let repo = &bed.repo.repo;
    bed.repo.write("untracked", b"u\n");
    let all = everything(&repo.root);
    let first = bed.trees.read_only_fingerprint(repo).await.unwrap();
    assert_eq!(bed.trees.read_only_fingerprint(repo).await.unwrap(), first);
    assert_eq!(everything(&repo.root), all, "not a byte below the repository changed");
    let touch = |path: &str| -> Box<dyn Fn(&Path)> {
        let path = path.to_owned();
        Box::new(move |root| write(root, &path, b"changed\n"))
    };
    for path in ["a", "untracked", "new", ".git/hooks/pre-commit", ".git/info/exclude"] {
        let before = bed.trees.read_only_fingerprint(repo).await.unwrap();
        touch(path)(&repo.root);
        assert_ne!(bed.trees.read_only_fingerprint(repo).await.unwrap(), before, "{path}");
    }
    for args in
        [&["update-ref", "refs/heads/x", "HEAD"][..], &["add", "new"], &["config", "x.y", "z"]]
    {
        let before = bed.trees.read_only_fingerprint(repo).await.unwrap();
        bed.repo.run(args).await;
        assert_ne!(bed.trees.read_only_fingerprint(repo).await.unwrap(), before, "{args:?}");
    }
    let before = bed.trees.read_only_fingerprint(repo).await.unwrap();
    bed.repo.run(&["update-ref", "refs/patchbay/w/s", "HEAD"]).await;
    assert_eq!(bed.trees.read_only_fingerprint(repo).await.unwrap(), before, "our own refs");
}
