use super::args::{Cli, Command};
use super::error::CliError;
use super::global::Global;
use super::terminal::Terminal;
use super::{
    completions, demo, doctor, eval, install_codex, leash, man, model, sidecar, start, status,
    stdio, stop, worker,
};
use crate::paths::Env;
use clap::Parser;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;
use tracing_subscriber::EnvFilter;

/// The program `patchbay`: reads the command line, runs the command, says how it ended.
///
/// Exit codes: 0 done, 1 failed, 2 misused.
#[must_use]
pub fn main() -> ExitCode {
    run(std::env::args_os().collect())
}

/// The program `patchbay-stdio`: `patchbay stdio` with the arguments of this process.
#[must_use]
pub fn main_stdio() -> ExitCode {
    let mut args: Vec<OsString> = std::env::args_os().collect();
    args.insert(args.len().min(1), "stdio".into());
    run(args)
}

fn run(args: Vec<OsString>) -> ExitCode {
    let Cli { command } = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(usage) => {
            let _ = usage.print();
            return ExitCode::from(u8::try_from(usage.exit_code()).unwrap_or(2));
        }
    };
    let (json, config) = command.shared();
    let env = Env::from_process();
    log_to_stderr(&env);
    if let Some(place) = env.path("PATCHBAY_FAILPOINTS") {
        crate::failpoint::arm(&place);
    }
    let done = Global::new(json, config, env).and_then(|global| dispatch(command, &global));
    done.unwrap_or_else(|error| {
        Terminal::new(json).error(&error);
        ExitCode::from(error.exit)
    })
}

fn dispatch(command: Command, global: &Global) -> Result<ExitCode, CliError> {
    match command {
        Command::Start(args) => wait_for(start::run(&args, global)),
        Command::Stdio(args) => wait_for(stdio::run(&args, global)),
        Command::Stop(args) => wait_for(stop::run(&args, global)),
        Command::Status(args) => wait_for(status::run(&args, global)),
        Command::Worker(command) => wait_for(worker::run(&command, global)),
        Command::Doctor(args) => wait_for(doctor::run(&args, global)),
        Command::Demo(args) => wait_for(demo::run(&args, global)),
        Command::Eval(args) => wait_for(eval::run(&args, global)),
        Command::InstallCodex(args) => wait_for(install_codex::run(&args, global)),
        Command::Completions(args) => Ok(completions::run(&args)),
        Command::Man => Ok(man::run()),
        Command::Sidecar(args) => wait_for(sidecar::run(args, global)),
        Command::Leash(args) => leash::run(&args),
        Command::Model(args) => wait_for(model::run(&args, global)),
    }
}

/// Runs a command in a runtime of its own.
fn wait_for(
    command: impl Future<Output = Result<ExitCode, CliError>>,
) -> Result<ExitCode, CliError> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|e| {
        CliError::failed("no_threads", format!("no runtime: {e}"), "Check `ulimit -u` and memory.")
    })?;
    let done = runtime.block_on(command);
    // A read of standard input cannot be cancelled; it must not hold up the end of the process.
    runtime.shutdown_background();
    done
}

/// What the program thinks goes to standard error; `PATCHBAY_LOG` says how much (`warn` by default).
fn log_to_stderr(env: &Env) {
    let wanted = env.text("PATCHBAY_LOG").unwrap_or("warn");
    // rmcp names sessions at its level `info`; a session's id is private.
    let wanted = format!("{wanted},rmcp=warn");
    let filter = EnvFilter::try_new(wanted).unwrap_or_else(|_| EnvFilter::new("warn"));
    let subscriber = tracing_subscriber::fmt()
        // A log on a full disk must not panic, which a message about it would.
        .log_internal_errors(false)
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()));
    let _ = subscriber.try_init();
}

impl Command {
    /// The flags that commands share: `--json` and `--config`.
    fn shared(&self) -> (bool, Option<PathBuf>) {
        match self {
            Self::Start(args) => (args.json, args.serve.config.clone()),
            Self::Stdio(args) => (false, args.serve.config.clone()),
            Self::Doctor(args) => (args.json, args.serve.config.clone()),
            Self::Stop(args) => (args.json, None),
            Self::Status(args) => (args.json, None),
            Self::Worker(command) => (command.json(), None),
            Self::Demo(args) => (args.json, None),
            Self::Eval(args) => (args.json, None),
            Self::InstallCodex(args) => (args.json, None),
            Self::Completions(_)
            | Self::Man
            | Self::Sidecar(_)
            | Self::Leash(_)
            | Self::Model(_) => (false, None),
        }
    }
}
