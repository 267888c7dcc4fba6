use crate::codex::{self, Login};
use crate::config::CodexConfig;
use crate::paths::Env;
use anyhow::bail;

/// What a live demo is going to use, in words for the user.
///
/// # Errors
/// There is no login that it could use; the text says what to do.
pub(super) fn used(user: &Env) -> anyhow::Result<String> {
    let config = CodexConfig::default();
    let whose = match codex::login(user, &config) {
        Login::File(file) => format!("your login, by a link to {}", file.display()),
        Login::Provider(name, unset) if unset.is_empty() => {
            format!("your provider `{name}`, which needs no login")
        }
        Login::Provider(name, unset) => bail!(
            "no_login: your provider `{name}` wants {}, which is not set. Set it, and try again",
            unset.join(", ")
        ),
        Login::Keyring(_) => bail!(
            "no_login: your codex keeps its login in the system's keyring. Set \
             cli_auth_credentials_store = \"file\" in its config.toml and run `codex login`"
        ),
        Login::Scripted | Login::None(_) => {
            bail!("no_login: there is no login. Run `codex login`, or play the demo without --live")
        }
    };
    let taken: Vec<String> = codex::carried(user, &config)
        .items
        .into_iter()
        .filter(|item| item.taken)
        .map(|item| item.name)
        .collect();
    let more = if taken.is_empty() {
        String::new()
    } else {
        format!(" Of your codex home it takes: {}.", taken.join(", "))
    };
    Ok(format!(
        "This uses {whose}: one short turn of a real model, which counts against your account. The \
         repository and the state directory are disposable.{more}"
    ))
}
