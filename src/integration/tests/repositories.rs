//! Bases of unusual make.

use super::*;

/// A bed whose base was changed after the worker's first commit by `setup`.
async fn edit_and_apply(bed: &Bed) {
    write_in(bed, "src/a", b"edited\n");
    write_in(bed, "src/new", b"new\n");
    bed.snapshot().await;
    bed.preview_and_apply().await;
    assert_eq!(read(bed.root(), "src/a"), b"edited\n");
    assert_eq!(read(bed.root(), "src/new"), b"new\n");
}

#[tokio::test]
async fn a_sparse_checkout() {
    for index in ["--no-sparse-index", "--sparse-index"] {
        let bed = Bed::new(&[("src/a", "a\n"), ("other/deep/b", "b\n"), ("top", "t\n")]).await;
        bed.base.run(&["sparse-checkout", "set", "--cone", index, "src"]).await;
        assert!(!bed.root().join("other").exists());
        let preview = bed.preview().await;
        assert_eq!(paths(&preview.base_dirty), [""; 0], "nothing is dirty: {index}");
        edit_and_apply(&bed).await;
        assert!(!bed.root().join("other").exists(), "{index}");
        write_in(&bed, "other/deep/b", b"outside\n");
        bed.snapshot().await;
        let preview = bed.preview().await;
        assert_eq!(conflicts(&preview), ["outside_sparse_checkout other/deep/b"], "{index}");
        let second = WorkerId::mint(&Clock::system());
        let root = bed.root().as_os_str().as_bytes();
        bed.store.seed_worker(second.as_str(), bed.base.repo.key.as_str(), root).await;
        let tree = bed.trees.create(&bed.base.repo, &second).await.unwrap();
        let head = bed.base.run(&["rev-parse", "HEAD^{tree}"]).await;
        assert_eq!(tree.start.tree, head, "a sparse worktree misses nothing: {index}");
    }
}

#[tokio::test]
async fn a_linked_worktree_as_base() {
    let bed = Bed::new(&[("src/a", "a\n")]).await;
    let linked = bed.base.dir.path().canonicalize().unwrap().join("linked");
    let text = linked.to_str().unwrap();
    bed.base.run(&["worktree", "add", "-q", "-b", "side", text]).await;
    let repo = crate::git::Repo::open(&bed.base.git, &linked).await.unwrap();
    let worker = WorkerId::mint(&Clock::system());
    let root = linked.as_os_str().as_bytes();
    bed.store.seed_worker(worker.as_str(), repo.key.as_str(), root).await;
    let tree = bed.trees.create(&repo, &worker).await.unwrap();
    write(&tree.path, "src/a", b"edited\n");
    bed.trees.snapshot(&repo, &worker, None).await.unwrap();
    let token = bed.integrations.preview(&repo, &worker, &[]).await.unwrap().token.unwrap();
    let request = ApplyRequest { worker, ..bed.request(&token) };
    bed.integrations.apply(&repo, request).await.unwrap();
    assert_eq!(read(&linked, "src/a"), b"edited\n");
    assert_eq!(read(bed.root(), "src/a"), b"a\n", "the other checkout is not touched");
}

#[tokio::test]
async fn a_base_with_a_submodule_that_is_checked_out() {
    let bed = Bed::prepared(&[("src/a", "a\n")], |_| {}).await;
    let git = |verb: &str| bed.base.git.run(&bed.root().join("sub"), verb);
    write(bed.root(), "sub/f", b"f\n");
    git("init").arg("-q").ok().await.unwrap();
    git("add").arg("-A").ok().await.unwrap();
    git("commit").args(["-qm", "x"]).ok().await.unwrap();
    bed.base.commit("with a submodule").await;
    write(bed.root(), "sub/f", b"dirty inside\n");
    edit_and_apply(&bed).await;
    assert_eq!(read(bed.root(), "sub/f"), b"dirty inside\n");
}

