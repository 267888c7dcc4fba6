//! Variables and values of a configuration that are for codex alone: keys of its provider and of the
//! MCP servers that were named. They reach codex, and never the commands of workers.

use crate::paths::Env;
use serde_json::Value;
use std::ffi::OsString;

/// The table of the provider in use, unless codex brings it itself.
pub(super) fn provider(settings: &Value) -> Option<&Value> {
    let id = settings["model_provider"].as_str()?;
    settings["model_providers"].get(id)
}

/// Names of variables that hold a provider's keys.
pub(super) fn of_provider(provider: &Value) -> Vec<String> {
    let mut names: Vec<String> =
        provider["env_key"].as_str().map(str::to_owned).into_iter().collect();
    names.extend(texts(&provider["env_http_headers"]));
    names
}

/// Names of variables that an MCP server asks for.
fn of_server(server: &Value) -> Vec<String> {
    let mut names: Vec<String> =
        server["bearer_token_env_var"].as_str().map(str::to_owned).into_iter().collect();
    names.extend(texts(&server["env_http_headers"]));
    let asked = server["env_vars"].as_array().into_iter().flatten();
    names.extend(asked.filter_map(|v| v.as_str().or(v["name"].as_str())).map(str::to_owned));
    names
}

/// The variables that codex gets beyond [`super::home::environment`]. None of patchbay's own is among
/// them.
pub(super) fn passed(settings: &Value, env: &Env) -> Vec<(OsString, OsString)> {
    let servers = settings["mcp_servers"].as_object().into_iter().flatten();
    let mut names: Vec<String> = provider(settings).map(of_provider).unwrap_or_default();
    names.extend(servers.flat_map(|(_, server)| of_server(server)));
    names.sort();
    names.dedup();
    names.retain(|name| !name.starts_with("PATCHBAY_"));
    let value = |name: String| Some((OsString::from(&name), env.get(&name)?.to_os_string()));
    names.into_iter().filter_map(value).collect()
}

/// Values in the settings that nobody else may see, longest first. Shorter than 6 bytes is no secret.
pub(super) fn secrets(settings: &Value) -> Vec<String> {
    let each = |key: &str| settings[key].as_object().into_iter().flatten().map(|(_, table)| table);
    let mut found = Vec::new();
    for table in each("model_providers").chain(each("mcp_servers")) {
        found.extend(table["experimental_bearer_token"].as_str().map(str::to_owned));
        for key in ["http_headers", "query_params", "env"] {
            found.extend(texts(&table[key]));
        }
    }
    found.retain(|secret| secret.len() >= 6);
    found.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
    found
}

fn texts(table: &Value) -> impl Iterator<Item = String> {
    let members = table.as_object().into_iter().flatten();
    members.filter_map(|(_, value)| value.as_str().map(str::to_owned))
}
