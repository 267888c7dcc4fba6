//! Status and differences of real repositories, hostile and unusual ones included.

use super::testbed::Bed;
use super::{Context, DiffQuery, ListQuery, Workspace};
use crate::config::Config;
use crate::paths::AllowedRoots;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

const PATCH: DiffQuery =
    DiffQuery { path: String::new(), path_b64: None, staged: false, max_bytes: 100_000 };

/// Reads everything there is to read.
async fn read_all(context: &Context, workspace: &Workspace) {
    context.open(workspace, Some(super::TreeQuery::default())).await.unwrap();
    context.list(&ListQuery::default()).await.unwrap();
    context.git_status(workspace).await.unwrap();
    for staged in [false, true] {
        let query = DiffQuery { staged, ..PATCH };
        context.git_diff(workspace, &query).await.unwrap();
        context.show_changes(workspace, &query).await.unwrap();
    }
    let search = super::SearchQuery { query: "a".to_owned(), ..Default::default() };
    context.search(workspace, search).await.unwrap();
    let file = super::FileQuery { path: "same".to_owned(), ..Default::default() };
    context.read_file(workspace, file).await.unwrap();
}

#[tokio::test]
async fn counts_are_exact_whatever_the_patch_shows() {
    let bed = Bed::new().await;
    bed.write("a", "1\n2\n3\n");
    bed.write("moved", "same\n".repeat(20));
    bed.write("bin", b"\0\x01");
    bed.write("run.sh", "echo\n");
    bed.write(".env", "KEY=old\n");
    bed.commit().await;
    bed.write("a", "1\ntwo\n3\n4\n");
    bed.write("bin", b"\0\x02");
    bed.write(".env", "KEY=secret\n");
    bed.write("new file", "x\n");
    std::fs::set_permissions(bed.root.join("run.sh"), PermissionsExt::from_mode(0o755)).unwrap();
    bed.run("mv", &["moved", "there"]).await;
    let (context, workspace) = (bed.context(), bed.workspace().await);
    let diff = context.git_diff(&workspace, &PATCH).await.unwrap();
    assert_eq!((diff.additions, diff.deletions, diff.files_total), (2, 1, 3));
    assert_eq!((diff.untracked, diff.truncated), (1, false));
    assert!(diff.diff.contains("+two") && !diff.diff.contains("secret"), "{}", diff.diff);
    assert!(diff.notes.iter().any(|n| n.contains("blocked")), "{:?}", diff.notes);
    assert!(diff.notes.iter().any(|n| n.contains("staged=true")), "{:?}", diff.notes);
    assert!(diff.files_changed[1].binary);
    assert_eq!(diff.files_changed[2].mode_change.as_deref(), Some("100644 100755"));
    let none = DiffQuery { max_bytes: 0, ..PATCH };
    let shown = context.show_changes(&workspace, &none).await.unwrap();
    assert!(shown.changed && shown.diff.is_empty());
    assert_eq!((shown.additions, shown.deletions), (2, 1));
    let cut = DiffQuery { max_bytes: 150, ..PATCH };
    let cut = context.git_diff(&workspace, &cut).await.unwrap();
    assert!(cut.truncated && cut.diff.len() <= 150 && cut.diff.ends_with('\n'));
    assert_eq!((cut.additions, cut.deletions), (2, 1));
    let staged = DiffQuery { staged: true, ..PATCH };
    let staged = context.git_diff(&workspace, &staged).await.unwrap();
    assert_eq!(staged.files_changed[0].kind, "renamed");
    assert_eq!(staged.files_changed[0].old_path.as_deref(), Some("moved"));
    let status = context.git_status(&workspace).await.unwrap();
    let lines: Vec<String> =
        status.changes.iter().map(|c| format!("{}|{}", c.status, c.path.path)).collect();
    assert_eq!(lines, [" M|a", " M|bin", "??|new file", " M|run.sh", "R |there"]);
    assert_eq!((status.blocked, status.git.unstaged, status.git.staged), (1, Some(4), Some(1)));
}

