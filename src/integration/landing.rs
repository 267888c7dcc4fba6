use super::IntegrationError;
use crate::git::{Entry, GitPath, Stage};

/// Asks git what the base would stage of these files, and returns the paths at which that is not what
/// is wanted. The index is a copy of the base's own: whether git converts line ends can depend on what
/// the index has of a file already, and under `core.fileMode=false` the mode always does.
pub(super) async fn unlike(
    stage: &Stage,
    wanted: &[(GitPath, Entry)],
) -> Result<Vec<GitPath>, IntegrationError> {
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    stage.copy_index().await?;
    let paths: Vec<&GitPath> = wanted.iter().map(|(path, _)| path).collect();
    stage.add_paths(&paths).await?;
    let staged = stage.staged(&paths).await?;
    let differs = wanted.iter().filter(|(path, entry)| staged.get(path) != Some(entry));
    Ok(differs.map(|(path, _)| path.clone()).collect())
}
