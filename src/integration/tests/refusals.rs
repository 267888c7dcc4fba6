//! What is refused, and that a refusal changes nothing.

use super::*;

async fn refused(bed: &Bed, expected: &[&str]) {
    let before = everything(bed.root());
    let preview = bed.preview().await;
    assert_eq!((preview.can_apply, preview.reason), (false, Some("conflict")));
    assert_eq!(conflicts(&preview), expected);
    assert!(preview.token.is_none());
    assert_eq!(everything(bed.root()), before, "a preview changes nothing, .git included");
    let error = bed.apply("pvt_").await.unwrap_err();
    assert!(matches!(error, IntegrationError::NotApplicable(_)), "{error}");
    assert_eq!(files_of(bed.root()), {
        let root = bed.root().to_path_buf();
        let files = before.into_iter().filter(|(_, mode, _)| mode & 0o170_000 != 0o040_000);
        files
            .map(|(p, mode, bytes)| (p.strip_prefix(&root).unwrap().to_path_buf(), mode, bytes))
            .filter(|(p, ..)| !p.starts_with(".git"))
            .collect::<Vec<_>>()
    });
}

#[tokio::test]
async fn edits_of_the_same_line() {
    let bed = Bed::new(&[("a b", "1\n"), ("ok", "1\n")]).await;
    bed.base.write("a b", b"ours\n");
    bed.base.commit("ours").await;
    write_in(&bed, "a b", b"theirs\n");
    write_in(&bed, "ok", b"fine\n");
    bed.snapshot().await;
    refused(&bed, &["contents a b"]).await;
}

#[tokio::test]
async fn deleted_here_and_edited_there() {
    let bed = Bed::new(&[("a", "1\n2\n"), ("b", "b\n")]).await;
    std::fs::remove_file(bed.root().join("a")).unwrap();
    bed.base.commit("gone").await;
    write_in(&bed, "a", b"1\n2\n3\n");
    bed.snapshot().await;
    refused(&bed, &["modify_delete a"]).await;
}

#[tokio::test]
async fn an_ignored_file_is_not_overwritten() {
    let bed = Bed::new(&[(".gitignore", "*.log\n"), ("a", "a\n")]).await;
    bed.base.write("x.log", b"the user's\n");
    write_in(&bed, ".gitignore", b"");
    write_in(&bed, "x.log", b"the worker's\n");
    bed.snapshot().await;
    refused(&bed, &["ignored_file_in_the_way x.log"]).await;
}

#[tokio::test]
async fn an_ignored_file_in_a_directory_that_must_go() {
    let bed = Bed::new(&[(".gitignore", "*.log\n"), ("d/a", "a\n")]).await;
    bed.base.write("d/x.log", b"the user's\n");
    std::fs::remove_dir_all(bed.tree.path.join("d")).unwrap();
    write_in(&bed, "d", b"file\n");
    bed.snapshot().await;
    refused(&bed, &["directory_not_empty d"]).await;
}

#[tokio::test]
async fn a_link_that_leads_outside() {
    let bed = Bed::new(&[(".gitignore", "out\n"), ("a", "a\n")]).await;
    let outside = bed.base.dir.path().join("outside");
    std::fs::create_dir(&outside).unwrap();
    link("../outside", &bed.root().join("out"));
    write_in(&bed, ".gitignore", b"nothing\n");
    write_in(&bed, "out/x", b"x\n");
    bed.snapshot().await;
    refused(&bed, &["path_obstructed out/x"]).await;
    assert_eq!(std::fs::read_dir(outside).unwrap().count(), 0);
}

#[tokio::test]
async fn a_nested_repository() {
    let bed = Bed::new(&[("a", "a\n")]).await;
    write_in(&bed, "a", b"b\n");
    write_in(&bed, "vendor/x/f", b"f\n");
    bed.base.git.run(&bed.tree.path.join("vendor/x"), "init").arg("-q").ok().await.unwrap();
    bed.snapshot().await;
    refused(&bed, &["nested_repository vendor/x"]).await;
}

#[tokio::test]
async fn a_file_that_git_is_told_not_to_look_at() {
    let bed = Bed::new(&[("a", "a\n")]).await;
    bed.base.run(&["update-index", "--assume-unchanged", "a"]).await;
    bed.base.write("a", b"hidden edit\n");
    write_in(&bed, "a", b"worker\n");
    bed.snapshot().await;
    refused(&bed, &["assumed_unchanged a"]).await;
}

