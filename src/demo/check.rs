use super::story;
use crate::stage::{Found, Stage, files_below};
use anyhow::ensure;
use std::collections::BTreeMap;

/// The base has exactly the tree of the story, and no commit was made.
pub(super) async fn base(stage: &Stage) -> anyhow::Result<()> {
    let found = files_below(&stage.repo.root)?;
    let expected: BTreeMap<String, Found> = story::after(stage.live)
        .into_iter()
        .map(|(path, (executable, text))| (path, (executable, text.into())))
        .collect();
    for path in found.keys().chain(expected.keys()) {
        ensure!(found.get(path) == expected.get(path), "{path} is not as it should be in the base");
    }
    ensure!(stage.repo.head().await? == stage.head, "somebody made a commit in the base");
    let staged = stage.repo.git.run(&stage.repo.root, "diff").args(["--cached", "--quiet"]);
    ensure!(staged.output().await?.code == 0, "somebody wrote to the index of the base");
    Ok(())
}
