use super::value::{self, Kind};
use serde_json::Value;

/// What a provider may say. What starts a program or signs in by other means is not among it.
const MEMBERS: &[(&str, Kind)] = &[
    ("name", Kind::Text),
    ("base_url", Kind::Url),
    ("env_key", Kind::Variable),
    ("env_key_instructions", Kind::Text),
    ("experimental_bearer_token", Kind::Text),
    ("wire_api", Kind::Text),
    ("query_params", Kind::TextTable),
    ("http_headers", Kind::TextTable),
    ("env_http_headers", Kind::VariableTable),
    ("request_max_retries", Kind::Whole),
    ("stream_max_retries", Kind::Whole),
    ("stream_idle_timeout_ms", Kind::Whole),
    ("websocket_connect_timeout_ms", Kind::Whole),
    ("requires_openai_auth", Kind::Flag),
    ("supports_websockets", Kind::Flag),
];

/// Providers that codex brings itself; a table of that name is an error to it.
const OWN: &[&str] = &["openai", "amazon-bedrock", "ollama", "lmstudio"];

/// Whether codex knows this provider without a table.
pub(super) fn is_own(id: &str) -> bool {
    OWN.contains(&id)
}

/// The provider's table, or why it cannot be carried over.
pub(super) fn table(id: &str, config: &toml::Table) -> Result<Value, String> {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    if id.is_empty() || id.len() > 64 || !id.chars().all(fits) {
        return Err("its name cannot be used".to_owned());
    }
    let all = config.get("model_providers").and_then(toml::Value::as_table);
    let Some(table) = all.and_then(|all| all.get(id)).and_then(toml::Value::as_table) else {
        return Err("model_providers has no such table".to_owned());
    };
    let taken = value::table(MEMBERS, table)?;
    if taken.get("wire_api").is_some_and(|api| api != "responses") {
        return Err("codex speaks `wire_api = \"responses\"` only".to_owned());
    }
    Ok(Value::Object(taken))
}
