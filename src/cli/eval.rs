use super::args::{EvalArgs, EvalBreak, LongEval};
use super::error::CliError;
use super::global::Global;
use crate::eval::{self, Break, EvalError, EvalOptions, What};
use std::process::ExitCode;

/// `patchbay eval`: scenarios, drills and loads on a disposable stage. Exits with 1 when one fails.
///
/// # Errors
/// There is no eval of that name.
pub(super) async fn run(args: &EvalArgs, global: &Global) -> Result<ExitCode, CliError> {
    let what = match &args.long {
        None => What::Scenarios(args.names.clone()),
        Some(LongEval::Crash { rounds, seed }) => What::Crash { rounds: *rounds, seed: *seed },
        Some(LongEval::Soak { turns }) => What::Soak { turns: *turns },
        Some(LongEval::Load { clients, seconds }) => {
            What::Load { clients: *clients, seconds: *seconds }
        }
    };
    let passed = eval::run(EvalOptions {
        what,
        json: args.json,
        keep: args.keep,
        break_at: args.break_at.map(|what| match what {
            EvalBreak::Worker => Break::Worker,
            EvalBreak::Base => Break::Base,
        }),
        program: global.program.clone(),
        codex: args.codex.as_deref().map(|path| global.absolute(path)),
        env: global.env.clone(),
        out: &mut std::io::stdout(),
    })
    .await
    .map_err(refused)?;
    Ok(if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn refused(error: EvalError) -> CliError {
    match &error {
        EvalError::Unknown { .. } => {
            let hint = "Name one of them, `all`, or one of `crash`, `soak`, `load`.";
            CliError::usage("unknown_eval", error.to_string(), hint)
        }
        EvalError::Malformed { .. } => {
            CliError::failed("malformed_eval", error.to_string(), "Correct its file and build.")
        }
    }
}
