//! Branches, undo, conflicts that the worker merges, and integration step by step.

use super::*;
use crate::integration::{Applied, Preview};

fn onto(name: &str) -> Target {
    Target::Branch(name.to_owned())
}

async fn try_branch(bed: &Bed, name: &str) -> Result<Applied, IntegrationError> {
    let repo = &bed.base.repo;
    let preview = bed.integrations.preview_into(repo, &bed.worker, &onto(name), &[]).await?;
    let token = preview.token.unwrap_or_default();
    let request = ApplyRequest { target: onto(name), ..bed.request(&token) };
    bed.integrations.apply(repo, request).await
}

async fn undo(bed: &Bed) -> Result<Applied, IntegrationError> {
    let preview = bed.integrations.preview_undo(&bed.base.repo, &bed.worker).await?;
    let request = ApplyRequest { undo: true, ..bed.request(&preview.token.unwrap_or_default()) };
    bed.integrations.apply(&bed.base.repo, request).await
}

fn reason(error: IntegrationError) -> (Option<&'static str>, Vec<String>) {
    match error {
        IntegrationError::NotApplicable(preview) => (preview.reason, conflicts(&preview)),
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn a_branch_moves_and_no_checkout_is_touched() {
    let bed = Bed::new(&[("a", "1\n2\n3\n4\n5\n"), ("b", "b\n")]).await;
    bed.base.run(&["branch", "topic"]).await;
    bed.base.write("b", b"dirty\n");
    bed.base.write("a", b"dirty too\n");
    write_in(&bed, "a", b"one\n2\n3\n4\n5\n");
    write_in(&bed, "new\nline", b"n\r\n");
    bed.snapshot().await;
    let (files, index) = (bed.checkout(), read(&bed.base.repo.git_dir, "index"));
    let before = bed.base.run(&["rev-parse", "topic"]).await;
    let applied = try_branch(&bed, "topic").await.unwrap();
    assert_eq!((bed.checkout(), read(&bed.base.repo.git_dir, "index")), (files, index));
    let tip = bed.base.run(&["rev-parse", "topic"]).await;
    assert_eq!((applied.commit.as_deref(), applied.replay), (Some(tip.as_str()), false));
    assert_eq!(bed.base.run(&["rev-parse", "topic^"]).await, before);
    let repo = &bed.base.repo;
    let got = repo.file_at("topic", &GitPath::from("new\nline")).await.unwrap().unwrap();
    assert_eq!(got.bytes, b"n\r\n");
    // Only what is new goes there next; the checkout has its own account.
    assert_eq!(reason(try_branch(&bed, "topic").await.unwrap_err()).0, Some("no_changes"));
    write_in(&bed, "a", b"one\n2\n3\n4\nfive\n");
    bed.snapshot().await;
    assert_eq!(try_branch(&bed, "topic").await.unwrap().changes.len(), 1);
    assert_eq!(bed.preview().await.changes.len(), 2);
    let fresh = try_branch(&bed, "made/new").await.unwrap();
    assert_eq!(fresh.changes.len(), 2);
    assert_eq!(bed.base.run(&["rev-parse", "made/new^"]).await, bed.tree.base_commit);
}

#[tokio::test]
async fn a_branch_that_is_in_use_or_moves_is_left_alone() {
    let bed = Bed::new(&[("a", "1\n2\n3\n4\n5\n")]).await;
    write_in(&bed, "a", b"one\n2\n3\n4\n5\n");
    bed.snapshot().await;
    let code = |result: Result<Applied, IntegrationError>| result.unwrap_err().code();
    assert_eq!(code(try_branch(&bed, "main").await), "branch_checked_out");
    let linked = bed.base.dir.path().canonicalize().unwrap().join("linked");
    bed.base.run(&["worktree", "add", "-q", "-b", "side", linked.to_str().unwrap()]).await;
    assert_eq!(code(try_branch(&bed, "side").await), "branch_checked_out");
    for bad in ["-x", "a..b", "a b", "x.lock"] {
        assert_eq!(code(try_branch(&bed, bad).await), "invalid_argument", "{bad}");
    }
    bed.base.run(&["branch", "topic"]).await;
    let (repo, target) = (&bed.base.repo, onto("topic"));
    let seen = bed.integrations.preview_into(repo, &bed.worker, &target, &[]).await.unwrap();
    bed.base.write("z", b"z\n");
    let moved = bed.base.commit("moved").await;
    bed.base.run(&["branch", "-f", "topic", &moved]).await;
    let request = ApplyRequest { target, ..bed.request(&seen.token.unwrap()) };
    assert_eq!(code(bed.integrations.apply(repo, request).await), "preview_stale");
    assert_eq!(bed.base.run(&["rev-parse", "topic"]).await, moved);
}

#[tokio::test]
async fn an_undo_is_exact_and_the_work_can_come_again() {
    let bed =
        Bed::prepared(&[("a", "1\n2\n3\n4\n5\n"), ("dir/x", "x\n"), ("gone", "g\n")], |root| {
            link("a", &root.join("link"));
        })
        .await;
    bed.base.write("a", b"1\n2\n3\n4\nfive\n");
    std::fs::set_permissions(bed.root().join("gone"), PermissionsExt::from_mode(0o600)).unwrap();
    write_in(&bed, "a", b"one\n2\n3\n4\n5\n");
    std::fs::remove_dir_all(bed.tree.path.join("dir")).unwrap();
    write_in(&bed, "dir", b"file\n");
    std::fs::remove_file(bed.tree.path.join("gone")).unwrap();
    link("b", &bed.tree.path.join("link"));
    write_in(&bed, "new/deep", b"n\n");
    bed.snapshot().await;
    assert_eq!(reason(undo(&bed).await.unwrap_err()).0, Some("nothing_to_undo"));
    let before = bed.checkout();
    let yes = vec!["a".to_owned()];
    let preview = bed.integrations.preview(&bed.base.repo, &bed.worker, &yes).await.unwrap();
    let mut request = bed.request(&preview.token.unwrap());
    request.accepted_dirty = yes.clone();
    bed.integrations.apply(&bed.base.repo, request).await.unwrap();
    let after = bed.checkout();
    bed.base.write("unrelated", b"u\n");
    let undone = undo(&bed).await.unwrap();
    std::fs::remove_file(bed.root().join("unrelated")).unwrap();
    assert_eq!(bed.checkout(), before);
    assert!(!bed.root().join("new").exists());
    assert_eq!(undone.changes.len(), 6);
    assert_eq!(reason(undo(&bed).await.unwrap_err()).0, Some("nothing_to_undo"));
    let again = bed.integrations.preview(&bed.base.repo, &bed.worker, &[]).await.unwrap();
    assert_eq!(paths(&again.base_dirty_unaccepted), ["a"], "the user's edit needs a yes again");
    let mut request = bed.request(&again.token.unwrap());
    request.accepted_dirty = yes;
    bed.integrations.apply(&bed.base.repo, request).await.unwrap();
    assert_eq!(bed.checkout(), after);
}

#[tokio::test]
async fn an_undo_takes_back_the_last_one_and_no_edit_since() {
    let bed = Bed::new(&[("a", "1\n"), ("b", "1\n")]).await;
    for text in ["2\n", "3\n"] {
        write_in(&bed, "a", text.as_bytes());
        write_in(&bed, "b", text.as_bytes());
        bed.snapshot().await;
        bed.preview_and_apply().await;
    }
    bed.base.write("b", b"the user's\n");
    let files = bed.checkout();
    let refused = (Some("conflict"), vec!["edited_since b".to_owned()]);
    assert_eq!(reason(undo(&bed).await.unwrap_err()), refused);
    assert_eq!(bed.checkout(), files);
    bed.base.write("b", b"3\n");
    for expected in [b"2\n", b"1\n"] {
        undo(&bed).await.unwrap();
        assert_eq!(
            (read(bed.root(), "a"), read(bed.root(), "b")),
            (expected.into(), expected.into())
        );
    }
    let preview = bed.preview().await;
    assert_eq!((preview.can_apply, preview.changes.len()), (true, 2));
}

#[tokio::test]
async fn a_stale_token_undoes_nothing_and_a_key_undoes_once() {
    let bed = Bed::new(&[("a", "1\n")]).await;
    write_in(&bed, "a", b"2\n");
    bed.snapshot().await;
    bed.preview_and_apply().await;
    let repo = &bed.base.repo;
    let wrong = ApplyRequest { undo: true, ..bed.request("pvt_wrong") };
    let error = bed.integrations.apply(repo, wrong).await.unwrap_err();
    assert!(matches!(error, IntegrationError::PreviewStale(_)), "{error}");
    let token = bed.integrations.preview_undo(repo, &bed.worker).await.unwrap().token.unwrap();
    let key = Some("k".to_owned());
    let request = ApplyRequest { undo: true, idempotency_key: key, ..bed.request(&token) };
    assert!(!bed.integrations.apply(repo, request.clone()).await.unwrap().replay);
    bed.base.write("a", b"the user's\n");
    assert!(bed.integrations.apply(repo, request).await.unwrap().replay);
    assert_eq!(read(bed.root(), "a"), b"the user's\n");
}

async fn torn() -> (Bed, Preview) {
    let bed = Bed::new(&[("a", "1\n2\n3\n"), ("b", "b\n"), ("c", "c\n")]).await;
    for (name, text) in [("a", "1\nbase\n3\n"), ("c", "base\n")] {
        bed.base.write(name, text.as_bytes());
    }
    bed.base.commit("the base's").await;
    write_in(&bed, "a", b"1\nworker\n3\n");
    write_in(&bed, "c", b"worker\n");
    write_in(&bed, "b", b"worker\n");
    bed.snapshot().await;
    let preview = bed.preview().await;
    assert_eq!(conflicts(&preview), ["contents a", "contents c"]);
    (bed, preview)
}

#[tokio::test]
async fn a_worker_that_was_given_the_bases_side_merges_it() {
    let (bed, preview) = torn().await;
    let side = preview.conflicts[0].base.as_ref().unwrap();
    assert_eq!(side.text.as_deref(), Some("1\nbase\n3\n"));
    let (repo, target) = (&bed.base.repo, Target::Checkout);
    let handed = bed.integrations.hand_conflicts(repo, &bed.worker, &target).await.unwrap();
    let found = std::fs::read_dir(&bed.tree.tmp).unwrap().map(|entry| entry.unwrap().path());
    let base = found.last().unwrap().join("base");
    assert_eq!(read(&base, "a"), b"1\nbase\n3\n");
    assert!(handed.message.contains(base.to_str().unwrap()), "{}", handed.message);
    assert!(handed.message.contains("- c (contents)"), "{}", handed.message);
    // A path that is left alone stays a conflict: the base's edit is not overwritten unseen.
    write_in(&bed, "a", b"1\nbase and worker\n3\n");
    bed.snapshot().await;
    assert_eq!(conflicts(&bed.preview().await), ["contents c"]);
    write_in(&bed, "c", b"base\nworker\n");
    bed.snapshot().await;
    bed.preview_and_apply().await;
    for (name, text) in
        [("a", "1\nbase and worker\n3\n"), ("b", "worker\n"), ("c", "base\nworker\n")]
    {
        assert_eq!(read(bed.root(), name), text.as_bytes(), "{name}");
    }
    assert_eq!(bed.preview().await.reason, Some("no_changes"));
    let none = bed.integrations.hand_conflicts(repo, &bed.worker, &target).await.unwrap_err();
    assert_eq!(reason(none).0, Some("no_changes"));
}

#[tokio::test]
async fn an_edit_of_the_base_after_that_is_a_conflict_again() {
    let (bed, _) = torn().await;
    let (repo, target) = (&bed.base.repo, Target::Checkout);
    bed.integrations.hand_conflicts(repo, &bed.worker, &target).await.unwrap();
    write_in(&bed, "a", b"1\nboth\n3\n");
    write_in(&bed, "c", b"both\n");
    bed.snapshot().await;
    bed.base.write("a", b"1\nthird\n3\n");
    bed.base.commit("once more").await;
    assert_eq!(conflicts(&bed.preview().await), ["contents a"]);
}

#[tokio::test]
async fn a_link_of_the_worker_leads_the_bases_side_nowhere() {
    let (bed, _) = torn().await;
    let outside = bed.base.dir.path().canonicalize().unwrap().join("outside");
    std::fs::create_dir(&outside).unwrap();
    let tmp = bed.tree.tmp.clone();
    std::fs::remove_dir_all(&tmp).unwrap();
    symlink(&outside, &tmp).unwrap();
    let target = Target::Checkout;
    let given = bed.integrations.hand_conflicts(&bed.base.repo, &bed.worker, &target).await;
    assert!(given.is_err());
    assert_eq!(std::fs::read_dir(outside).unwrap().count(), 0);
    std::fs::remove_file(&tmp).unwrap();
}

#[tokio::test]
async fn only_files_that_the_applies_wrote_are_nobodys_edits() {
    let bed = Bed::new(&[("a", "1\n"), ("b", "1\n2\n3\n4\n5\n")]).await;
    bed.base.write("b", b"1\n2\n3\n4\nthe user's\n");
    write_in(&bed, "a", b"2\n");
    bed.snapshot().await;
    bed.preview_and_apply().await;
    write_in(&bed, "b", b"one\n2\n3\n4\n5\n");
    bed.snapshot().await;
    let preview = bed.preview().await;
    assert_eq!(paths(&preview.base_dirty_unaccepted), ["b"]);
    write_in(&bed, "a", b"3\n");
    write_in(&bed, "b", b"1\n2\n3\n4\n5\n");
    bed.snapshot().await;
    bed.preview_and_apply().await;
    assert_eq!(read(bed.root(), "a"), b"3\n");
}
