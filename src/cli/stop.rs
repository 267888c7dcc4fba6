use super::args::StopArgs;
use super::error::CliError;
use super::global::Global;
use std::process::ExitCode;

/// `patchbay stop`.
pub(super) async fn run(_args: &StopArgs, _global: &Global) -> Result<ExitCode, CliError> {
    Err(CliError::failed("not_wired", "the engine is not wired yet", ""))
}
