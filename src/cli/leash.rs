use super::args::LeashArgs;
use super::error::CliError;
use crate::process::become_leashed;
use std::process::ExitCode;

/// `patchbay leash` (hidden): becomes a program that ends when its parent does, however that ends.
pub(super) fn run(args: &LeashArgs) -> Result<ExitCode, CliError> {
    let error = become_leashed(args.parent, &args.program, &args.rest);
    let text = format!("{}: {error}", args.program.display());
    Err(CliError::failed("leash_failed", text, "Check that the program can be run."))
}
