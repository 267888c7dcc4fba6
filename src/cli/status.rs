use super::args::JsonArgs;
use super::error::CliError;
use super::global::Global;
use std::process::ExitCode;

/// `patchbay status`.
pub(super) async fn run(_args: &JsonArgs, _global: &Global) -> Result<ExitCode, CliError> {
    Err(CliError::failed("not_wired", "the engine is not wired yet", ""))
}
