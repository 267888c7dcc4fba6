use super::home::{self, Login};
use crate::backend;
use crate::config::CodexConfig;
use crate::paths::{Env, StateDir};
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};

/// Notes which login codex is being started with: it reads the file at its start and never again (seen on
/// 0.169.0). A failure only costs a restart of codex after a refusal.
pub(super) fn note(state: &StateDir, login: &Login) {
    let mark = mark(file(login));
    if let Err(error) = state.write_private(&noted(state), mark.as_bytes()) {
        tracing::warn!(%error, "the login in use could not be noted");
    }
}

/// The login as it is, and the one that codex runs with.
pub(super) fn look(state: &StateDir, env: &Env, config: &CodexConfig) -> backend::Login {
    let login = home::login(env, config);
    let mark = mark(file(&login));
    let used = std::fs::read_to_string(noted(state)).unwrap_or_else(|_| mark.clone());
    backend::Login { mark, used, file: file(&login).map(Path::to_path_buf) }
}

fn noted(state: &StateDir) -> PathBuf {
    state.run().join("login.mark")
}

fn file(login: &Login) -> Option<&Path> {
    match login {
        Login::File(file) => Some(file),
        Login::None(_) | Login::Scripted | Login::Provider(..) | Login::Keyring(_) => None,
    }
}

/// A digest of the file, through links; that of nothing when there is none.
fn mark(file: Option<&Path>) -> String {
    let content = file.and_then(|file| std::fs::read(file).ok()).unwrap_or_default();
    hex::encode(Sha256::digest(content))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_that_changed_has_another_mark_than_the_one_in_use() {
        std::fs::create_dir_all("target/tmp").unwrap();
        let dir = tempfile::tempdir_in("target/tmp").unwrap();
        let root = dir.path().canonicalize().unwrap();
        let state = StateDir::open(&root.join("state")).unwrap();
        let env = Env::of([("CODEX_HOME", root.to_str().unwrap())]);
        let seen = || look(&state, &env, &CodexConfig::default());
        assert_eq!(seen().file, None);
        let file = root.join("auth.json");
        std::fs::write(&file, "one").unwrap();
        note(&state, &Login::File(file.clone()));
        assert_eq!((seen().used, seen().file), (seen().mark, Some(file.clone())));
        std::fs::write(&file, "two").unwrap();
        assert_ne!(seen().used, seen().mark);
    }
}
