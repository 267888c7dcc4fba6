//! Settings of the Python PatchBay that this program does not read, each with the way out.
//! `tests_legacy.rs` holds the whole list of that program's settings against this table.

/// A setting (`section.key`, or `section.*` for a whole section) and what to do instead.
type Row = (&'static str, &'static str);

const SERVER: &[Row] = &[
    ("server.max_concurrent_jobs", "write `server.max_concurrent_turns`"),
    ("server.queue_enabled", "turns always queue; `server.max_concurrent_turns` says how many run"),
    (
        "server.job_timeout_seconds",
        "turns have no time limit; `codex_worker_stop` ends one. Remove the key",
    ),
    (
        "server.codex_session_start_timeout_seconds",
        "codex is one long-lived process here, no session start is waited for. Remove the key",
    ),
    (
        "server.codex_startup_timeout_seconds",
        "codex is one long-lived process here, no session start is waited for. Remove the key",
    ),
    (
        "server.codex_post_completion_exit_grace_seconds",
        "codex does not exit after a turn here. Remove the key",
    ),
    (
        "server.codex_post_completion_cleanup_timeout_seconds",
        "codex does not exit after a turn here. Remove the key",
    ),
    (
        "server.codex_startup_serialization_enabled",
        "there is one codex process, so starts cannot race. Remove the key",
    ),
    (
        "server.stale_running_job_grace_seconds",
        "turns are picked up again at start by what codex says, not by age. Remove the key",
    ),
    ("server.job_cleanup_after_hours", "nothing is swept by age yet. Remove the key"),
    ("server.enable_cors", "list the origins in `server.allowed_origins`; an empty list is off"),
    ("server.tool_mode", "write `app.tool_mode`"),
    ("server.conversation_work_run_idle_seconds", "work runs do not exist here. Remove the key"),
    ("mcp.tool_mode", "write `app.tool_mode`"),
];

const OTHER_TUNNEL: &str = "only quick tunnels of Cloudflare are opened; run others beside patchbay, and \
     name them in `server.allowed_hosts`";

const DOORS: &[Row] = &[
    ("app.widget_domain", "result cards come in a later version. Remove the key"),
    ("app.tool_cards", "result cards come in a later version. Remove the key"),
    ("app.work_run_idle_seconds", "work runs do not exist here. Remove the key"),
    ("app.conversation_work_run_idle_seconds", "work runs do not exist here. Remove the key"),
    (
        "auth.token_env",
        "the token is made on first start and kept in the file `token` of the state directory; to \
         bring your own, write at least 32 letters and digits there (mode 0600)",
    ),
    ("auth.query_token_names", "the one name is `patchbay_token`; see `auth.allow_query_token`"),
    ("auth.require_for_non_loopback", "always so; see `auth.enabled`. Remove the key"),
    ("auth.require_for_tunnel", "always so; see `auth.enabled`. Remove the key"),
    ("auth.tunnel_mode", "write `tunnel.mode`: `off` or `cloudflare`"),
    ("tunnel.hostname", OTHER_TUNNEL),
    ("tunnel.tunnel_name", OTHER_TUNNEL),
    ("tunnel.ngrok", OTHER_TUNNEL),
    ("tunnel.cloudflare_config", OTHER_TUNNEL),
    ("tunnel.cloudflare_token_file", OTHER_TUNNEL),
    ("tunnel.cloudflare_token_env", OTHER_TUNNEL),
    ("tunnel.ngrok_config", OTHER_TUNNEL),
    (
        "ownership.scope",
        "owners are the chat where the client names it, else the connector. Remove the key",
    ),
];

const REPOSITORIES: &[Row] = &[
    ("repositories.projects_base", "was never used. Remove the key; see `repositories.allowed`"),
    (
        "repositories.aliases",
        "prefixes are not mapped; list the real paths in `repositories.allowed`",
    ),
    (
        "repositories.aliases.*",
        "prefixes are not mapped; list the real paths in `repositories.allowed`",
    ),
    ("repositories.discovery_roots", "list the directories in `repositories.allowed`"),
    ("repositories.max_discovery_depth", "discovery has fixed bounds; see `repositories.allowed`"),
    (
        "repositories.max_discovery_results",
        "discovery has fixed bounds; see `repositories.allowed`",
    ),
    ("locks.root", "locks are in the state directory's store; `PATCHBAY_HOME` moves it"),
];

