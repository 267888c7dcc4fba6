use super::args::{WorkerCommand, WorkerListArgs, WorkerLogArgs, WorkerNameArgs, WorkerStopArgs};
use super::engine_client::EngineClient;
use super::error::CliError;
use super::global::Global;
use serde_json::{Map, Value, json};
use std::path::Path;
use std::process::ExitCode;

/// `patchbay worker …`: the worker tools of the running engine, for people and scripts.
pub(super) async fn run(command: &WorkerCommand, global: &Global) -> Result<ExitCode, CliError> {
    let (tool, arguments) = match command {
        WorkerCommand::List(args) => ("codex_worker_list", list(args, global)),
        WorkerCommand::Show(args) => ("codex_worker_inspect", named(args, global, "report")),
        WorkerCommand::Log(args) => ("codex_worker_inspect", log(args, global)),
        WorkerCommand::Stop(args) => ("codex_worker_stop", stop(args, global)),
    };
    let engine = EngineClient::connect(&global.state()?).await?;
    let answer = engine.call(tool, arguments).await;
    engine.close().await;
    let (data, text) = answer.map_err(forcible)?;
    global.terminal().answer(&data, &text);
    Ok(ExitCode::SUCCESS)
}

/// What a chat confirms with an argument, a person confirms with a flag.
fn forcible(error: CliError) -> CliError {
    match error.code.as_ref() {
        "confirmation_required" => {
            CliError { hint: "Run it again with --force.".to_owned(), ..error }
        }
        _ => error,
    }
}

fn list(args: &WorkerListArgs, global: &Global) -> Map<String, Value> {
    let mut arguments = object(json!({ "scope": "all" }));
    repository(&mut arguments, args.repo.as_deref(), global);
    arguments
}

fn named(args: &WorkerNameArgs, global: &Global, view: &str) -> Map<String, Value> {
    let mut arguments = object(json!({ "worker": args.worker, "view": view }));
    repository(&mut arguments, args.repo.as_deref(), global);
    arguments
}

fn log(args: &WorkerLogArgs, global: &Global) -> Map<String, Value> {
    let mut arguments = named(&args.name, global, "log");
    if let Some(cursor) = args.after {
        arguments.insert("cursor".to_owned(), json!(cursor));
    }
    arguments
}

fn stop(args: &WorkerStopArgs, global: &Global) -> Map<String, Value> {
    let mut arguments = object(json!({ "worker": args.name.worker, "force": args.force }));
    repository(&mut arguments, args.name.repo.as_deref(), global);
    arguments
}

fn repository(arguments: &mut Map<String, Value>, repo: Option<&Path>, global: &Global) {
    if let Some(repo) = repo {
        let path = global.absolute(repo).to_string_lossy().into_owned();
        arguments.insert("repo_path".to_owned(), Value::from(path));
    }
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

impl WorkerCommand {
    /// `--json` of the command.
    pub(super) fn json(&self) -> bool {
        match self {
            Self::List(args) => args.json,
            Self::Show(args) => args.json,
            Self::Log(args) => args.name.json,
            Self::Stop(args) => args.name.json,
        }
    }
}
