use super::report::Carried;
use super::value::{self, Kind};
use serde_json::{Map, Value};

/// What a server's table may say.
const MEMBERS: &[(&str, Kind)] = &[
    ("command", Kind::Text),
    ("args", Kind::Texts),
    ("env", Kind::TextTable),
    ("env_vars", Kind::Variables),
    ("cwd", Kind::Text),
    ("url", Kind::Url),
    ("bearer_token_env_var", Kind::Variable),
    ("http_headers", Kind::TextTable),
    ("env_http_headers", Kind::VariableTable),
    ("startup_timeout_sec", Kind::Number),
    ("startup_timeout_ms", Kind::Whole),
    ("tool_timeout_sec", Kind::Number),
    ("enabled", Kind::Flag),
    ("required", Kind::Flag),
    ("enabled_tools", Kind::Texts),
    ("disabled_tools", Kind::Texts),
];

/// The tables of the servers that the operator named; of all others the names are told.
pub(super) fn servers(
    wanted: &[String],
    config: &toml::Table,
    carried: &mut Carried,
) -> Map<String, Value> {
    let theirs = config.get("mcp_servers").and_then(toml::Value::as_table);
    let mut taken = Map::new();
    for name in wanted {
        let shown = format!("mcp_servers.{name}");
        let table = theirs.and_then(|all| all.get(name)).and_then(toml::Value::as_table);
        let Some(table) = table else {
            carried.missed(shown, "your codex configuration has no such server");
            continue;
        };
        match value::table(MEMBERS, table) {
            Ok(server) => {
                carried.taken(shown, "named in codex.mcp_servers; runs outside of the sandbox");
                taken.insert(name.clone(), Value::Object(server));
            }
            Err(why) => carried.missed(shown, why),
        }
    }
    for name in theirs.into_iter().flat_map(toml::Table::keys).filter(|n| !wanted.contains(n)) {
        carried.left(format!("mcp_servers.{name}"), "not named in codex.mcp_servers; not started");
    }
    taken
}