const SECURITY: &[Row] = &[
    ("security.require_git_repo", "workers always need a git repository. Remove the key"),
    (
        "security.default_sandbox",
        "a worker's mode says what it may touch: `isolated_write` or `read_only`. Remove the key",
    ),
    ("security.allow_dangerously_bypass", "there is no way around the sandbox. Remove the key"),
    (
        "security.allowed_env_keys",
        "codex and workers get a fixed short list of variables. Remove the key",
    ),
    (
        "security.allowed_config_override_prefixes",
        "codex's configuration is written by patchbay alone; see section `codex`. Remove the key",
    ),
    ("security.context_dir", "handoff files come in a later version. Remove the key"),
    ("security.max_write_bytes", "no tool writes files directly yet. Remove the key"),
    ("security.max_search_timeout_ms", "write `security.search_timeout_ms`, which is the bound"),
    ("security.max_skill_count", "skills are not listed. Remove the key"),
    ("security.max_skill_bytes", "skills are not listed. Remove the key"),
];

const POWER: &[Row] = &[
    ("power_tools.codex_home", "write `codex.user_home`"),
    (
        "power_tools.*",
        "there are no shell or write tools yet; workers do that in their sandbox. Remove the section",
    ),
];

const WORKERS: &[Row] = &[
    ("workers.worktree_root", "worktrees are in the state directory; `PATCHBAY_HOME` moves it"),
    ("workers.worktrees_dir", "worktrees are in the state directory; `PATCHBAY_HOME` moves it"),
    (
        "workers.ignore_user_config",
        "always so: codex gets its own home; see section `codex`. Remove the key",
    ),
    ("workers.heartbeat_fresh_seconds", "states are exact, not guessed by age. Remove the key"),
    ("workers.heartbeat_quiet_seconds", "states are exact, not guessed by age. Remove the key"),
    (
        "workers.status_recommended_poll_seconds",
        "`codex_worker_wait` replaces polling. Remove the key",
    ),
    ("workers.status_minimum_poll_seconds", "`codex_worker_wait` replaces polling. Remove the key"),
    ("workers.stop_artifact_wait_seconds", "a stop waits for the report itself. Remove the key"),
    (
        "workers.integration_preview_token_ttl_seconds",
        "a preview token holds until the affected files change. Remove the key",
    ),
];

const LATER: &[Row] = &[
    ("artifacts.*", "artifacts come in a later version. Remove the section"),
    ("pro_requests.*", "Pro requests do not exist here. Remove the section"),
    (
        "logging.*",
        "logs are in `logs/` of the state directory, private, without prompts; `PATCHBAY_LOG` sets \
         the level. Remove the section",
    ),
    ("hub.*", "one machine is served; hub and edge do not exist here. Remove the section"),
];

const TABLES: [&[Row]; 7] = [SERVER, DOORS, REPOSITORIES, SECURITY, POWER, WORKERS, LATER];

/// Variables of the Python PatchBay that are set in some environments and mean nothing here.
const VARIABLES: &[Row] = &[
    ("PATCHBAY_HTTP_TOKEN", "the token is in the file `token` of the state directory"),
    ("PATCHBAY_TOKEN", "the token is in the file `token` of the state directory"),
    ("PATCHBAY_REQUIRE_HTTP_TOKEN", "a token is always required; see `auth.enabled`"),
    ("PATCHBAY_TUNNEL_MODE", "write `tunnel.mode`, or PATCHBAY_TUNNEL__MODE"),
    ("PATCHBAY_SESSION_REF_SALT", "refs are stable by themselves"),
];

/// The sentence for a setting that the Python PatchBay had and this program does not read.
pub(super) fn refusal(name: &str) -> Option<String> {
    let rows = || TABLES.into_iter().flatten();
    let exact = rows().find(|(key, _)| *key == name);
    let section = || rows().find(|(key, _)| covers(key, name));
    let (_, way_out) = exact.or_else(section)?;
    Some(format!("a setting of the Python PatchBay: {way_out}"))
}

/// The sentence for a variable that the Python PatchBay read and this program does not.
pub(super) fn variable_note(name: &str) -> Option<String> {
    let (name, way_out) = VARIABLES.iter().find(|(known, _)| *known == name)?;
    Some(format!("{name} is not read: {way_out}"))
}

/// Whether a row `section.*` covers the name, or the section itself when it holds no mapping.
fn covers(row: &str, name: &str) -> bool {
    row.strip_suffix(".*").is_some_and(|section| {
        name.strip_prefix(section).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_section_row_covers_its_keys_and_nothing_else() {
        assert!(refusal("hub.routing.weights.cpu_ratio").unwrap().contains("one machine"));
        assert!(refusal("hub").is_some());
        assert!(refusal("hubris.key").is_none());
        assert!(refusal("power_tools.codex_home").unwrap().contains("`codex.user_home`"));
    }
}
