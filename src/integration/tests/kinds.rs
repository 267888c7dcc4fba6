//! Every kind of change, applied exactly.

use super::*;

/// Runs `work` in the worktree, integrates, and demands that the checkout equals the worktree byte
/// for byte, that git agrees, and that index and HEAD of the base are as they were.
async fn exact(files: &[(&str, &str)], prepare: fn(&Path), work: fn(&Path)) {
    let bed = Bed::prepared(files, prepare).await;
    work(&bed.tree.path);
    bed.snapshot().await;
    let head = bed.base.run(&["rev-parse", "HEAD"]).await;
    let index = read(&bed.base.repo.git_dir, "index");
    let applied = bed.preview_and_apply().await;
    assert_eq!(files_of(&bed.tree.path), bed.checkout(), "worktree and base are equal");
    assert_eq!(bed.base.run(&["rev-parse", "HEAD"]).await, head);
    assert_eq!(read(&bed.base.repo.git_dir, "index"), index);
    assert!(!applied.changes.is_empty());
    assert!(!bed.base.repo.common_dir.join("patchbay.lock").exists());
    let again = bed.preview().await;
    assert_eq!(again.reason, Some("no_changes"), "it is integrated now");
}

const NOTHING: fn(&Path) = |_| {};

#[tokio::test]
async fn edits_new_files_and_odd_names() {
    exact(&[("a", "1\n"), ("sub/b", "2\n")], NOTHING, |top| {
        write(top, "a", b"no newline at end");
        write(top, "new file", b"");
        write(top, "new\nline/x y", b"x\n");
        write(top, odd_name(), b"\x00\xff\xfe");
        write(top, "sub/b", b"\xff latin\r\n");
        write(top, "form\x0cfeed", b"a\x0cb\n");
    })
    .await;
}

#[tokio::test]
async fn deletions_leave_no_empty_directory() {
    exact(&[("keep", "k"), ("d/e/f", "f"), ("d/g", "g"), ("gone", "x")], NOTHING, |top| {
        std::fs::remove_dir_all(top.join("d")).unwrap();
        std::fs::remove_file(top.join("gone")).unwrap();
    })
    .await;
    // `exact` compares files; directories here.
    let bed = Bed::new(&[("keep", "k"), ("d/e/f", "f")]).await;
    std::fs::remove_dir_all(bed.tree.path.join("d")).unwrap();
    bed.snapshot().await;
    bed.preview_and_apply().await;
    assert!(!bed.root().join("d").exists());
}

#[tokio::test]
async fn renames_leave_nothing_behind() {
    exact(&[("old name", "1\n2\n3\n4\n"), ("b", "b")], NOTHING, |top| {
        std::fs::create_dir(top.join("moved")).unwrap();
        std::fs::rename(top.join("old name"), top.join("moved/new")).unwrap();
        write(top, "moved/new", b"1\n2\n3\n4\n5\n");
    })
    .await;
}

#[tokio::test]
async fn modes() {
    exact(
        &[("on", "x\n"), ("off", "x\n")],
        |root| make_executable(&root.join("off"), true),
        |top| {
            make_executable(&top.join("on"), true);
            make_executable(&top.join("off"), false);
            write(top, "new.sh", b"#!/bin/sh\n");
            make_executable(&top.join("new.sh"), true);
        },
    )
    .await;
}

#[tokio::test]
async fn links_and_changes_of_kind() {
    exact(
        &[("file", "x\n"), ("target", "t\n")],
        |root| {
            link("target", &root.join("link"));
            link("target", &root.join("becomes file"));
        },
        |top| {
            link("elsewhere", &top.join("link"));
            link("/etc/passwd", &top.join("new link"));
            link("target", &top.join("file"));
            std::fs::remove_file(top.join("becomes file")).unwrap();
            write(top, "becomes file", b"f\n");
        },
    )
    .await;
}

#[tokio::test]
async fn files_become_directories_and_back() {
    exact(
        &[("dir/a", "a\n"), ("dir/b/c", "c\n"), ("file", "f\n"), ("to link/x", "x\n")],
        NOTHING,
        |top| {
            std::fs::remove_dir_all(top.join("dir")).unwrap();
            write(top, "dir", b"now a file\n");
            std::fs::remove_file(top.join("file")).unwrap();
            write(top, "file/deep/x", b"now a directory\n");
            std::fs::remove_dir_all(top.join("to link")).unwrap();
            link("dir", &top.join("to link"));
        },
    )
    .await;
}

