//! What a repository of 50,000 files costs: snapshot, tree, search.

use crate::Effort;
use crate::house::House;
use crate::pairs::{About, Pairs};
use crate::place;
use crate::report::{Bound, Row};
use patchbay::config::{Config, SecurityConfig};
use patchbay::context::{Context, SearchQuery, TreeQuery, Workspace};
use patchbay::git::{Git, Repo};
use patchbay::ids::WorkerId;
use patchbay::paths::{AllowedRoots, Env};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Instant;

const DIRECTORIES: usize = 500;
const EACH: usize = 100;
/// Files that are written anew before each snapshot.
const CHANGED: usize = 20;

pub(crate) async fn rows(effort: Effort) -> Vec<Row> {
    let room = place::room();
    let root = room.path().join("repository");
    make(&root);
    let env = [("PATH", "/usr/local/bin:/usr/bin:/bin"), ("GIT_CONFIG_GLOBAL", "/dev/null")];
    let git = Git::new(&Env::of(env));
    let mut rows = Vec::new();
    if let Some(ripgrep) = place::ripgrep() {
        rows.extend(reading(&root, &git, &ripgrep, effort).await);
    } else {
        eprintln!("tree and search: no ripgrep beside PATCHBAY_CODEX, not measured");
    }
    rows.push(snapshot(&root, &git, effort).await);
    rows
}

/// Makes a repository of one commit without writing one object a file.
fn make(root: &Path) {
    std::fs::create_dir_all(root).unwrap();
    place::git(root, &["init", "-q", "-b", "main"]);
    let stream = root.with_file_name("stream");
    std::fs::write(&stream, import()).unwrap();
    let input = std::fs::File::open(&stream).unwrap();
    let mut command = place::git_command(root, &["fast-import", "--quiet"]);
    assert!(command.stdin(input).status().unwrap().success());
    place::git(root, &["reset", "-q", "--hard"]);
    std::fs::remove_file(stream).unwrap();
}

/// The commit as `git fast-import` reads it: text that looks a little like a program.
fn import() -> String {
    let mut text = "commit refs/heads/main\ncommitter b <b@example.invalid> 1700000000 +0000\n\
                    data 5\nfirst\n"
        .to_owned();
    for file in 0..DIRECTORIES * EACH {
        let (directory, name) = (file / EACH, file % EACH);
        let mut content = String::new();
        for line in 0..20 {
            let word = (file * 31 + line * 17) % 977;
            // Writing to a string cannot fail.
            let _ =
                writeln!(content, "fn name_{word}_{line}(value: u64) -> u64 {{ value + {word} }}");
        }
        if file % 1000 == 7 {
            content.push_str("// the needle in the haystack\n");
        }
        let path = format!("part{}/dir{directory}/file{name}.rs", directory % 10);
        let _ = write!(text, "M 100644 inline {path}\ndata {}\n{content}\n", content.len());
    }
    text
}

async fn reading(root: &Path, git: &Git, ripgrep: &Path, effort: Effort) -> Vec<Row> {
    let config = Config {
        security: SecurityConfig { max_search_results: 1000, ..SecurityConfig::default() },
        ..Config::default()
    };
    let roots = AllowedRoots::new([root.to_path_buf()]).unwrap();
    let context = Context::new(Arc::new(config), roots, git.clone()).unwrap();
    let workspace = context.workspace(None).await.unwrap();
    let (mut trees, mut literals, mut patterns) =
        (Pairs::default(), Pairs::default(), Pairs::default());
    for _ in 0..effort.of(15) {
        let ours = tree(&context, &workspace).await;
        trees.push(ours, run(ripgrep, root, &["--files", "--sort", "path"]));
        let ours = search(&context, &workspace, "needle in the", false).await;
        literals.push(ours, run(ripgrep, root, &["-n", "-F", "needle in the"]));
        let pattern = r"\bneed[a-z]+\s+in\b";
        let ours = search(&context, &workspace, pattern, true).await;
        patterns.push(ours, run(ripgrep, root, &["-n", pattern]));
    }
    let about = About {
        key: "tree",
        what: "tree, 50,000 files",
        unit: "ms",
        comparator: "rg --files --sort path",
        limit: Some(1.2),
        bound: Bound::Ratio,
    };
    let search = About { key: "search", what: "search, 50,000 files", comparator: "rg", ..about };
    let pattern = About { key: "search_pattern", what: "the same, regular expression", ..search };
    vec![trees.cost(about), literals.cost(search), patterns.cost(pattern)]
}

