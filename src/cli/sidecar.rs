use super::args::SidecarArgs;
use super::error::CliError;
use super::global::Global;
use std::process::ExitCode;

/// `patchbay sidecar` (hidden): the process that keeps codex alive between lives of the server.
pub(super) fn run(args: &SidecarArgs, _global: &Global) -> Result<ExitCode, CliError> {
    let _ = &args.rest;
    Err(CliError::failed("not_wired", "the sidecar is not wired yet", ""))
}
