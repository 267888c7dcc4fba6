use super::Finding;
use crate::backend::BackendError;
use crate::clock::Clock;
use crate::codex::{
    self, BASELINE, Carried, CodexProgram, Login, Probed, locate, probed, sandbox_check,
};
use crate::config::Config;
use crate::paths::{Env, StateDir};

/// The codex program, its sandbox, the login, and what is carried over: four findings.
pub(super) async fn examine(env: &Env, state: &StateDir, config: &Config) -> Vec<Finding> {
    let found = locate(&config.codex, state, env).await;
    let sandbox = match &found {
        Ok(codex) => sandbox(codex, env, state).await,
        Err(_) => Finding::fail("sandbox", "not tried: there is no codex", "Mend codex first."),
    };
    vec![program(found, state), sandbox, login(env, config), carried(env, config)]
}

fn program(found: Result<CodexProgram, BackendError>, state: &StateDir) -> Finding {
    const ID: &str = "codex";
    const FIX: &str = "Run `patchbay install-codex`.";
    let codex = match found {
        Ok(codex) => codex,
        Err(BackendError::Unavailable { message, hint, .. }) => {
            return Finding::fail(ID, message, hint);
        }
        Err(error) => return Finding::fail(ID, error.to_string(), FIX),
    };
    let CodexProgram { version, source, binary, .. } = &codex;
    let detail = format!("codex {version} ({source}), whole: {}", binary.display());
    if *version == BASELINE {
        return Finding::pass(ID, detail);
    }
    let tested = format!("`patchbay install-codex` fetches {BASELINE}, which is tested.");
    let newer = format!("{detail}; newer than the tested {BASELINE}");
    match probed(state, &codex, Clock::system().now_ms()) {
        Err(error) => Finding::fail(ID, format!("{detail}; it cannot be read: {error}"), FIX),
        Ok(None) => Finding::warn(ID, format!("{newer}; its first turn probes it"), tested),
        Ok(Some(Probed { failed: None, .. })) => {
            Finding::pass(ID, format!("{newer}; it passed the probe"))
        }
        Ok(Some(Probed { failed: Some((step, how)), .. })) => {
            let detail = format!("{newer}; it failed the probe at step {step}: {how}");
            Finding::fail(
                ID,
                detail,
                format!("{tested} The same one is probed again after an hour."),
            )
        }
    }
}

/// Whether codex's sandbox works: without one no turn is run.
async fn sandbox(codex: &CodexProgram, env: &Env, state: &StateDir) -> Finding {
    const ID: &str = "sandbox";
    match sandbox_check(codex, env, state).await {
        Ok(()) => Finding::pass(ID, "codex's sandbox works on this machine"),
        Err(error) => Finding::fail(
            ID,
            error.to_string(),
            "Allow unprivileged user namespaces (sysctl kernel.unprivileged_userns_clone=1, or \
             kernel.apparmor_restrict_unprivileged_userns=0 on Ubuntu); in a container allow them \
             there.",
        ),
    }
}

/// Where the login is. No secret is read: a file that is there counts.
fn login(env: &Env, config: &Config) -> Finding {
    const ID: &str = "login";
    match codex::login(env, &config.codex) {
        Login::Scripted => Finding::pass(ID, "none is needed: the model is scripted"),
        Login::Provider(name, unset) if unset.is_empty() => {
            Finding::pass(ID, format!("none is needed: the provider `{name}` has its own key"))
        }
        Login::Provider(name, unset) => Finding::fail(
            ID,
            format!("the provider `{name}` wants {}, which is not set", unset.join(", ")),
            "Set it in the environment that patchbay is started in.",
        ),
        Login::File(file) => Finding::pass(ID, format!("{} is used, by a link", file.display())),
        Login::Keyring(_) => Finding::fail(
            ID,
            "codex keeps its login in the system's keyring, where patchbay's codex cannot see it",
            "Set cli_auth_credentials_store = \"file\" in your codex config.toml and run `codex login`.",
        ),
        Login::None(missing) => {
            let detail = format!("there is no login: {} does not exist", missing.display());
            Finding::fail(ID, detail, "Run `codex login` (a ChatGPT account or an API key).")
        }
    }
}

/// What workers get of the user's own codex home.
fn carried(env: &Env, config: &Config) -> Finding {
    const ID: &str = "carried";
    let Carried { items, problems } = codex::carried(env, &config.codex);
    let taken = items.iter().filter(|item| item.taken).count();
    let detail = match items.len() {
        0 => "your codex home has nothing to carry over".to_owned(),
        all => format!("{taken} of {all} things of your codex home count for workers"),
    };
    let finding = if problems.is_empty() {
        Finding::pass(ID, detail)
    } else {
        let fix = "Mend it in your codex home, or take it out of the configuration.";
        Finding::warn(ID, format!("{detail}; {}", problems.join("; ")), fix)
    };
    finding.with(items)
}
