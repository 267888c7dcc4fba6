use super::args::StartArgs;
use super::error::CliError;
use super::global::Global;
use std::process::ExitCode;

/// `patchbay start`.
pub(super) async fn run(_args: &StartArgs, _global: &Global) -> Result<ExitCode, CliError> {
    Err(CliError::failed("not_wired", "the engine is not wired yet", ""))
}