#[tokio::test]
async fn converted_line_ends() {
    let attributes = ".gitattributes";
    exact(
        &[(attributes, "*.txt text eol=crlf\n"), ("a.txt", "a\n"), ("b.txt", "b\n")],
        |root| {
            // As a checkout on this machine would have them.
            write(root, "a.txt", b"a\r\n");
            write(root, "b.txt", b"b\r\n");
        },
        |top| {
            write(top, "a.txt", b"a\r\nmore\r\n");
            write(top, "b.txt", b"b\nonly lf\n");
            write(top, "new.txt", b"mixed\r\nends\n");
            write(top, "plain", b"crlf\r\nstays\r\n");
        },
    )
    .await;
}

#[tokio::test]
async fn attributes_that_change_with_the_files() {
    exact(&[("a.dat", "a\n")], NOTHING, |top| {
        write(top, ".gitattributes", b"*.dat text eol=crlf\n");
        write(top, "a.dat", b"a\r\nb\r\n");
    })
    .await;
}

#[tokio::test]
async fn commits_of_the_worker_are_integrated_through_their_tree() {
    let bed = Bed::new(&[("a", "a\n")]).await;
    write_in(&bed, "a", b"committed\n");
    bed.base.git.run(&bed.tree.path, "commit").args(["-qam", "mine"]).ok().await.unwrap();
    bed.snapshot().await;
    let preview = bed.preview().await;
    assert!(preview.worker_committed && preview.can_apply);
    bed.apply(&preview.token.unwrap()).await.unwrap();
    assert_eq!(read(bed.root(), "a"), b"committed\n");
}

#[tokio::test]
async fn a_second_result_after_the_first_was_applied_and_committed() {
    let bed = Bed::new(&[("a", "1\n2\n3\n4\n5\n"), ("b", "b\n")]).await;
    write_in(&bed, "a", b"one\n2\n3\n4\n5\n");
    bed.snapshot().await;
    bed.preview_and_apply().await;
    bed.base.commit("accepted").await;
    bed.base.write("b", b"the user's\n");
    bed.base.commit("more").await;
    write_in(&bed, "a", b"one\n2\n3\n4\nfive\n");
    bed.snapshot().await;
    let preview = bed.preview().await;
    assert!(preview.can_apply && preview.base_moved);
    assert_eq!(preview.changes.len(), 1);
    bed.apply(&preview.token.unwrap()).await.unwrap();
    assert_eq!(read(bed.root(), "a"), b"one\n2\n3\n4\nfive\n");
    assert_eq!(read(bed.root(), "b"), b"the user's\n");
}

#[tokio::test]
async fn both_sides_of_a_file_are_merged() {
    let bed = Bed::new(&[("a", "1\n2\n3\n4\n5\n6\n7\n")]).await;
    bed.base.write("a", b"1\n2\n3\n4\n5\n6\nsieben\n");
    bed.base.commit("the user's").await;
    write_in(&bed, "a", b"eins\n2\n3\n4\n5\n6\n7\n");
    bed.snapshot().await;
    bed.preview_and_apply().await;
    assert_eq!(read(bed.root(), "a"), b"eins\n2\n3\n4\n5\n6\nsieben\n");
}

#[tokio::test]
async fn private_permissions_of_a_replaced_file_stay() {
    let bed = Bed::new(&[("secret", "s\n")]).await;
    std::fs::set_permissions(bed.root().join("secret"), PermissionsExt::from_mode(0o600)).unwrap();
    write_in(&bed, "secret", b"t\n");
    bed.snapshot().await;
    bed.preview_and_apply().await;
    let mode = std::fs::metadata(bed.root().join("secret")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[tokio::test]
async fn a_second_result_on_top_of_the_first_that_is_not_committed() {
    let bed = Bed::new(&[("a", "1\n2\n3\n4\n5\n6\n7\n"), ("b", "b\n")]).await;
    bed.base.write("a", b"1\n2\n3\n4\n5\n6\nsieben\n");
    bed.base.commit("the user's").await;
    write_in(&bed, "a", b"eins\n2\n3\n4\n5\n6\n7\n");
    bed.snapshot().await;
    bed.preview_and_apply().await;
    write_in(&bed, "a", b"eins\n2\ndrei\n4\n5\n6\n7\n");
    bed.snapshot().await;
    // The merged file is nobody's edit, although it equals no snapshot of the worker.
    bed.preview_and_apply().await;
    assert_eq!(read(bed.root(), "a"), b"eins\n2\ndrei\n4\n5\n6\nsieben\n");
    bed.base.write("a", b"the user's own\n2\ndrei\n4\n5\n6\nsieben\n");
    write_in(&bed, "a", b"eins\n2\ndrei\n4\n5\n6\n7\n8\n");
    bed.snapshot().await;
    assert!(!bed.preview().await.can_apply, "an edit since then needs a yes");
}