#[tokio::test]
async fn a_scope_is_a_path_and_no_pattern() {
    let bed = Bed::new().await;
    let odd = Path::new(OsStr::from_bytes(b"odd\xff"));
    for path in ["sub/a", "sub2/a", ":(top)x", "*"] {
        bed.write(path, "1\n");
    }
    bed.write(odd, "1\n");
    bed.commit().await;
    for path in ["sub/a", "sub2/a", ":(top)x", "*"] {
        bed.write(path, "2\n");
    }
    bed.write(odd, "2\n");
    let (context, workspace) = (bed.context(), bed.workspace().await);
    for path in ["sub", "sub/a", ":(top)x", "*"] {
        let query = DiffQuery { path: path.to_owned(), ..PATCH };
        let diff = context.git_diff(&workspace, &query).await.unwrap();
        assert_eq!(diff.files_total, 1, "{path}");
        let shown = context.show_changes(&workspace, &query).await.unwrap();
        assert_eq!(shown.status.len(), 1, "{path}");
    }
    let all = context.git_diff(&workspace, &PATCH).await.unwrap();
    assert_eq!(all.files_total, 5);
    let exact = all.files_changed.iter().find_map(|f| f.path.path_b64.clone());
    let query = DiffQuery { path_b64: exact, ..PATCH };
    assert_eq!(context.git_diff(&workspace, &query).await.unwrap().files_total, 1);
    let gone = DiffQuery { path: "none".to_owned(), ..PATCH };
    assert!(!context.git_diff(&workspace, &gone).await.unwrap().changed);
    for bad in ["../x", ".env", ".git/config"] {
        let query = DiffQuery { path: bad.to_owned(), ..PATCH };
        assert!(context.git_diff(&workspace, &query).await.is_err(), "{bad}");
    }
}

#[tokio::test]
async fn conflicts_and_first_commits_are_told() {
    let bed = Bed::new().await;
    let context = bed.context();
    bed.write("f", "new\n");
    bed.run("add", &["f"]).await;
    let workspace = bed.workspace().await;
    let staged = DiffQuery { staged: true, ..PATCH };
    let first = context.git_diff(&workspace, &staged).await.unwrap();
    assert_eq!((first.additions, first.files_changed[0].kind), (1, "added"));
    let status = context.git_status(&workspace).await.unwrap();
    assert_eq!((status.git.commit, status.git.staged), (None, Some(1)));
    bed.commit().await;
    bed.run("checkout", &["-q", "-b", "other"]).await;
    bed.write("f", "theirs\n");
    bed.commit().await;
    bed.run("checkout", &["-q", "main"]).await;
    bed.write("f", "ours\n");
    bed.commit().await;
    let merged = bed.git.run(&bed.root, "merge").arg("other").output().await.unwrap();
    assert_ne!(merged.code, 0);
    let status = context.git_status(&workspace).await.unwrap();
    assert_eq!((status.git.conflicted, status.git.operation), (Some(1), Some("merge")));
    let diff = context.git_diff(&workspace, &PATCH).await.unwrap();
    assert_eq!(diff.files_changed[0].kind, "conflicted");
    assert!(diff.diff.contains("<<<<<<<"), "{}", diff.diff);
}

#[tokio::test]
async fn reading_changes_no_byte_of_the_repository() {
    let bed = Bed::new().await;
    bed.write("same", "a\n");
    bed.write("changed", "a\n");
    bed.commit().await;
    bed.write("changed", "b\n");
    // A file that was only touched makes `git diff` rewrite the index.
    let touched = std::fs::File::options().write(true).open(bed.root.join("same")).unwrap();
    touched.set_modified(std::time::UNIX_EPOCH).unwrap();
    let before = bed.bytes();
    let (context, workspace) = (bed.context(), bed.workspace().await);
    read_all(&context, &workspace).await;
    assert!(bed.bytes() == before);
    let diff = context.git_diff(&workspace, &PATCH).await.unwrap();
    assert_eq!(diff.files_total, 1);
    bed.run("diff", &["--no-ext-diff"]).await;
    assert!(bed.bytes() != before, "the index was not due for a refresh");
}

