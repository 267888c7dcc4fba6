use super::args::{Cli, CompletionsArgs};
use clap::CommandFactory;
use std::process::ExitCode;

/// `patchbay completions`: a script for the shell, on standard output.
pub(super) fn run(args: &CompletionsArgs) -> ExitCode {
    clap_complete::generate(args.shell, &mut Cli::command(), "patchbay", &mut std::io::stdout());
    ExitCode::SUCCESS
}
