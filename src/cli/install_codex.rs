use super::args::InstallCodexArgs;
use super::error::CliError;
use super::global::Global;
use crate::codex::{InstallError, install};
use serde_json::json;
use std::process::ExitCode;

/// `patchbay install-codex`: the tested codex, through npm, its integrity checked.
pub(super) async fn run(args: &InstallCodexArgs, global: &Global) -> Result<ExitCode, CliError> {
    let into = match &args.to {
        Some(dir) => global.absolute(dir),
        None => {
            let state = global.state()?;
            state.private_dir(&state.root().join("codex-bin"))?
        }
    };
    let terminal = global.terminal();
    let program = install(&into, &global.env, |step| terminal.note(step)).await?;
    let answer = json!({ "ok": true, "version": program.version, "binary": program.binary });
    let text = format!("codex {} is ready: {}", program.version, program.binary.display());
    terminal.answer(&answer, &text);
    Ok(ExitCode::SUCCESS)
}

impl From<InstallError> for CliError {
    fn from(error: InstallError) -> Self {
        let (code, hint) = match &error {
            InstallError::Platform => {
                ("codex_no_package", "Linux and macOS on x86_64 and arm64 have one.")
            }
            InstallError::NoNpm(_) => {
                ("npm_missing", "Install Node 20 or newer, which brings npm.")
            }
            InstallError::Npm { .. } => {
                ("npm_failed", "Check that npm reaches its registry: `npm ping`.")
            }
            InstallError::Integrity { .. } => (
                "codex_integrity",
                "Nothing was installed. Check which registry npm uses: `npm config get registry`.",
            ),
            InstallError::Broken(_) => ("codex_broken", "Run `patchbay doctor`."),
            InstallError::Io { .. } => {
                ("install_io", "Check that the disk is writable and not full.")
            }
        };
        Self::failed(code, error.to_string(), hint)
    }
}
