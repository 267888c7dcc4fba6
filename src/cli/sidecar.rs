use super::args::SidecarArgs;
use super::error::CliError;
use super::global::Global;
use crate::codex::sidecar;
use std::process::ExitCode;

/// `patchbay sidecar` (hidden): the process that keeps codex alive between lives of the engine.
pub(super) async fn run(args: SidecarArgs, global: &Global) -> Result<ExitCode, CliError> {
    Ok(sidecar::main(args.rest, global.env.clone()).await)
}
