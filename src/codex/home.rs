use super::carry::{self, Carried, Survey};
use super::{CodexError, CodexProgram};
use super::{profile, variables};
use crate::config::CodexConfig;
use crate::paths::{Env, StateDir};
use serde_json::{Map, Value, json};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// Variables that codex and the commands of workers get, where they are set. Nothing else is passed on.
const PASSED: &[&str] = &["PATH", "HOME", "LANG", "USER", "LOGNAME", "SHELL"];

/// The name of the variable that holds the key of the scripted model server.
const SCRIPTED_KEY: &str = "PATCHBAY_SCRIPTED_KEY";

/// The environment of codex itself, without the variables that only its provider and MCP servers need.
pub(super) fn environment(env: &Env) -> Vec<(OsString, OsString)> {
    let mut vars: Vec<(OsString, OsString)> = env
        .iter()
        .filter(|(name, value)| {
            let name = name.to_string_lossy();
            !value.is_empty() && (PASSED.contains(&&*name) || name.starts_with("LC_"))
        })
        .map(|(name, value)| (name.to_os_string(), value.to_os_string()))
        .collect();
    vars.push(("TERM".into(), "dumb".into()));
    vars.push((SCRIPTED_KEY.into(), "scripted".into()));
    vars
}

/// The policy for the environment of a worker's commands; `tmp` is its private TMPDIR.
pub(super) fn shell_policy(env: &Env, tmp: Option<&Path>) -> Value {
    let mut set: Map<String, Value> = environment(env)
        .iter()
        .filter(|(name, _)| name != SCRIPTED_KEY)
        .filter_map(|(name, value)| Some((name.to_str()?.to_owned(), json!(value.to_str()?))))
        .collect();
    if let Some(tmp) = tmp {
        set.insert("TMPDIR".to_owned(), json!(tmp.to_string_lossy()));
    }
    json!({ "inherit": "none", "ignore_default_excludes": false, "set": set })
}

/// Where the user's login is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Login {
    /// `auth.json` of the user's own codex home.
    File(PathBuf),
    /// None is needed: the model server is scripted.
    Scripted,
    /// None is needed: the provider of this name asks for none of OpenAI's. The variables that hold its
    /// keys and are not set are named.
    Provider(String, Vec<String>),
    /// There is no `auth.json`, and the user's codex keeps logins in the system's keyring, which a second
    /// home cannot share.
    Keyring(PathBuf),
    /// There is no `auth.json`.
    None(PathBuf),
}

/// Looks where the user's login is; reads no secret.
#[must_use]
pub fn login(env: &Env, config: &CodexConfig) -> Login {
    if config.scripted_base_url.is_some() {
        return Login::Scripted;
    }
    let settings = carried_settings(env, config).0;
    if let Some(provider) = variables::provider(&settings)
        && provider["requires_openai_auth"] != true
    {
        let name = settings["model_provider"].as_str().unwrap_or_default().to_owned();
        let unset = variables::of_provider(provider);
        let unset = unset.into_iter().filter(|name| env.get(name).is_none()).collect();
        return Login::Provider(name, unset);
    }
    let file = login_file(env, config);
    if file.is_file() {
        Login::File(file)
    } else if carry::logs_in_by_keyring(&user_home(env, config).unwrap_or_default()) {
        Login::Keyring(file)
    } else {
        Login::None(file)
    }
}

fn login_file(env: &Env, config: &CodexConfig) -> PathBuf {
    user_home(env, config).unwrap_or_default().join("auth.json")
}

/// What workers get of the user's codex home, and what they do not.
#[must_use]
pub fn carried(env: &Env, config: &CodexConfig) -> Carried {
    carried_settings(env, config).1
}

/// Model and effort of a thread that names none, where they are known before codex is asked.
pub(super) fn defaults(env: &Env, config: &CodexConfig) -> (Option<String>, Option<String>) {
    let settings = carried_settings(env, config).0;
    let text = |key: &str| settings[key].as_str().map(str::to_owned);
    (text("model"), text("model_reasoning_effort"))
}

