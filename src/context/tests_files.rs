//! Pages, trees and searches of real files.

use super::testbed::Bed;
use super::{ContextError, FileQuery, SearchQuery, TreeQuery};
use crate::config::Config;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::path::Path;

fn file(path: &str) -> FileQuery {
    FileQuery { path: path.to_owned(), ..FileQuery::default() }
}

fn text(query: &str) -> SearchQuery {
    SearchQuery { query: query.to_owned(), ..SearchQuery::default() }
}

#[tokio::test]
async fn files_come_byte_for_byte() {
    let bed = Bed::new().await;
    bed.write("crlf", "a\r\nb\r\n");
    let odd = OsStr::from_bytes(b"odd\xff");
    bed.write(Path::new(odd), "odd\n");
    let (context, workspace) = (bed.context(), bed.workspace().await);
    let page = context.read_file(&workspace, file("crlf")).await.unwrap();
    assert_eq!((page.text.as_str(), page.total_lines, page.bytes), ("a\r\nb\r\n", 2, 6));
    assert!(!page.truncated && page.next_start_byte.is_none());
    let absolute = bed.root.join("./crlf");
    let same = context.read_file(&workspace, file(absolute.to_str().unwrap())).await.unwrap();
    assert_eq!(same.sha256, page.sha256);
    let found = context.search(&workspace, text("odd")).await.unwrap();
    let exact = found.matches[0].path.path_b64.clone().unwrap();
    let query = FileQuery { path_b64: Some(exact), ..FileQuery::default() };
    let page = context.read_file(&workspace, query).await.unwrap();
    assert_eq!((page.text.as_str(), page.path.path.as_str()), ("odd\n", "odd\u{fffd}"));
}

#[tokio::test]
async fn pages_follow_each_other_and_keep_to_the_operators_bound() {
    let bed = Bed::new().await;
    let whole = "line with text\r\n".repeat(100);
    bed.write("f", &whole);
    let mut config = Config::default();
    config.security.max_read_bytes = 100;
    let (context, workspace) = (bed.context_with(config), bed.workspace().await);
    let (mut text, mut line) = (String::new(), Some(1));
    while let Some(start) = line {
        let query = FileQuery { start_line: Some(start), max_bytes: Some(1000), ..file("f") };
        let page = context.read_file(&workspace, query).await.unwrap();
        assert_eq!((page.max_bytes_applied, page.total_lines), (100, 100));
        assert_eq!(page.truncated, page.next_start_line.is_some());
        text.push_str(&page.text);
        line = page.next_start_line;
    }
    assert_eq!(text, whole);
}

#[tokio::test]
async fn what_is_no_readable_text_is_refused_by_name() {
    let bed = Bed::new().await;
    bed.write("bin", b"a\0b");
    bed.write("latin1", b"caf\xe9");
    bed.write(".env", "KEY=1");
    bed.write("dir/f", "x");
    bed.write("few", "1\n");
    std::fs::write(bed.dir.path().join("outside"), "secret").unwrap();
    symlink("../outside", bed.root.join("leak")).unwrap();
    symlink("nowhere", bed.root.join("dangling")).unwrap();
    symlink(".env", bed.root.join("alias")).unwrap();
    symlink("few", bed.root.join("fine")).unwrap();
    rustix::fs::mkfifoat(rustix::fs::CWD, bed.root.join("fifo"), 0o600.into()).unwrap();
    let big = std::fs::File::create(bed.root.join("big")).unwrap();
    big.set_len(65 << 20).unwrap();
    let (context, workspace) = (bed.context(), bed.workspace().await);
    for (path, code) in [
        ("bin", "not_text"),
        ("latin1", "not_text"),
        (".env", "path_blocked"),
        (".git/config", "path_blocked"),
        ("alias", "path_blocked"),
        ("leak", "path_escapes"),
        ("dangling", "path_escapes"),
        ("../outside", "path_escapes"),
        ("/etc/passwd", "path_escapes"),
        ("a\0b", "path_malformed"),
        ("none", "file_missing"),
        ("few/none", "file_missing"),
        ("dir", "not_a_file"),
        ("fifo", "not_a_file"),
        ("big", "file_too_large"),
    ] {
        let refused = context.read_file(&workspace, file(path)).await.unwrap_err();
        assert_eq!(refused.code(), code, "{path}: {refused}");
        assert!(!refused.to_string().contains("secret"));
    }
    assert_eq!(context.read_file(&workspace, file("fine")).await.unwrap().text, "1\n");
    let late = FileQuery { start_line: Some(3), ..file("few") };
    let refused = context.read_file(&workspace, late).await.unwrap_err();
    assert!(matches!(refused, ContextError::NoSuchLine { total_lines: 1, asked: 3, .. }));
}

