use super::{Codex, CodexError};
use crate::paths::{Env, StateDir};
use crate::process::Spawn;
use std::path::Path;
use std::time::Duration;

/// The version that a codex binary states (`codex-cli 0.169.0` → `0.169.0`).
///
/// # Errors
/// [`CodexError::NoVersion`] when it cannot be started or says something else.
pub async fn version_of(bin: &Path) -> Result<String, CodexError> {
    let broken = |detail: String| CodexError::NoVersion { path: bin.to_path_buf(), detail };
    let said = Spawn::new(bin)
        .arg("--version")
        .env("PATH", "/usr/bin:/bin")
        .output(Duration::from_secs(20))
        .await
        .map_err(|e| broken(e.to_string()))?;
    let text = String::from_utf8_lossy(&said.stdout);
    let version = text.split_whitespace().last().unwrap_or_default();
    if said.code == 0 && version.starts_with(|c: char| c.is_ascii_digit()) {
        Ok(version.to_owned())
    } else {
        Err(broken(format!("exit code {}, {:?}", said.code, text.trim())))
    }
}

/// Runs `true` in codex's sandbox.
///
/// # Errors
/// [`CodexError::Sandbox`] with codex's own words when the sandbox cannot be made.
pub async fn sandbox_check(codex: &Codex, env: &Env, state: &StateDir) -> Result<(), CodexError> {
    let home = state
        .private_dir(&state.run().join("sandbox-check"))
        .map_err(|e| CodexError::Sandbox(e.to_string()))?;
    let ran = Spawn::new(&codex.bin)
        .args(["sandbox", "--", "true"])
        .envs(super::home::environment(env))
        .env("CODEX_HOME", &home)
        .dir(state.root())
        .output(Duration::from_secs(30))
        .await
        .map_err(|e| CodexError::Sandbox(e.to_string()))?;
    if ran.code == 0 {
        Ok(())
    } else {
        let said = ran.stderr.lines().last().unwrap_or_default().to_owned();
        Err(CodexError::Sandbox(format!("exit code {}: {said}", ran.code)))
    }
}
