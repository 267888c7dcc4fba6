use super::Stage;
use crate::process::{marked, standing_in};
use anyhow::{bail, ensure};
use std::path::PathBuf;
use std::time::Duration;

/// How long the last processes may take to go after the stop.
const PATIENCE: Duration = Duration::from_secs(15);

/// No process of the stage runs and no lock of its repository is held; waits up to 15 s for it.
///
/// # Errors
/// Names the processes that are left, or the lock.
pub async fn nothing_runs(stage: &Stage) -> anyhow::Result<()> {
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
///
/// # Errors
/// Names what is left.
pub async fn nothing_left(stage: &Stage) -> anyhow::Result<()> {
    nothing_runs(stage).await?;
    let left = worktrees(stage).await?;
    ensure!(left.is_empty(), "git knows of worktrees that are left: {left:?}");
    Ok(())
}

/// The worktrees that git knows of beside the base.
///
/// # Errors
/// When git fails.
pub async fn worktrees(stage: &Stage) -> anyhow::Result<Vec<PathBuf>> {
    let list = stage.repo.git.run(&stage.repo.root, "worktree").args(["list", "--porcelain"]);
    let text = list.ok().await?.line();
    let paths = text.lines().filter_map(|line| line.strip_prefix("worktree "));
    Ok(paths.map(PathBuf::from).filter(|path| *path != stage.repo.root).collect())
}

/// Ids of processes that carry the stage's directory in their environment or stand in it.
#[must_use]
pub fn running(stage: &Stage) -> Vec<i32> {
    let names = ["HOME", "PATCHBAY_HOME", "CODEX_HOME", "TMPDIR"];
    let all = names.into_iter().flat_map(|name| marked(name, stage.dir()));
    let mut pids: Vec<i32> = all.map(|process| process.pid).collect();
    pids.extend(standing_in(stage.dir()).into_iter().map(|process| process.pid));
    pids.retain(|pid| *pid != rustix::process::getpid().as_raw_nonzero().get());
    pids.sort_unstable();
    pids.dedup();
    pids
}
