use super::args::StdioArgs;
use super::error::CliError;
use super::global::Global;
use std::process::ExitCode;

/// `patchbay stdio`.
pub(super) async fn run(_args: &StdioArgs, _global: &Global) -> Result<ExitCode, CliError> {
    Err(CliError::failed("not_wired", "the engine is not wired yet", ""))
}
