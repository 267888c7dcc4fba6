//! One row for each kind of change, name, filter and base. Each ends in an exact apply, or in a refusal
//! that names the path and the reason.

use super::*;
use crate::git::{Entry, MODE_LINK};
use std::collections::{BTreeMap, BTreeSet};

mod bases;
mod filters;
mod refusals;
mod work;

/// Runs of git, each with its arguments.
type Runs = &'static [&'static [&'static str]];

/// What must come of a row.
#[derive(Debug, Clone, Copy)]
enum End {
    Exact,
    /// These conflicts, as `kind path`.
    Refused(&'static [&'static str]),
}

/// A base, what the worker did, what happened in the base meanwhile, and how it ends.
#[derive(Debug, Clone, Copy)]
struct Row {
    name: &'static str,
    init: &'static [&'static str],
    /// The user's own configuration of git.
    user: &'static str,
    /// Writes what is committed before the worker begins.
    files: fn(&Path),
    /// Runs in the base before the worker begins.
    before: Runs,
    work: fn(&Path),
    /// Runs in the worktree after the work.
    worker_git: Runs,
    meanwhile: fn(&Path),
    /// Runs in the base after that; one of them may fail, as a merge with conflicts does.
    base_git: Runs,
    end: End,
}

fn nothing(_: &Path) {}

const ROW: Row = Row {
    name: "",
    init: &[],
    user: "",
    files: |top| write(top, "a", b"1\n2\n3\n"),
    before: &[],
    work: nothing,
    worker_git: &[],
    meanwhile: nothing,
    base_git: &[],
    end: End::Exact,
};

/// Runs the rows, and names every one that does not end as it should.
async fn rows(rows: &[Row]) {
    let mut wrong = Vec::new();
    for row in rows {
        if let Err(why) = run(row).await {
            wrong.push(format!("{}: {why}", row.name));
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), rows.len(), wrong.join("\n"));
}

async fn run(row: &Row) -> Result<(), String> {
    let base = TestRepo::with(row.init, &[]).await;
    std::fs::write(base.state_path().with_file_name(".gitconfig"), row.user).unwrap();
    (row.files)(&base.repo.root);
    base.commit("files").await;
    for args in row.before {
        base.run(args).await;
    }
    let bed = Bed::over(base).await;
    (row.work)(&bed.tree.path);
    for args in row.worker_git {
        let run = bed.base.git.run(&bed.tree.path, args[0]).args(&args[1..]);
        run.ok().await.map_err(|e| e.to_string())?;
    }
    bed.snapshot().await;
    (row.meanwhile)(bed.root());
    for args in row.base_git {
        let run = bed.base.git.run(bed.root(), args[0]).args(&args[1..]);
        run.output().await.map_err(|e| e.to_string())?;
    }
    match row.end {
        End::Exact => exact(&bed).await.map(drop),
        End::Refused(expected) => refused(&bed, expected).await,
    }
}

pub(super) type Files = BTreeMap<PathBuf, (u32, Vec<u8>)>;

pub(super) fn by_path(root: &Path) -> Files {
    files_of(root).into_iter().map(|(path, mode, bytes)| (path, (mode, bytes))).collect()
}

/// The base's index file, HEAD, and refs but our own.
async fn git_state(bed: &Bed) -> (Vec<u8>, String) {
    let index = std::fs::read(bed.base.repo.git_dir.join("index")).unwrap_or_default();
    let refs = bed.base.run(&["show-ref", "--head"]).await;
    let refs: Vec<&str> = refs.lines().filter(|line| !line.contains(" refs/patchbay/")).collect();
    (index, refs.join("\n"))
}

pub(super) async fn entries(bed: &Bed, tree: &str) -> BTreeMap<GitPath, Entry> {
    bed.base.repo.entries(tree).await.unwrap().into_iter().collect()
}

/// The tree of the base's files, as plain git sees them.
async fn tree_on_disk(bed: &Bed) -> String {
    let copy = bed.base.state_path().with_file_name("look-index");
    let _ = std::fs::remove_file(&copy);
    std::fs::copy(bed.base.repo.git_dir.join("index"), &copy).unwrap();
    let run = |verb: &str| bed.base.git.run(bed.root(), verb).env("GIT_INDEX_FILE", &copy);
    let add = |verb| run(verb).config("core.safecrlf=false").args(["-A", "--sparse"]);
    if add("add").output().await.unwrap().code != 0 {
        // A file in another encoding than its attribute says: what the index has of it stays.
        let but = add("add").env("GIT_LITERAL_PATHSPECS", "0").args(["--", ".", ":(exclude)*.u16"]);
        but.ok().await.unwrap();
    }
    run("write-tree").ok().await.unwrap().line()
}

/// The trees of an exact apply: of the base before and after, and the worker's.
pub(super) struct Exactly {
    pub(super) was: BTreeMap<GitPath, Entry>,
    pub(super) is: BTreeMap<GitPath, Entry>,
    pub(super) theirs: BTreeMap<GitPath, Entry>,
}