#[tokio::test]
async fn nothing_of_a_hostile_repository_runs() {
    let bed = Bed::new().await;
    let marker = bed.dir.path().join("ran");
    let script = bed.dir.path().join("evil.sh");
    let body = format!("#!/bin/sh\ntouch '{}'\ncat\n", marker.display());
    std::fs::write(&script, body).unwrap();
    std::fs::set_permissions(&script, PermissionsExt::from_mode(0o755)).unwrap();
    bed.write("same", "a\n");
    bed.write("included", "a\n");
    bed.write("odd", "a\n");
    let attributes: &[u8] =
        b"same filter=evil diff=evil\nincluded filter=more\nodd filter=o\xff.=\n";
    bed.write(".gitattributes", attributes);
    bed.commit().await;
    let evil = script.to_str().unwrap();
    for key in [
        "core.fsmonitor",
        "core.pager",
        "core.sshCommand",
        "core.editor",
        "diff.external",
        "diff.evil.command",
        "diff.evil.textconv",
        "filter.evil.clean",
        "filter.evil.smudge",
        "gpg.program",
        "credential.helper",
    ] {
        bed.run("config", &[key, evil]).await;
    }
    bed.write(".git/more", format!("[filter \"more\"]\n\tprocess = {evil}\n\trequired = true\n"));
    bed.run("config", &["include.path", "more"]).await;
    let mut config = std::fs::read(bed.root.join(".git/config")).unwrap();
    config.extend(b"[filter \"o\xff.=\"]\n\tclean = ");
    config.extend(evil.bytes());
    std::fs::write(bed.root.join(".git/config"), config).unwrap();
    for hook in ["post-index-change", "fsmonitor-watchman", "post-checkout"] {
        let path = bed.root.join(".git/hooks").join(hook);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::copy(&script, path).unwrap();
    }
    // Equal size, so that git has to look at the content.
    for file in ["same", "included", "odd"] {
        bed.write(file, "b\n");
    }
    let (context, workspace) = (bed.context(), bed.workspace().await);
    read_all(&context, &workspace).await;
    assert!(!marker.exists());
    let status = context.git_status(&workspace).await.unwrap();
    assert_eq!(status.git.unstaged, Some(3));
    assert!(status.git.notes.iter().any(|n| n.contains("evil, more")), "{:?}", status.git.notes);
    // The same repository does run its programs for a git that is not told otherwise.
    let _ = bed.git.run(&bed.root, "status").output().await.unwrap();
    assert!(marker.exists());
}

#[tokio::test]
async fn unusual_repositories_are_read_alike() {
    for init in [["--ref-format=reftable"], ["--object-format=sha256"]] {
        let bed = Bed::with(&init).await;
        bed.write("same", "a\n");
        bed.write("sub/x", "a\n");
        bed.commit().await;
        bed.run("sparse-checkout", &["set", "--cone", "--sparse-index", "sub"]).await;
        bed.write("same", "b\n");
        let (context, workspace) = (bed.context(), bed.workspace().await);
        read_all(&context, &workspace).await;
        let status = context.git_status(&workspace).await.unwrap();
        assert_eq!(status.git.branch.as_deref(), Some("main"), "{init:?}");
        assert_eq!((status.git.unstaged, status.git.untracked), (Some(1), Some(0)), "{init:?}");
    }
}

#[tokio::test]
async fn a_linked_worktree_is_a_root_like_any_other() {
    let bed = Bed::new().await;
    bed.write("same", "a\n");
    bed.commit().await;
    bed.run("worktree", &["add", "-q", "--detach", "../linked"]).await;
    let linked = bed.dir.path().join("linked");
    std::fs::write(linked.join("same"), "b\n").unwrap();
    let roots = AllowedRoots::new([linked.clone()]).unwrap();
    let context = Context::new(Arc::new(Config::default()), roots, bed.git.clone()).unwrap();
    let workspace = context.workspace(None).await.unwrap();
    read_all(&context, &workspace).await;
    let status = context.git_status(&workspace).await.unwrap();
    assert_eq!((status.git.branch, status.git.unstaged), (None, Some(1)));
    let repo = workspace.repo.unwrap();
    assert_eq!(repo.key, bed.workspace().await.repo.unwrap().key);
    let tree = super::TreeQuery { include_hidden: true, ..Default::default() };
    let workspace = context.workspace(None).await.unwrap();
    assert_eq!(context.tree(&workspace, tree).await.unwrap().text, "./\n  same");
}
