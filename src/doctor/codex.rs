use super::Finding;
use crate::backend::BackendError;
use crate::codex::{BASELINE, CodexProgram, locate};
use crate::config::Config;
use crate::paths::{Env, StateDir};
use crate::process::Run;
use std::path::PathBuf;
use std::time::Duration;

/// The codex program, its sandbox, and the login: three findings.
pub(super) async fn examine(env: &Env, state: &StateDir, config: &Config) -> Vec<Finding> {
    let found = locate(&config.codex, state, env).await;
    let sandbox = match &found {
        Ok(codex) => sandbox(codex, env, state).await,
        Err(_) => Finding::fail("sandbox", "not tried: there is no codex", "Mend codex first."),
    };
    vec![program(found), sandbox, login(env, config)]
}

fn program(found: Result<CodexProgram, BackendError>) -> Finding {
    match found {
        Ok(codex) => {
            let detail = format!(
                "codex {} ({}), whole: {}",
                codex.version,
                codex.source,
                codex.binary.display()
            );
            if codex.version == BASELINE {
                return Finding::pass("codex", detail);
            }
            let fix = format!("`patchbay install-codex` fetches {BASELINE}, which is tested.");
            Finding::warn("codex", format!("{detail}; newer than the tested {BASELINE}"), fix)
        }
        Err(BackendError::Unavailable { message, hint, .. }) => {
            Finding::fail("codex", message, hint)
        }
        Err(error) => Finding::fail("codex", error.to_string(), "Run `patchbay install-codex`."),
    }
}

/// Runs `true` in codex's sandbox: without one no turn is run.
async fn sandbox(codex: &CodexProgram, env: &Env, state: &StateDir) -> Finding {
    const ID: &str = "sandbox";
    let home = match state.private_dir(&state.run().join("doctor")) {
        Ok(home) => home,
        Err(error) => return Finding::fail(ID, error.to_string(), "Mend the state directory."),
    };
    let run = Run::new(&codex.binary)
        .args(["sandbox", "--", "true"])
        .dir(&home)
        .env("CODEX_HOME", &home)
        .env("PATH", env.get("PATH").unwrap_or_default())
        .env("HOME", env.get("HOME").unwrap_or_default())
        .limit(Duration::from_secs(30));
    let told = match run.finish().await {
        Ok(done) if done.code == 0 => {
            return Finding::pass(ID, "codex's sandbox works on this machine");
        }
        Ok(done) => done.stderr.lines().last().unwrap_or("no word").to_owned(),
        Err(error) => error.to_string(),
    };
    Finding::fail(
        ID,
        format!("codex's sandbox does not work: {told}"),
        "Allow unprivileged user namespaces (sysctl kernel.unprivileged_userns_clone=1, or \
         kernel.apparmor_restrict_unprivileged_userns=0 on Ubuntu); in a container allow them there.",
    )
}

/// Where the login is. No secret is read: a file that is there counts.
fn login(env: &Env, config: &Config) -> Finding {
    const ID: &str = "login";
    if config.codex.scripted_base_url.is_some() {
        return Finding::pass(ID, "none is needed: the model is scripted");
    }
    let Some(home) = codex_home(env, config) else {
        return Finding::fail(ID, "no home directory is known", "Set HOME.");
    };
    let auth = home.join("auth.json");
    if auth.exists() {
        return Finding::pass(ID, format!("{} is used, by a link", auth.display()));
    }
    if in_keyring(&home) {
        return Finding::fail(
            ID,
            "codex keeps its login in the system's keyring, where patchbay's codex cannot see it",
            "Set cli_auth_credentials_store = \"file\" in your codex config.toml and run `codex login`.",
        );
    }
    let detail = format!("there is no login: {} does not exist", auth.display());
    Finding::fail(ID, detail, "Run `codex login` (a ChatGPT account or an API key).")
}

fn codex_home(env: &Env, config: &Config) -> Option<PathBuf> {
    let named = config.codex.user_home.clone().or_else(|| env.path("CODEX_HOME"));
    named.or_else(|| env.home().map(|home| home.join(".codex")))
}

fn in_keyring(home: &std::path::Path) -> bool {
    let text = std::fs::read_to_string(home.join("config.toml")).unwrap_or_default();
    let table: toml::Table = text.parse().unwrap_or_default();
    let store = table.get("cli_auth_credentials_store").and_then(toml::Value::as_str);
    matches!(store, Some("keyring" | "auto"))
}