/// The part of our config.toml that speaks of models, with what is carried over.
fn carried_settings(env: &Env, config: &CodexConfig) -> (Value, Carried) {
    let mut table = chosen(config);
    add_extra(&mut table, config);
    let survey = survey(env, config, &table);
    merge(&mut table, survey.settings);
    (table, survey.carried)
}

fn survey(env: &Env, config: &CodexConfig, set: &Value) -> Survey {
    Survey::of(&user_home(env, config).unwrap_or_default(), env, config, set)
}

fn user_home(env: &Env, config: &CodexConfig) -> Option<PathBuf> {
    config
        .user_home
        .clone()
        .or_else(|| env.path("CODEX_HOME"))
        .or_else(|| env.home().map(|home| home.join(".codex")))
}

/// The configuration of the app-server, as JSON; written as TOML it is the whole of config.toml.
pub(super) fn settings(
    codex: &CodexProgram,
    env: &Env,
    config: &CodexConfig,
    state: &StateDir,
) -> Value {
    let user = user_home(env, config).unwrap_or_else(|| state.codex_home());
    let denied = profile::denied(state.root(), env.home().as_deref(), &user);
    let opened = [codex.vendor.clone(), carry::skills_dir(state)];
    let mut table = json!({
        "approval_policy": "never",
        "default_permissions": ":read-only",
        "allow_login_shell": false,
        "check_for_update_on_startup": false,
        "web_search": "disabled",
        "cli_auth_credentials_store": "file",
        "features": {
            "plugins": false,
            "apps": false,
            "shell_snapshot": false,
            "unbounded_connection_retries": false,
            "hooks": false,
            "skill_mcp_dependency_install": false,
        },
        "agents": { "enabled": config.sub_agents },
        "analytics": { "enabled": false },
        "feedback": { "enabled": false },
        "otel": {
            "exporter": "none",
            "trace_exporter": "none",
            "metrics_exporter": "none",
            "log_user_prompt": false,
        },
        "history": { "persistence": "none" },
        "shell_environment_policy": shell_policy(env, None),
        "permissions": profile::profiles(&denied, &opened),
    });
    merge(&mut table, into_map(chosen(config)));
    add_extra(&mut table, config);
    let carried = survey(env, config, &table).settings;
    merge(&mut table, carried);
    table
}

/// What the operator's own settings say of models.
fn chosen(config: &CodexConfig) -> Value {
    let mut table = json!({});
    for (key, value) in
        [("model", &config.model), ("model_reasoning_effort", &config.reasoning_effort)]
    {
        if let Some(value) = value {
            table[key] = json!(value);
        }
    }
    if let Some(url) = &config.scripted_base_url {
        scripted(&mut table, url);
    }
    table
}

/// Adds the operator's own TOML; what stands already stays. The configuration was checked: it parses,
/// and names no key that decides what a worker may touch.
fn add_extra(table: &mut Value, config: &CodexConfig) {
    let text = config.extra_config.as_deref().unwrap_or_default();
    if let Ok(Value::Object(extra)) = toml::from_str::<Value>(text) {
        merge(table, extra);
    }
}

fn into_map(table: Value) -> Map<String, Value> {
    if let Value::Object(map) = table { map } else { Map::new() }
}

/// Adds members; what stands already stays, in tables of the first level too.
fn merge(table: &mut Value, more: Map<String, Value>) {
    for (key, value) in more {
        match (table.get_mut(&key), value) {
            (None, value) => table[&key] = value,
            (Some(Value::Object(there)), Value::Object(more)) => {
                for (name, value) in more {
                    there.entry(name).or_insert(value);
                }
            }
            (Some(_), _) => {}
        }
    }
}

fn scripted(table: &mut Value, url: &str) {
    table["model_provider"] = json!("scripted");
    if table.get("model").is_none() {
        table["model"] = json!("gpt-5.5");
    }
    table["model_providers"] = json!({ "scripted": {
        "name": "scripted",
        "base_url": url,
        "wire_api": "responses",
        "env_key": SCRIPTED_KEY,
        "requires_openai_auth": false,
        "supports_websockets": false,
        "request_max_retries": 2,
        "stream_max_retries": 2,
        "stream_idle_timeout_ms": 15_000,
    } });
}