#[tokio::test]
async fn a_base_with_nested_repositories_of_other_tools() {
    let bed = Bed::new(&[("src/a", "a\n")]).await;
    for name in ["unborn", "born"] {
        let nested = bed.root().join("tools").join(name);
        write(&nested, "f", b"f\n");
        bed.base.git.run(&nested, "init").arg("-q").ok().await.unwrap();
        if name == "born" {
            bed.base.git.run(&nested, "add").arg("-A").ok().await.unwrap();
            bed.base.git.run(&nested, "commit").args(["-qm", "x"]).ok().await.unwrap();
        }
    }
    edit_and_apply(&bed).await;
    assert_eq!(read(bed.root(), "tools/unborn/f"), b"f\n");
}

#[tokio::test]
async fn line_ends_that_the_users_settings_convert() {
    let bed = Bed::new(&[("src/a", "a\n"), ("text", "t\n")]).await;
    bed.base.run(&["config", "core.autocrlf", "true"]).await;
    std::fs::remove_file(bed.root().join("text")).unwrap();
    bed.base.run(&["checkout", "--", "text"]).await;
    assert_eq!(read(bed.root(), "text"), b"t\r\n");
    edit_and_apply(&bed).await;
    write_in(&bed, "text", b"t\r\nmore\r\n");
    bed.snapshot().await;
    bed.preview_and_apply().await;
    assert_eq!(read(bed.root(), "text"), b"t\r\nmore\r\n");
}

#[tokio::test]
async fn a_merge_that_is_not_finished() {
    let bed = Bed::new(&[("src/a", "1\n"), ("b", "b\n")]).await;
    bed.base.run(&["checkout", "-q", "-b", "other"]).await;
    bed.base.write("b", b"other\n");
    bed.base.commit("other").await;
    bed.base.run(&["checkout", "-q", "main"]).await;
    bed.base.write("b", b"main\n");
    bed.base.commit("main").await;
    let merge = bed.base.git.run(bed.root(), "merge").arg("other").output().await.unwrap();
    assert_eq!(merge.code, 1);
    edit_and_apply(&bed).await;
    assert!(read(bed.root(), "b").starts_with(b"<<<<<<<"));
    write_in(&bed, "b", b"worker\n");
    bed.snapshot().await;
    let preview = bed.preview().await;
    assert!(!preview.can_apply);
    assert_eq!(preview.conflicts.len(), 1, "{:?}", preview.conflicts);
}

#[tokio::test]
async fn a_partial_clone() {
    let origin = TestRepo::new(&[("src/a", "a\n"), ("old", "1\n")]).await;
    origin.write("old", b"2\n");
    origin.commit("second").await;
    origin.run(&["config", "uploadpack.allowFilter", "true"]).await;
    let bed = Bed::new(&[("x", "x\n")]).await;
    let clone = bed.base.dir.path().canonicalize().unwrap().join("clone");
    let url = format!("file://{}", origin.repo.root.display());
    let run = bed.base.git.run(bed.base.dir.path(), "clone").config("protocol.file.allow=always");
    let run = run.env("GIT_NO_LAZY_FETCH", "0");
    run.args(["-q", "--filter=blob:none", &url]).arg(&clone).ok().await.unwrap();
    let repo = crate::git::Repo::open(&bed.base.git, &clone).await.unwrap();
    let worker = WorkerId::mint(&Clock::system());
    let root = clone.as_os_str().as_bytes();
    bed.store.seed_worker(worker.as_str(), repo.key.as_str(), root).await;
    let tree = bed.trees.create(&repo, &worker).await.unwrap();
    write(&tree.path, "src/a", b"edited\n");
    bed.trees.snapshot(&repo, &worker, None).await.unwrap();
    let token = bed.integrations.preview(&repo, &worker, &[]).await.unwrap().token.unwrap();
    let request = ApplyRequest { worker, ..bed.request(&token) };
    bed.integrations.apply(&repo, request).await.unwrap();
    assert_eq!(read(&clone, "src/a"), b"edited\n");
}
