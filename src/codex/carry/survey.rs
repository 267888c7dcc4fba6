use super::report::Carried;
use super::{files, mcp, model, read, skills};
use crate::config::CodexConfig;
use crate::paths::{Env, StateDir};
use serde_json::{Map, Value};
use std::io;
use std::path::{Path, PathBuf};

/// Keys of the user's config.toml that the parts of this room have told of already.
const TOLD: &[&str] =
    &["mcp_servers", "model", "model_provider", "model_providers", "model_reasoning_effort"];

/// What the user's codex home holds for workers. It may hold secrets and so has no `Debug`.
pub(in crate::codex) struct Survey {
    /// Members of our config.toml.
    pub(in crate::codex) settings: Map<String, Value>,
    /// What is told about it.
    pub(in crate::codex) carried: Carried,
    instructions: Vec<(&'static str, PathBuf)>,
    skills: Vec<(String, PathBuf)>,
}

impl Survey {
    /// Reads the codex home `user`. `set` is our config.toml without it; what it says stays.
    pub(in crate::codex) fn of(user: &Path, env: &Env, config: &CodexConfig, set: &Value) -> Self {
        let mut carried = Carried::default();
        let theirs = read::config(&user.join("config.toml")).unwrap_or_else(|why| {
            carried.missed("config.toml", format!("nothing of it is taken: {why}"));
            toml::Table::new()
        });
        let mut settings = model::choose(config, &theirs, set, &mut carried);
        let servers = mcp::servers(&config.mcp_servers, &theirs, &mut carried);
        if !servers.is_empty() {
            settings.insert("mcp_servers".to_owned(), Value::Object(servers));
        }
        let instructions = files::instructions(user, &mut carried);
        let skills = skills::find(user, &mut carried);
        if env.home().is_some_and(|home| home.join(".agents/skills").is_dir()) {
            carried.taken("~/.agents/skills", "codex reads them itself");
        }
        for key in theirs.keys().filter(|key| !TOLD.contains(&key.as_str())) {
            carried.left(key, why_left(key));
        }
        Self { settings, carried, instructions, skills }
    }

    /// Puts files into our codex home.
    ///
    /// # Errors
    /// When the file system refuses to link or copy.
    pub(in crate::codex) fn place(&self, state: &StateDir) -> io::Result<()> {
        files::link(&state.codex_home(), &self.instructions)?;
        let broken = skills::copy(state, &self.skills)?;
        if !broken.is_empty() {
            tracing::warn!(
                ?broken,
                "skills were copied in part: links and large files stay behind"
            );
        }
        Ok(())
    }
}

/// What patchbay decides itself, whatever the user's own codex does.
const OURS: &[&str] = &[
    "agents",
    "allow_login_shell",
    "analytics",
    "approval_policy",
    "check_for_update_on_startup",
    "cli_auth_credentials_store",
    "default_permissions",
    "features",
    "feedback",
    "history",
    "otel",
    "permissions",
    "projects",
    "sandbox_mode",
    "sandbox_workspace_write",
    "shell_environment_policy",
    "web_search",
];

fn why_left(key: &str) -> &'static str {
    match key {
        "profile" | "profiles" => "profiles are not read; see codex.model and codex.extra_config",
        "notify" | "hooks" => "programs of yours are not started",
        "tui" => "it is for the terminal",
        _ if OURS.contains(&key) => "patchbay sets its own",
        _ => "not carried over; codex.extra_config takes it",
    }
}
