use super::release::{BASELINE, CodexProgram, platform};
use crate::backend::BackendError;
use crate::config::CodexConfig;
use crate::paths::{Env, StateDir};
use crate::process::Run;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What must stand in a vendor directory. With the binary alone, codex runs commands without its
/// sandbox helper, fails each of them, and still calls the turn completed.
const WHOLE: &[&str] = &["bin/codex", "bin/codex-code-mode-host", "codex-path/rg"];
#[cfg(target_os = "linux")]
const SANDBOX: &[&str] = &["codex-resources/bwrap"];
#[cfg(not(target_os = "linux"))]
const SANDBOX: &[&str] = &[];

const INSTALL_HINT: &str = "Run `patchbay install-codex`, or name a codex with `--codex PATH`.";

/// Finds the codex to use: `PATCHBAY_CODEX`, else `codex.bin`, else the installed copy, else `PATH`.
/// The first that is named is the one: a broken choice is an error, not a reason to look further.
///
/// # Errors
/// [`BackendError::Unavailable`] with `codex_missing`, `codex_incomplete`, `codex_broken` or
/// `codex_too_old`.
pub async fn locate(
    config: &CodexConfig,
    state: &StateDir,
    env: &Env,
) -> Result<CodexProgram, BackendError> {
    let installed = state.codex_bin(BASELINE);
    let (candidate, source) = if let Some(path) = env.path("PATCHBAY_CODEX") {
        (path, "PATCHBAY_CODEX")
    } else if let Some(path) = &config.bin {
        (path.clone(), "codex.bin")
    } else if installed.is_dir() {
        (installed, "installed")
    } else if let Some(path) = on_path(env) {
        (path, "PATH")
    } else {
        return Err(unavailable(
            "codex_missing",
            "there is no codex on this machine",
            INSTALL_HINT,
        ));
    };
    examine(&candidate, source, env).await
}

/// Checks that `candidate` (a binary, a node launcher, or a directory) leads to a whole codex.
///
/// # Errors
/// As [`locate`].
pub(crate) async fn examine(
    candidate: &Path,
    source: &'static str,
    env: &Env,
) -> Result<CodexProgram, BackendError> {
    let Some(vendor) = vendor_of(candidate) else {
        let text = format!("there is no native codex behind {}", candidate.display());
        return Err(unavailable("codex_missing", text, INSTALL_HINT));
    };
    for part in WHOLE.iter().chain(SANDBOX) {
        if !vendor.join(part).is_file() {
            let text = format!("{} lacks {part}", vendor.display());
            return Err(unavailable("codex_incomplete", text, INSTALL_HINT));
        }
    }
    let binary = vendor.join("bin/codex");
    let version = version_of(&binary, env).await?;
    if !at_least(&version, BASELINE) {
        let text = format!("codex {version} is older than {BASELINE}");
        return Err(unavailable("codex_too_old", text, INSTALL_HINT));
    }
    Ok(CodexProgram { binary, vendor, version, source })
}

fn unavailable(code: &'static str, message: impl Into<String>, hint: &str) -> BackendError {
    BackendError::Unavailable { code, message: message.into(), hint: hint.to_owned() }
}

fn on_path(env: &Env) -> Option<PathBuf> {
    let path = env.get("PATH")?;
    std::env::split_paths(path).map(|dir| dir.join("codex")).find(|file| file.is_file())
}

/// The vendor directory that a binary, launcher or directory belongs to.
fn vendor_of(candidate: &Path) -> Option<PathBuf> {
    let real = candidate.canonicalize().ok()?;
    let triple = platform()?.triple;
    let suffix = platform()?.suffix;
    let mut places = Vec::new();
    if real.is_dir() {
        places.push(real.clone());
        places.push(real.join(triple));
        places.push(real.join("vendor").join(triple));
        places.push(real.join(BASELINE).join(triple));
    } else {
        // `<vendor>/bin/codex`, or the launcher `<package>/bin/codex.js`.
        let package = real.parent()?.parent()?.to_path_buf();
        let sibling = format!("codex-{suffix}");
        places
            .push(package.join("node_modules/@openai").join(&sibling).join("vendor").join(triple));
        if let Some(scope) = package.parent() {
            places.push(scope.join(&sibling).join("vendor").join(triple));
        }
        places.push(package.join("vendor").join(triple));
        places.push(package);
    }
    places.into_iter().find(|place| place.join("bin/codex").is_file())
}

async fn version_of(binary: &Path, env: &Env) -> Result<String, BackendError> {
    let broken = |text: String| unavailable("codex_broken", text, INSTALL_HINT);
    let run = Run::new(binary).args(["--version"]).limit(Duration::from_secs(20));
    let run = run.env("PATH", env.get("PATH").unwrap_or_default());
    let done = run.finish().await.map_err(|e| broken(e.to_string()))?;
    let version = done.stdout.trim().rsplit(' ').next().unwrap_or_default().to_owned();
    if done.code == 0 && numbers(&version).is_some() {
        Ok(version)
    } else {
        Err(broken(format!("codex --version ended with {}: {}", done.code, done.stderr.trim())))
    }
}

fn numbers(version: &str) -> Option<[u64; 3]> {
    let core = version.split(['-', '+']).next()?;
    let mut parts = core.split('.').map(|part| part.parse().ok());
    Some([parts.next()??, parts.next()??, parts.next()??])
}

/// Whether `version` is `floor` or newer; a text that is no version is not.
pub(crate) fn at_least(version: &str, floor: &str) -> bool {
    numbers(version).is_some_and(|v| Some(v) >= numbers(floor))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_compare_by_number() {
        assert!(at_least("0.169.0", "0.169.0") && at_least("0.1000.0", "0.169.0"));
        assert!(!at_least("0.142.2", "0.169.0") && !at_least("nonsense", "0.169.0"));
    }

    #[tokio::test]
    async fn a_copied_binary_without_its_helpers_is_refused() {
        std::fs::create_dir_all("target/tmp").unwrap();
        let dir = tempfile::tempdir_in("target/tmp").unwrap();
        std::fs::create_dir_all(dir.path().join("bin")).unwrap();
        std::fs::write(dir.path().join("bin/codex"), "").unwrap();
        let found = examine(&dir.path().join("bin/codex"), "PATH", &Env::default()).await;
        let Err(BackendError::Unavailable { code, .. }) = found else { panic!("{found:?}") };
        assert_eq!(code, "codex_incomplete");
    }
}
