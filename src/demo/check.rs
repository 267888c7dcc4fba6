use super::stage::Stage;
use super::story;
use crate::process::marked;
use anyhow::{Context, bail, ensure};
use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

/// How long the last processes may take to go after the stop.
const PATIENCE: Duration = Duration::from_secs(15);

/// A file as found: whether it can be executed, and its bytes.
type Found = (bool, Vec<u8>);

/// The base has exactly the tree of the story, and no commit was made.
pub(super) async fn base(stage: &Stage) -> anyhow::Result<()> {
    let mut found = BTreeMap::new();
    read(&stage.repo.root, "", &mut found)?;
    let expected: BTreeMap<String, Found> = story::after()
        .into_iter()
        .map(|(path, (executable, text))| (path.to_owned(), (executable, text.into())))
        .collect();
    for path in found.keys().chain(expected.keys()) {
        ensure!(found.get(path) == expected.get(path), "{path} is not as it should be in the base");
    }
    ensure!(stage.repo.head().await? == stage.head, "somebody made a commit in the base");
    let staged = stage.repo.git.run(&stage.repo.root, "diff").args(["--cached", "--quiet"]);
    ensure!(staged.output().await?.code == 0, "somebody wrote to the index of the base");
    Ok(())
}

fn read(dir: &Path, below: &str, found: &mut BTreeMap<String, Found>) -> anyhow::Result<()> {
    for entry in std::fs::read_dir(dir)? {
        let entry = entry?;
        let name = format!("{below}{}", entry.file_name().to_string_lossy());
        if name == ".git" {
            continue;
        }
        let meta = entry.metadata()?;
        if meta.is_dir() {
            read(&entry.path(), &format!("{name}/"), found)?;
        } else {
            let bytes = std::fs::read(entry.path()).with_context(|| name.clone())?;
            found.insert(name, (meta.permissions().mode() & 0o100 != 0, bytes));
        }
    }
    Ok(())
}

/// No process of the demo runs and no lock is held.
pub(super) async fn nothing_runs(stage: &Stage) -> anyhow::Result<()> {
    let gone = async {
        while !running(stage).is_empty() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    if tokio::time::timeout(PATIENCE, gone).await.is_err() {
        bail!("processes are left: {:?}", running(stage));
    }
    let lock = stage.repo.common_dir.join("patchbay.lock");
    ensure!(!lock.exists(), "the lock of the repository is still held");
    Ok(())
}

/// As [`nothing_runs`], and git knows of no further worktree.
pub(super) async fn nothing_left(stage: &Stage) -> anyhow::Result<()> {
    nothing_runs(stage).await?;
    let list = stage.repo.git.run(&stage.repo.root, "worktree").args(["list", "--porcelain"]);
    let worktrees = list.ok().await?.line();
    let count = worktrees.lines().filter(|line| line.starts_with("worktree ")).count();
    ensure!(count == 1, "git knows of {} worktrees that are left:\n{worktrees}", count - 1);
    Ok(())
}

/// Ids of processes that carry the demo's directory in their environment.
fn running(stage: &Stage) -> Vec<i32> {
    let names = ["HOME", "PATCHBAY_HOME", "CODEX_HOME", "TMPDIR"];
    let all = names.into_iter().flat_map(|name| marked(name, stage.dir()));
    let mut pids: Vec<i32> = all.map(|process| process.pid).collect();
    pids.sort_unstable();
    pids.dedup();
    pids
}