#[tokio::test]
async fn trees_leave_out_what_is_ignored_hidden_or_blocked_and_count_the_rest() {
    let bed = Bed::new().await;
    for path in ["a/b/c/d", "target/x", ".hidden/y", ".env", "z"] {
        bed.write(path, "");
    }
    bed.write(".gitignore", "target/\n");
    symlink("a", bed.root.join("link")).unwrap();
    let (context, workspace) = (bed.context(), bed.workspace().await);
    let usual = || TreeQuery { max_depth: 2, ..TreeQuery::default() };
    let tree = context.tree(&workspace, usual()).await.unwrap();
    assert_eq!(tree.text, "./\n  a/\n    b/ (+1)\n  link@\n  z");
    assert_eq!((tree.entries, tree.omitted, tree.truncated), (4, 0, false));
    let all = TreeQuery { include_hidden: true, include_ignored: true, ..usual() };
    let tree = context.tree(&workspace, all).await.unwrap();
    let lines: Vec<&str> = tree.text.lines().map(str::trim).collect();
    assert!(lines.contains(&"target/") && lines.contains(&".hidden/"), "{lines:?}");
    assert!(!tree.text.contains(".env") && !tree.text.contains(".git/"));
    let few = TreeQuery { max_entries: Some(2), path: "./".to_owned(), ..usual() };
    let tree = context.tree(&workspace, few).await.unwrap();
    assert_eq!(tree.text, "./ (+1)\n  a/ (+1)\n  link@");
    assert_eq!((tree.omitted, tree.truncated), (2, true));
    let below = TreeQuery { path: "a/b".to_owned(), ..TreeQuery::default() };
    assert_eq!(context.tree(&workspace, below).await.unwrap().text, "a/b/\n  c/\n    d");
    let refused = context.tree(&workspace, TreeQuery { path: "z".to_owned(), ..usual() }).await;
    assert_eq!(refused.unwrap_err().code(), "not_a_directory");
}

#[tokio::test]
async fn matches_are_the_first_in_order_of_paths_however_the_threads_run() {
    let bed = Bed::new().await;
    for n in 0..300 {
        bed.write(format!("d{:02}/f{n:03}", n % 7), format!("x\nneedle {n}\nneedle again\n"));
    }
    bed.write("bin", "needle\0");
    let (context, workspace) = (bed.context(), bed.workspace().await);
    let first = context.search(&workspace, text("needle")).await.unwrap();
    assert_eq!((first.matches.len(), first.truncated), (100, true));
    let paths: Vec<&str> = first.matches.iter().map(|m| m.path.path.as_str()).collect();
    assert!(paths.is_sorted() && paths[0] == "d00/f000");
    for _ in 0..10 {
        let again = context.search(&workspace, text("needle")).await.unwrap();
        assert_eq!(again.matches, first.matches);
    }
    let narrow = SearchQuery { glob: Some("d01/*".to_owned()), ..text("needle 1") };
    let found = context.search(&workspace, narrow).await.unwrap();
    assert!(!found.truncated && found.matches.iter().all(|m| m.path.path.starts_with("d01/")));
    assert_eq!((found.matches[0].line, found.matches[0].column), (2, 1));
    assert_eq!(found.files_searched, 43);
    let one = SearchQuery { path: "d00/f000".to_owned(), ..text("needle") };
    assert_eq!(context.search(&workspace, one).await.unwrap().matches.len(), 2);
}

#[tokio::test]
async fn a_query_is_never_an_option_and_a_search_ends_in_time() {
    let bed = Bed::new().await;
    bed.write("f", "--pre=touch marker\n-e\n");
    let (context, workspace) = (bed.context(), bed.workspace().await);
    for query in ["--pre=touch", "-e"] {
        let found = context.search(&workspace, text(query)).await.unwrap();
        assert_eq!(found.matches.len(), 1, "{query}");
    }
    for n in 0..2000 {
        bed.write(format!("many/{n}"), "hay\n".repeat(500));
    }
    let hurried = SearchQuery { timeout_ms: Some(1), ..text("needle") };
    let found = context.search(&workspace, hurried).await.unwrap();
    assert!(found.timed_out && found.truncated && found.suggested_next.is_some());
    assert!(found.files_searched < 2000, "{}", found.files_searched);
    for (query, code) in [(text(""), "invalid_argument"), (text("a\nb"), "invalid_pattern")] {
        assert_eq!(context.search(&workspace, query).await.unwrap_err().code(), code);
    }
}
