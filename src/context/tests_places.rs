//! Which repository is meant, what is refused, what is listed.

use super::testbed::{Bed, tmp};
use super::{Context, ContextError, ListQuery, TreeQuery};
use crate::config::Config;
use crate::git::Git;
use crate::paths::{AllowedRoots, Env};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::Arc;

fn over(roots: &[&Path], git: &Git) -> Context {
    let roots = AllowedRoots::new(roots.iter().map(|r| r.to_path_buf())).unwrap();
    Context::new(Arc::new(Config::default()), roots, git.clone()).unwrap()
}

#[tokio::test]
async fn a_directory_inside_names_its_repository_and_nothing_outside_is_named() {
    let bed = Bed::new().await;
    bed.write("src/a", "a");
    bed.commit().await;
    let context = bed.context();
    let by = |selector: &'static str| {
        let context = context.clone();
        async move { context.repo(Some(selector)).await.map(|repo| repo.root) }
    };
    assert_eq!(context.repo(None).await.unwrap().root, bed.root);
    assert_eq!(by("src").await.unwrap(), bed.root);
    for (selector, code) in
        [("/etc", "not_allowed"), ("..", "not_allowed"), ("none", "no_such_directory")]
    {
        assert_eq!(by(selector).await.unwrap_err().code(), code, "{selector}");
    }
    let none = Context::new(Arc::new(Config::default()), AllowedRoots::default(), bed.git.clone());
    assert_eq!(none.unwrap().repo(None).await.unwrap_err().code(), "no_repository_configured");
}

#[tokio::test]
async fn a_repository_that_reaches_above_the_roots_is_read_as_a_plain_directory() {
    let bed = Bed::new().await;
    bed.write("secret", "top");
    bed.write("inner/file", "mine");
    bed.commit().await;
    let inner = bed.root.join("inner");
    let context = over(&[&inner], &bed.git);
    assert_eq!(context.repo(None).await.unwrap_err().code(), "repository_above_roots");
    let workspace = context.workspace(None).await.unwrap();
    assert_eq!((workspace.root.as_path(), workspace.repo.is_none()), (inner.as_path(), true));
    let status = context.git_status(&workspace).await.unwrap_err();
    assert_eq!(status.code(), "not_a_repository");
}

#[tokio::test]
async fn a_config_that_moves_the_working_tree_does_not_move_the_root() {
    let bed = Bed::new().await;
    bed.write("a", "a");
    bed.commit().await;
    let elsewhere = bed.dir.path().join("elsewhere");
    std::fs::create_dir(&elsewhere).unwrap();
    bed.run("config", &["core.worktree", elsewhere.to_str().unwrap()]).await;
    let refused = bed.context().repo(None).await.unwrap_err();
    assert_eq!(refused.code(), "repository_above_roots");
}

#[tokio::test]
async fn what_git_refuses_is_said_in_its_own_words() {
    let bed = Bed::new().await;
    bed.commit().await;
    std::fs::write(bed.root.join(".git/config"), "[core\n").unwrap();
    let refused = bed.context().repo(None).await.unwrap_err();
    assert!(matches!(&refused, ContextError::Refused { said, .. } if said.contains("config")));
    let plain = tmp();
    let root = plain.path().join("plain");
    std::fs::create_dir(&root).unwrap();
    // Without a ceiling git would find the repository that this test runs in.
    let path = Env::from_process().get("PATH").unwrap().to_os_string();
    let git = Git::new(&Env::of([("PATH", path)]));
    let code = over(&[&root], &git).repo(None).await.unwrap_err().code();
    assert!(matches!(code, "not_a_repository" | "repository_above_roots"), "{code}");
}

#[tokio::test]
async fn private_directories_are_hidden_even_below_a_root() {
    let bed = Bed::new().await;
    bed.write("state/token", "secret");
    bed.write("a", "secret");
    let context = bed.context().hide(&bed.root.join("state"));
    let workspace = context.workspace(None).await.unwrap();
    let query = |path: &str| super::FileQuery { path: path.to_owned(), ..Default::default() };
    let refused = context.read_file(&workspace, query("state/token")).await.unwrap_err();
    assert_eq!(refused.code(), "path_blocked");
    assert_eq!(context.repo(Some("state")).await.unwrap_err().code(), "not_allowed");
    let tree = context.tree(&workspace, TreeQuery::default()).await.unwrap();
    assert_eq!(tree.text, "./\n  a");
    let search = super::SearchQuery { query: "secret".to_owned(), ..Default::default() };
    let found = context.search(&workspace, search).await.unwrap();
    assert_eq!(found.matches.len(), 1);
    symlink("state/token", bed.root.join("link")).unwrap();
    let refused = context.read_file(&workspace, query("link")).await.unwrap_err();
    assert_eq!(refused.code(), "path_blocked");
}

#[tokio::test]
async fn repositories_below_a_plain_root_are_discovered_in_order() {
    let bed = Bed::new().await;
    bed.write("AGENTS.md", "be nice");
    bed.commit().await;
    for name in ["b", "x/a", "node_modules/no", ".hidden/no"] {
        let path = bed.dir.path().join(name);
        bed.git.run(bed.dir.path(), "init").arg("-q").arg(&path).ok().await.unwrap();
    }
    symlink(&bed.root, bed.dir.path().join("link")).unwrap();
    let context = over(&[bed.dir.path()], &bed.git);
    let list = context.list(&ListQuery::default()).await.unwrap();
    let names: Vec<&str> = list.workspaces.iter().skip(1).map(|w| w.name.as_str()).collect();
    assert_eq!(names, ["b", "repo", "a"]);
    assert_eq!((list.configured_count, list.discovered_count, list.truncated), (1, 3, false));
    assert!(list.workspaces[0].default && list.workspaces[0].workspace_id.is_some());
    let git = list.workspaces[2].git.clone().unwrap();
    assert_eq!((git.branch.as_deref(), git.dirty), (Some("main"), Some(false)));
    let one = ListQuery { query: Some("REPO".to_owned()), ..ListQuery::default() };
    let one = context.list(&one).await.unwrap();
    assert_eq!(one.workspaces.iter().filter(|w| w.source == "discovered").count(), 1);
    let first = ListQuery { max_results: 1, ..ListQuery::default() };
    assert!(context.list(&first).await.unwrap().truncated);
}

#[tokio::test]
async fn opening_names_instructions_nearest_first_and_counts_what_is_uncommitted() {
    let bed = Bed::new().await;
    bed.write("z/AGENTS.md", "inner");
    bed.write("AGENTS.md", "outer");
    bed.write(".gitignore", "ignored/");
    bed.commit().await;
    bed.write("ignored/AGENTS.md", "no");
    bed.write("AGENTS.md", "changed");
    bed.write("new", "new");
    let context = bed.context();
    let workspace = bed.workspace().await;
    let view = context.open(&workspace, Some(TreeQuery::default())).await.unwrap();
    assert_eq!(view.agents_files, ["AGENTS.md", "z/AGENTS.md"]);
    assert_eq!(
        (view.git.unstaged, view.git.untracked, view.git.dirty),
        (Some(1), Some(1), Some(true))
    );
    assert_eq!(view.tree.unwrap().text, "./\n  AGENTS.md\n  new\n  z/\n    AGENTS.md");
    assert!(view.workspace_id.starts_with("ws_") && view.workspace_id.len() == 27);
}