#[tokio::test]
async fn dirty_files_count_only_where_they_are_touched() {
    let bed = Bed::new(&[("a", "1\n2\n3\n4\n5\n6\n"), ("b", "b\n"), ("c", "c\n")]).await;
    bed.base.write("a", b"1\n2\n3\n4\n5\nsix\n");
    bed.base.write("b", b"dirty\n");
    bed.base.write("untracked", b"u\n");
    write_in(&bed, "a", b"one\n2\n3\n4\n5\n6\n");
    bed.snapshot().await;
    let preview = bed.preview().await;
    assert_eq!((preview.can_apply, preview.reason), (false, Some("base_dirty")));
    assert_eq!(paths(&preview.base_dirty), ["a", "b", "untracked"]);
    assert_eq!(paths(&preview.base_dirty_unaccepted), ["a"]);
    let token = preview.token.unwrap();
    let error = bed.apply(&token).await.unwrap_err();
    assert!(matches!(error, IntegrationError::NotApplicable(_)), "{error}");
    let mut request = bed.request(&token);
    request.accepted_dirty = vec!["*".to_owned()];
    bed.integrations.apply(&bed.base.repo, request).await.unwrap();
    assert_eq!(read(bed.root(), "a"), b"one\n2\n3\n4\n5\nsix\n");
    assert_eq!(
        (read(bed.root(), "b"), read(bed.root(), "untracked")),
        (b"dirty\n".into(), b"u\n".into())
    );
}

#[tokio::test]
async fn only_edits_of_affected_paths_make_a_preview_stale() {
    let bed = Bed::new(&[("a", "1\n2\n3\n4\n5\n6\n"), ("b", "b\n")]).await;
    write_in(&bed, "a", b"one\n2\n3\n4\n5\n6\n");
    bed.snapshot().await;
    let token = bed.preview().await.token.unwrap();
    bed.base.write("b", b"unrelated\n");
    bed.base.write("new", b"unrelated\n");
    bed.base.commit("unrelated").await;
    bed.base.write("b", b"and dirty\n");
    assert_eq!(bed.preview().await.token.unwrap(), token);
    bed.base.write("a", b"1\n2\n3\n4\n5\nsix\n");
    bed.base.commit("related").await;
    match bed.apply(&token).await.unwrap_err() {
        IntegrationError::PreviewStale(fresh) => assert_ne!(fresh.token.unwrap(), token),
        other => panic!("{other}"),
    }
    assert_eq!(read(bed.root(), "a"), b"1\n2\n3\n4\n5\nsix\n");
    bed.preview_and_apply().await;
    assert_eq!(read(bed.root(), "a"), b"one\n2\n3\n4\n5\nsix\n");
}

#[tokio::test]
async fn a_newer_snapshot_makes_a_preview_stale() {
    let bed = Bed::new(&[("a", "a\n")]).await;
    write_in(&bed, "a", b"b\n");
    bed.snapshot().await;
    let token = bed.preview().await.token.unwrap();
    write_in(&bed, "a", b"c\n");
    bed.snapshot().await;
    let error = bed.apply(&token).await.unwrap_err();
    assert!(matches!(error, IntegrationError::PreviewStale(_)), "{error}");
    assert_eq!(read(bed.root(), "a"), b"a\n");
}

#[tokio::test]
async fn a_key_is_applied_once() {
    let bed = Bed::new(&[("a", "a\n")]).await;
    write_in(&bed, "a", b"b\n");
    bed.snapshot().await;
    let mut request = bed.request(&bed.preview().await.token.unwrap());
    request.idempotency_key = Some("k".to_owned());
    let first = bed.integrations.apply(&bed.base.repo, request.clone()).await.unwrap();
    bed.base.write("a", b"later edit\n");
    let second = bed.integrations.apply(&bed.base.repo, request.clone()).await.unwrap();
    assert!(second.replay && !first.replay && first.id == second.id);
    assert_eq!(second.changes, first.changes);
    assert_eq!(read(bed.root(), "a"), b"later edit\n");
    request.token = "pvt_other".to_owned();
    let error = bed.integrations.apply(&bed.base.repo, request).await.unwrap_err();
    assert!(matches!(error, IntegrationError::KeyReused), "{error}");
}

#[tokio::test]
async fn a_busy_repository_is_left_alone() {
    let bed = Bed::new(&[("a", "a\n")]).await;
    write_in(&bed, "a", b"b\n");
    bed.snapshot().await;
    let token = bed.preview().await.token.unwrap();
    let guard = bed.locks.acquire(&bed.base.repo, "trn_x", None, "a turn").await.unwrap();
    assert_eq!(bed.apply(&token).await.unwrap_err().code(), "repo_busy");
    guard.release().await.unwrap();
    bed.apply(&token).await.unwrap();
}

#[tokio::test]
async fn what_the_base_has_already_is_no_change() {
    let bed = Bed::new(&[("a", "a\n")]).await;
    write_in(&bed, "a", b"b\n");
    bed.snapshot().await;
    bed.base.write("a", b"b\n");
    assert_eq!(bed.preview().await.reason, Some("already_in_base"));
}
