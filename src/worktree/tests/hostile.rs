//! What a worker may put into its worktree to make us run it, outside of its sandbox.

use super::*;

/// Makes `top/sub` a repository whose own configuration runs a program on `git status`.
async fn trap(bed: &Bed, top: &Path, mark: &Path) {
    let nested = top.join("sub");
    let git = |verb: &str| bed.repo.git.run(&nested, verb);
    write(&nested, "f", b"f\n");
    git("init").arg("-q").ok().await.unwrap();
    git("add").arg("-A").ok().await.unwrap();
    git("commit").args(["-qm", "x"]).ok().await.unwrap();
    write(&nested, ".gitattributes", b"* filter=evil\n");
    write(&nested, "f", b"g\n");
    let evil = format!("touch {}; cat", mark.display());
    for key in ["filter.evil.clean", "filter.evil.smudge", "core.fsmonitor"] {
        git("config").args([key, &evil]).ok().await.unwrap();
    }
}

#[tokio::test]
async fn a_submodule_that_the_worker_filled_runs_nothing() {
    let bed = Bed::new(&[], &[("a", "a\n")]).await;
    let head = bed.repo.repo.head().await.unwrap();
    let entry = format!("160000,{head},sub");
    bed.repo.run(&["update-index", "--add", "--cacheinfo", &entry]).await;
    bed.repo.run(&["commit", "-qm", "with a submodule"]).await;
    let worker = bed.worker().await;
    let tree = bed.trees.create(&bed.repo.repo, &worker).await.unwrap();
    let mark = bed.repo.dir.path().canonicalize().unwrap().join("ran");
    trap(&bed, &tree.path, &mark).await;
    // Its HEAD is the commit that is recorded: now git would look for edits inside.
    let nested = tree.path.join("sub");
    let objects = bed.repo.repo.common_dir.join("objects");
    write(&nested, ".git/objects/info/alternates", objects.as_os_str().as_bytes());
    write(&nested, ".git/HEAD", format!("{head}\n").as_bytes());
    bed.repo.git.run(&nested, "read-tree").arg("HEAD").ok().await.unwrap();
    write(&nested, "a", b"edited\n");
    std::fs::remove_file(&mark).ok();
    write(&tree.path, "a", b"b\n");
    let snapshot = bed.trees.snapshot(&bed.repo.repo, &worker, None).await.unwrap();
    assert!(!mark.exists(), "a program of the worker's ran outside of its sandbox");
    let changes = bed.repo.repo.changes(&tree.start.tree, &snapshot.tree).await.unwrap();
    assert_eq!(names(&changes), ["Modified a"], "the submodule stays as it was");
    let notes = SnapshotNotes::read(&bed.repo.repo, &snapshot).await.unwrap();
    assert_eq!(notes.nested, [GitPath::from("sub")], "what is in it is named");
}

#[tokio::test]
async fn a_new_nested_repository_runs_nothing() {
    let bed = Bed::new(&[], &[("a", "a\n")]).await;
    let worker = bed.worker().await;
    let tree = bed.trees.create(&bed.repo.repo, &worker).await.unwrap();
    let mark = bed.repo.dir.path().canonicalize().unwrap().join("ran");
    trap(&bed, &tree.path, &mark).await;
    std::fs::remove_file(&mark).ok();
    for _ in 0..2 {
        bed.trees.snapshot(&bed.repo.repo, &worker, None).await.unwrap();
    }
    bed.trees.remove(&bed.repo.repo, &worker).await.unwrap();
    assert!(!mark.exists(), "a program of the worker's ran outside of its sandbox");
}

#[tokio::test]
async fn a_forged_git_file_leads_nowhere() {
    let bed = Bed::new(&[], &[("a", "a\n")]).await;
    let worker = bed.worker().await;
    let tree = bed.trees.create(&bed.repo.repo, &worker).await.unwrap();
    let mark = bed.repo.dir.path().canonicalize().unwrap().join("ran");
    let forged = tree.tmp.join("forged");
    std::fs::create_dir(&forged).unwrap();
    trap(&bed, &forged, &mark).await;
    std::fs::remove_file(&mark).ok();
    let inside = forged.join("sub/.git");
    write(&tree.path, ".git", format!("gitdir: {}\n", inside.display()).as_bytes());
    write(&tree.path, "a", b"b\n");
    let snapshot = bed.trees.snapshot(&bed.repo.repo, &worker, None).await.unwrap();
    let changes = bed.repo.repo.changes(&tree.start.tree, &snapshot.tree).await.unwrap();
    assert_eq!(names(&changes), ["Modified a"]);
    bed.trees.remove(&bed.repo.repo, &worker).await.unwrap();
    assert!(!mark.exists() && !tree.path.exists());
    assert_eq!(bed.repo.run(&["worktree", "list"]).await.lines().count(), 1);
}