/// Previews and applies, with a yes to every uncommitted edit, and demands that it was exact.
async fn exact(bed: &Bed) -> Result<Exactly, String> {
    let yes = ["*".to_owned()];
    let preview = bed.integrations.preview(&bed.base.repo, &bed.worker, &yes).await;
    exact_as(bed, &preview.map_err(|e| format!("no preview: {e}"))?).await
}

/// Applies what was previewed.
pub(super) async fn exact_as(
    bed: &Bed,
    preview: &super::super::Preview,
) -> Result<Exactly, String> {
    if !preview.can_apply {
        return Err(format!("{:?} {:?}", preview.reason, conflicts(preview)));
    }
    let (files, git) = (by_path(bed.root()), git_state(bed).await);
    let mut request = bed.request(preview.token.as_ref().unwrap());
    request.accepted_dirty = vec!["*".to_owned()];
    let applied = bed.integrations.apply(&bed.base.repo, request).await;
    let applied = applied.map_err(|e| format!("not applied: {e}"))?;
    same(&git, &git_state(bed).await, "index, HEAD or refs")?;
    same(&tree_on_disk(bed).await, &applied.tree_after, "the tree on the disk")?;
    let was = entries(bed, &applied.tree_before).await;
    let is = entries(bed, &applied.tree_after).await;
    let theirs = entries(bed, &applied.snapshot.tree).await;
    let exactly = Exactly { was, is, theirs };
    paths_are_exact(bed, &exactly, &files)?;
    Ok(exactly)
}

/// Untouched paths are as they were; those of the worker are as the worker has them, byte and mode.
fn paths_are_exact(bed: &Bed, exactly: &Exactly, before: &Files) -> Result<(), String> {
    let Exactly { was, is, theirs } = exactly;
    let (now, worker) = (by_path(bed.root()), by_path(&bed.tree.path));
    let mut affected = BTreeSet::new();
    for path in was.keys().chain(is.keys()) {
        if was.get(path) == is.get(path) {
            continue;
        }
        let at = path.as_path().to_path_buf();
        affected.insert(at.clone());
        if is.get(path) == theirs.get(path) {
            let kind = |(mode, bytes): &(u32, Vec<u8>)| (mode & 0o170_100, bytes.clone());
            let link = is.get(path).is_some_and(|entry| entry.mode == MODE_LINK);
            same(&now.get(&at).map(kind), &worker.get(&at).map(kind), &format!("{at:?}"))?;
            same(&link, &bed.root().join(&at).is_symlink(), "a link")?;
        }
    }
    let rest = |files: &Files| -> Files {
        files
            .iter()
            .filter(|(p, _)| !affected.contains(*p))
            .map(|(p, f)| (p.clone(), f.clone()))
            .collect()
    };
    same(&rest(before), &rest(&now), "an untouched path")?;
    same(&bed.base.repo.common_dir.join("patchbay.lock").exists(), &false, "the lock")
}

pub(super) fn same<T: PartialEq + std::fmt::Debug>(
    left: &T,
    right: &T,
    what: &str,
) -> Result<(), String> {
    if left == right {
        return Ok(());
    }
    let cut = |value: &T| format!("{value:?}").chars().take(600).collect::<String>();
    Err(format!("{what}: {} is not {}", cut(left), cut(right)))
}

/// Demands these conflicts, each with a reason, and that nothing changes.
async fn refused(bed: &Bed, expected: &[&str]) -> Result<(), String> {
    let before = everything(bed.root());
    let yes = vec!["*".to_owned()];
    let preview = bed.integrations.preview(&bed.base.repo, &bed.worker, &yes).await;
    let preview = preview.map_err(|e| format!("no preview: {e}"))?;
    same(&(preview.can_apply, preview.reason), &(false, Some("conflict")), "the verdict")?;
    same(&conflicts(&preview), &expected.iter().map(|s| (*s).to_owned()).collect(), "conflicts")?;
    same(&preview.conflicts.iter().any(|c| c.detail.is_empty()), &false, "a reason is missing")?;
    same(&everything(bed.root()), &before, "what a preview leaves")?;
    let files = by_path(bed.root());
    let mut request = bed.request("pvt_any");
    request.accepted_dirty = yes;
    match bed.integrations.apply(&bed.base.repo, request).await {
        Err(IntegrationError::NotApplicable(_)) => {}
        other => return Err(format!("not refused: {other:?}")),
    }
    same(&by_path(bed.root()), &files, "what a refused apply leaves")
}

fn remove(path: &Path) {
    if path.is_dir() && !path.is_symlink() {
        std::fs::remove_dir_all(path).unwrap();
    } else {
        std::fs::remove_file(path).unwrap();
    }
}

fn rename(top: &Path, from: &str, to: &str) {
    std::fs::create_dir_all(top.join(to).parent().unwrap()).unwrap();
    std::fs::rename(top.join(from), top.join(to)).unwrap();
}
