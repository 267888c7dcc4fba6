use super::profile;
use super::{CodexError, CodexProgram};
use crate::config::CodexConfig;
use crate::paths::{Env, StateDir};
use serde_json::{Map, Value, json};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// Variables that codex and the commands of workers get, where they are set. Nothing else is passed on.
const PASSED: &[&str] = &["PATH", "HOME", "LANG", "USER", "LOGNAME", "SHELL"];

/// The name of the variable that holds the key of the scripted model server.
const SCRIPTED_KEY: &str = "PATCHBAY_SCRIPTED_KEY";

/// The environment of codex itself.
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
    /// There is no `auth.json`; the login may be in a keyring, which a second home cannot share.
    None(PathBuf),
}

/// Looks where the user's login is; reads no secret.
#[must_use]
pub fn login(env: &Env, config: &CodexConfig) -> Login {
    if config.scripted_base_url.is_some() {
        return Login::Scripted;
    }
    let file = user_home(env, config).unwrap_or_default().join("auth.json");
    if file.is_file() { Login::File(file) } else { Login::None(file) }
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
        },
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
        "permissions": profile::profiles(&denied, &codex.vendor),
    });
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
    add_extra(&mut table, config);
    table
}

/// Adds the operator's own TOML; what stands already stays. The configuration was checked: it parses,
/// and names no key that decides what a worker may touch.
fn add_extra(table: &mut Value, config: &CodexConfig) {
    let text = config.extra_config.as_deref().unwrap_or_default();
    let Ok(Value::Object(extra)) = toml::from_str::<Value>(text) else { return };
    for (key, value) in extra {
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

/// Writes CODEX_HOME: config.toml, and `auth.json` as a link to the user's own, so that there is one
/// login and never two copies of a refresh token.
pub(super) fn write(state: &StateDir, settings: &Value, login: &Login) -> Result<(), CodexError> {
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
    link_login(&home.join("auth.json"), login)
}

fn link_login(link: &Path, login: &Login) -> Result<(), CodexError> {
    let io = |source| CodexError::Io { path: link.to_path_buf(), source };
    let wanted = match login {
        Login::File(file) => Some(file),
        Login::Scripted | Login::None(_) => None,
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
