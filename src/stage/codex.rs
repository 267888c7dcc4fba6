use crate::backend::BackendError;
use crate::codex;
use crate::config::CodexConfig;
use crate::paths::{Env, StateDir};
use anyhow::bail;
use std::path::{Path, PathBuf};

/// The environment in which `codex`, where given, is the one that is named.
#[must_use]
pub fn with_codex(env: Env, codex: Option<PathBuf>) -> Env {
    let Some(codex) = codex else { return env };
    let others = env.iter().map(|(name, value)| (name.to_os_string(), value.to_os_string()));
    Env::of(others.chain([("PATCHBAY_CODEX".into(), codex.into_os_string())]))
}

/// Codex as the user's own server would find it: its binary and its version. `dir` is the directory of
/// a stage, in which a state directory is made where the user has none.
///
/// # Errors
/// There is no codex, or none that can be used; the words say what to do.
pub async fn find_codex(user: &Env, dir: &Path) -> anyhow::Result<(PathBuf, String)> {
    // Looking must not make a state directory that the user does not have.
    let own = StateDir::locate(user)?;
    let own = if own.is_dir() { own } else { dir.join("state") };
    let state = StateDir::open(&own)?;
    match codex::locate(&CodexConfig::default(), &state, user).await {
        Ok(found) => Ok((found.binary, found.version)),
        Err(BackendError::Unavailable { code, message, hint }) => {
            bail!("{code}: {message}. {hint}")
        }
        Err(error) => Err(error.into()),
    }
}
