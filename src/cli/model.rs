use super::args::ModelArgs;
use super::error::CliError;
use super::global::Global;
use crate::scripted::{ScriptedModel, ScriptedOptions};
use serde_json::json;
use std::process::ExitCode;

/// `patchbay model` (hidden): the scripted model, until interrupted.
pub(super) async fn run(args: &ModelArgs, global: &Global) -> Result<ExitCode, CliError> {
    let options = ScriptedOptions {
        port: args.port,
        log_file: args.log.as_deref().map(|path| global.absolute(path)),
        ..ScriptedOptions::default()
    };
    let failed = |e: String| CliError::failed("no_model", e, "Name another port or log file.");
    let model = ScriptedModel::start(options).await.map_err(|e| failed(e.to_string()))?;
    let base_url = model.base_url();
    global.terminal().answer(&json!({ "base_url": base_url }), &base_url);
    tokio::signal::ctrl_c().await.map_err(|e| failed(e.to_string()))?;
    model.shutdown().await;
    Ok(ExitCode::SUCCESS)
}
