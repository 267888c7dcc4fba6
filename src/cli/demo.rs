use super::args::{Break, DemoArgs};
use super::error::CliError;
use super::global::Global;
use crate::demo::{self, DemoOptions};
use std::process::ExitCode;

/// `patchbay demo`: the whole way of one turn. Exits with 1 when a step fails; the demo itself
/// has said which.
pub(super) async fn run(args: &DemoArgs, global: &Global) -> Result<ExitCode, CliError> {
    let outcome = demo::run(DemoOptions {
        json: args.json,
        keep: args.keep,
        live: args.live,
        break_at: args.break_at.map(|what| match what {
            Break::Model => demo::Break::Model,
            Break::Worker => demo::Break::Worker,
            Break::Base => demo::Break::Base,
        }),
        program: global.program.clone(),
        codex: args.codex.as_deref().map(|path| global.absolute(path)),
        env: global.env.clone(),
        out: &mut std::io::stdout(),
    })
    .await;
    Ok(if outcome.ok { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
