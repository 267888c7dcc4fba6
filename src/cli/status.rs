use super::args::JsonArgs;
use super::error::CliError;
use super::global::Global;
use crate::mcp::socket::{self, SocketError, Want};
use crate::secret::Secret;
use serde_json::{Value, json};
use std::process::ExitCode;

/// `patchbay status`: what the running engine says of itself. Exit code 1 when none runs.
///
/// # Errors
/// The engine refuses, or its socket breaks.
pub(super) async fn run(_: &JsonArgs, global: &Global) -> Result<ExitCode, CliError> {
    let state = global.state()?;
    let answer = match Secret::read_token(&state)? {
        None => None,
        Some(token) => match socket::ask(&state, &token, Want::Status).await {
            Ok((_, answer)) => Some(answer),
            Err(SocketError::NoEngine) => None,
            Err(other) => return Err(anyhow::Error::from(other).into()),
        },
    };
    let Some(answer) = answer else {
        global.terminal().answer(&json!({"ok": true, "running": false}), "no patchbay is running");
        return Ok(ExitCode::FAILURE);
    };
    let mut shown = answer.clone();
    shown["running"] = json!(true);
    global.terminal().answer(&shown, &text(&answer));
    Ok(ExitCode::SUCCESS)
}

fn text(answer: &Value) -> String {
    let word = |key: &str| match &answer[key] {
        Value::String(text) => text.clone(),
        Value::Null => "none".to_owned(),
        other => other.to_string(),
    };
    let mut lines = vec![
        format!("patchbay {} runs as process {}", word("version"), word("pid")),
        format!("  address        {}", word("url")),
        format!("  up             {} s", word("uptime_seconds")),
        format!("  tool mode      {}", word("tool_mode")),
        format!("  open sessions  {}", word("open_sessions")),
    ];
    if let Some(state) = answer["tunnel"]["state"].as_str() {
        let address = answer["tunnel"]["url"].as_str().unwrap_or("none");
        lines.push(format!("  tunnel         {state}, {address}"));
    }
    for check in answer["checks"].as_array().into_iter().flatten() {
        let part = |key: &str| check[key].as_str().unwrap_or_default();
        lines.push(format!("  {:<4} {:<10} {}", part("status"), part("name"), part("detail")));
    }
    lines.join("\n")
}
