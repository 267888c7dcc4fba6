use super::{Conflict, IntegrationError};
use crate::git::{Entry, GitError, GitPath, MODE_SUBMODULE, Stage};

/// Most conflicts whose sides are read.
const READ: usize = 20;
/// Most characters of a side.
const TEXT: usize = 2_000;

/// One side of a conflict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConflictSide {
    /// Mode in the tree.
    pub mode: u32,
    /// Length of the whole content.
    pub bytes: usize,
    /// Its beginning, at most 2,000 characters; `None` for binary content and submodules.
    pub text: Option<String>,
    /// Whether there is more.
    pub truncated: bool,
}

/// Reads both sides of the first twenty conflicts.
pub(super) async fn read(
    stage: &Stage,
    ours: &str,
    theirs: &str,
    conflicts: &mut [Conflict],
) -> Result<(), IntegrationError> {
    for conflict in conflicts.iter_mut().take(READ) {
        conflict.base = side(stage, ours, &conflict.path).await?;
        conflict.worker = side(stage, theirs, &conflict.path).await?;
    }
    Ok(())
}

async fn side(stage: &Stage, tree: &str, path: &GitPath) -> Result<Option<ConflictSide>, GitError> {
    let Some(Entry { mode, oid }) = stage.entry_at(tree, path).await? else { return Ok(None) };
    if mode == MODE_SUBMODULE {
        return Ok(Some(ConflictSide { mode, bytes: 0, text: None, truncated: false }));
    }
    let bytes = stage.run("cat-file").args(["blob", &oid]).ok().await?.stdout;
    let beginning = &bytes[..bytes.len().min(8_000)];
    let (mut text, mut truncated) = (None, false);
    if !beginning.contains(&0) {
        let whole = String::from_utf8_lossy(beginning);
        let cut: String = whole.chars().take(TEXT).collect();
        truncated = beginning.len() < bytes.len() || cut.len() < whole.len();
        text = Some(cut);
    }
    Ok(Some(ConflictSide { mode, bytes: bytes.len(), text, truncated }))
}