/// Writes CODEX_HOME: config.toml, `auth.json` as a link to the user's own, so that there is one
/// login and never two copies of a refresh token, and what is carried over.
pub(super) fn write(
    state: &StateDir,
    env: &Env,
    config: &CodexConfig,
    settings: &Value,
) -> Result<(), CodexError> {
    let home = state.codex_home();
    let failed = |path: &Path, error: String| CodexError::Io {
        path: path.to_path_buf(),
        source: std::io::Error::other(error),
    };
    state.private_dir(&home).map_err(|e| failed(&home, e.to_string()))?;
    let file = home.join("config.toml");
    let text = toml::to_string(settings).map_err(|e| failed(&file, e.to_string()))?;
    let text = format!("# Written by patchbay before codex starts; changes are lost.\n{text}");
    state.write_private(&file, text.as_bytes()).map_err(|e| failed(&file, e.to_string()))?;
    let file = Some(login_file(env, config)).filter(|file| file.is_file());
    let login =
        file.filter(|_| config.scripted_base_url.is_none()).map_or(Login::Scripted, Login::File);
    link_login(&home.join("auth.json"), &login)?;
    survey(env, config, settings).place(state).map_err(|e| failed(&home, e.to_string()))
}

fn link_login(link: &Path, login: &Login) -> Result<(), CodexError> {
    let io = |source| CodexError::Io { path: link.to_path_buf(), source };
    let wanted = match login {
        Login::File(file) => Some(file),
        Login::Scripted | Login::Provider(..) | Login::Keyring(_) | Login::None(_) => None,
    };
    match std::fs::symlink_metadata(link) {
        Ok(meta) if meta.is_symlink() => {
            if std::fs::read_link(link).ok().as_ref() == wanted {
                return Ok(());
            }
            std::fs::remove_file(link).map_err(io)?;
        }
        // A login that was made under this home is the only copy: it stays.
        Ok(_) => return Ok(()),
        Err(_) => {}
    }
    match wanted {
        Some(file) => std::os::unix::fs::symlink(file, link).map_err(io),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_listed_variables_reach_codex_and_its_commands() {
        let env = Env::of([
            ("PATH", "/bin"),
            ("LC_ALL", "C"),
            ("OPENAI_API_KEY", "sk-x"),
            ("PATCHBAY_TOKEN", "t"),
            ("HTTPS_PROXY", "http://p"),
        ]);
        let names: Vec<String> =
            environment(&env).iter().map(|(n, _)| n.to_string_lossy().into_owned()).collect();
        assert_eq!(names, ["LC_ALL", "PATH", "TERM", "PATCHBAY_SCRIPTED_KEY"]);
        let policy = shell_policy(&env, Some(Path::new("/t")));
        assert_eq!(
            policy["set"],
            json!({"LC_ALL": "C", "PATH": "/bin", "TERM": "dumb", "TMPDIR": "/t"})
        );
    }

    #[test]
    fn the_login_is_linked_and_a_login_made_here_is_kept() {
        std::fs::create_dir_all("target/tmp").unwrap();
        let dir = tempfile::tempdir_in("target/tmp").unwrap();
        let theirs = dir.path().join("theirs.json");
        std::fs::write(&theirs, "{}").unwrap();
        let link = dir.path().join("auth.json");
        link_login(&link, &Login::File(theirs.clone())).unwrap();
        assert_eq!(std::fs::read_link(&link).unwrap(), theirs);
        link_login(&link, &Login::Scripted).unwrap();
        assert!(std::fs::symlink_metadata(&link).is_err());
        std::fs::write(&link, "own").unwrap();
        link_login(&link, &Login::File(theirs)).unwrap();
        assert_eq!(std::fs::read_to_string(&link).unwrap(), "own");
    }
}
