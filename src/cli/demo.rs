use super::args::DemoArgs;
use super::error::CliError;
use super::global::Global;
use std::process::ExitCode;

/// `patchbay demo`: the whole way of one turn, offline.
pub(super) async fn run(_args: &DemoArgs, _global: &Global) -> Result<ExitCode, CliError> {
    Err(CliError::failed("not_wired", "the demo is not wired yet", ""))
}
