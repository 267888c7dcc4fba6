use super::{CodexError, CodexProgram, home};
use crate::paths::{Env, StateDir};
use crate::process::Run;
use std::time::Duration;

/// Runs `true` in codex's sandbox.
///
/// # Errors
/// [`CodexError::Sandbox`] with codex's own words when the sandbox cannot be made.
pub async fn sandbox_check(
    codex: &CodexProgram,
    env: &Env,
    state: &StateDir,
) -> Result<(), CodexError> {
    let failed = |detail: String| CodexError::Sandbox(detail);
    let own =
        state.private_dir(&state.run().join("sandbox-check")).map_err(|e| failed(e.to_string()))?;
    let mut run = Run::new(&codex.binary)
        .args(["sandbox", "--", "true"])
        .dir(&own)
        .limit(Duration::from_secs(30));
    for (name, value) in home::environment(env) {
        run = run.env(name, value);
    }
    let ran = run.env("CODEX_HOME", &own).finish().await.map_err(|e| failed(e.to_string()))?;
    if ran.code == 0 {
        return Ok(());
    }
    let said = ran.stderr.lines().last().unwrap_or("no word");
    Err(failed(format!("exit code {}: {said}", ran.code)))
}