async fn tree(context: &Context, workspace: &Workspace) -> f64 {
    let begun = Instant::now();
    let query = TreeQuery { max_depth: 8, ..TreeQuery::default() };
    let view = context.tree(workspace, query).await.unwrap();
    assert!(view.omitted + view.entries > DIRECTORIES * EACH && !view.timed_out);
    begun.elapsed().as_secs_f64() * 1e3
}

async fn search(context: &Context, workspace: &Workspace, text: &str, regex: bool) -> f64 {
    let begun = Instant::now();
    let query = SearchQuery { query: text.to_owned(), regex, ..SearchQuery::default() };
    let found = context.search(workspace, query).await.unwrap();
    assert_eq!(found.matches.len(), DIRECTORIES * EACH / 1000);
    begun.elapsed().as_secs_f64() * 1e3
}

/// Milliseconds of a program whose output nobody reads.
fn run(program: &Path, dir: &Path, args: &[&str]) -> f64 {
    let begun = Instant::now();
    let mut command = Command::new(program);
    command.arg("--no-config").args(args).arg("./").current_dir(dir);
    // A pipe, because a search that is not read looks for the first match only.
    let done = command.stdin(Stdio::null()).output().unwrap();
    assert!(done.status.success() && !done.stdout.is_empty());
    begun.elapsed().as_secs_f64() * 1e3
}

async fn snapshot(root: &Path, git: &Git, effort: Effort) -> Row {
    let house = House::open().await;
    let (worker, _) = house.worker("Ada").await;
    let repo = Repo::open(git, root).await.unwrap();
    let tree = house.app.worktrees.create(&repo, &worker).await.unwrap().path;
    let index = place::git(&tree, &["rev-parse", "--path-format=absolute", "--git-path", "index"]);
    let index = PathBuf::from(String::from_utf8(index).unwrap().trim());
    let mut pairs = Pairs::default();
    for round in 0..effort.of(15) {
        write(&tree, round, "ours");
        let ours = ours(&house, &repo, &worker).await;
        write(&tree, round, "theirs");
        pairs.push(ours, plain(&tree, &index));
    }
    house.close().await;
    pairs.cost(About {
        key: "snapshot",
        what: "snapshot, 50,000 files",
        unit: "ms",
        comparator: "git add -A, write-tree",
        limit: Some(1.3),
        bound: Bound::Ratio,
    })
}

fn write(tree: &Path, round: usize, who: &str) {
    for n in 0..CHANGED {
        let path = format!("part{}/dir{}/file{n}.rs", n % 10, n % 10 + 10 * n);
        std::fs::write(tree.join(path), format!("{who} {round} {n}\n")).unwrap();
    }
}

async fn ours(house: &House, repo: &Repo, worker: &WorkerId) -> f64 {
    let begun = Instant::now();
    house.app.worktrees.snapshot(repo, worker, None).await.unwrap();
    begun.elapsed().as_secs_f64() * 1e3
}

/// The two commands of git on a copy of the index, its time kept as the snapshot keeps it.
fn plain(tree: &Path, index: &Path) -> f64 {
    let begun = Instant::now();
    let copy = index.with_file_name("bench-index");
    std::fs::copy(index, &copy).unwrap();
    let time = index.metadata().unwrap().modified().unwrap();
    let file = std::fs::File::options().write(true).open(&copy).unwrap();
    file.set_modified(time).unwrap();
    for args in [&["add", "-A"][..], &["write-tree"]] {
        let mut command = place::git_command(tree, args);
        command.env("GIT_INDEX_FILE", &copy).stdout(Stdio::null());
        assert!(command.status().unwrap().success());
    }
    let took = begun.elapsed().as_secs_f64() * 1e3;
    std::fs::remove_file(copy).unwrap();
    took
}
