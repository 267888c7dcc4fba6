use super::{Config, TunnelMode};
use std::net::IpAddr;
use std::path::{Path, PathBuf};

/// Replaces `~` at the start of a path setting by the home directory.
pub(super) fn expand_home(config: &mut Config, home: Option<&Path>) {
    let Some(home) = home else { return };
    let codex = &mut config.codex;
    let paths = [
        &mut config.repositories.default,
        &mut config.tunnel.cloudflared,
        &mut codex.bin,
        &mut codex.user_home,
    ];
    for path in paths.into_iter().flatten().chain(&mut config.repositories.allowed) {
        if let Ok(rest) = path.strip_prefix("~") {
            *path = home.join(rest);
        }
    }
}

/// What is wrong with values that have the right type and size: by key.
pub(super) fn problems(config: &Config) -> Vec<(&'static str, String)> {
    let mut found = Vec::new();
    found.extend(server(config));
    found.extend(globs(config));
    found.extend(paths(config));
    found.extend(extra(config));
    found.extend(servers(config));
    found.extend(checks(config));
    found
}

fn servers(config: &Config) -> Vec<(&'static str, String)> {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    let bad = |name: &&String| name.is_empty() || name.len() > 64 || !name.chars().all(fits);
    let names = config.codex.mcp_servers.iter().filter(bad);
    names.map(|name| ("codex.mcp_servers", format!("{name:?} is no name of a server"))).collect()
}

fn checks(config: &Config) -> Vec<(&'static str, String)> {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    let commands = &config.checks.commands;
    let mut found = Vec::new();
    for (name, command) in commands {
        if name.is_empty() || name.len() > 64 || !name.chars().all(fits) {
            let message = format!("{name:?} is no name: letters, digits, - and _, at most 64");
            found.push(("checks.commands", message));
        }
        if command.trim().is_empty() || command.contains('\0') {
            found.push(("checks.commands", format!("{name:?} has no command")));
        }
    }
    let required = config.checks.require_checks.iter();
    found.extend(
        required.filter(|name| !commands.contains_key(*name)).map(|name| {
            ("checks.require_checks", format!("{name:?} is not among checks.commands"))
        }),
    );
    found
}

/// Keys of codex's configuration that are patchbay's: they decide what a worker may touch or start.
const OURS: &[&str] = &[
    "allow_login_shell",
    "approval_policy",
    "default_permissions",
    "mcp_servers",
    "permissions",
    "profiles",
    "projects",
    "sandbox_mode",
    "sandbox_workspace_write",
    "shell_environment_policy",
];

fn extra(config: &Config) -> Vec<(&'static str, String)> {
    const KEY: &str = "codex.extra_config";
    match config.codex.extra_config.as_deref().unwrap_or_default().parse::<toml::Table>() {
        Err(error) => vec![(KEY, format!("is no TOML: {}", error.message()))],
        Ok(table) => table
            .keys()
            .filter(|key| OURS.contains(&key.as_str()))
            .map(|key| (KEY, format!("{key} is patchbay's to set")))
            .collect(),
    }
}

/// Whether an address to listen on is reachable from this machine only.
#[must_use]
pub fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    bare.eq_ignore_ascii_case("localhost")
        || bare.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

fn server(config: &Config) -> Vec<(&'static str, String)> {
    let mut found = Vec::new();
    if !config.auth.enabled && !is_loopback(&config.server.host) {
        let message = format!(
            "cannot be off while the server listens on {}: other machines could reach it without a token",
            config.server.host
        );
        found.push(("auth.enabled", message));
    }
    if !config.auth.enabled && config.tunnel.mode != TunnelMode::Off {
        let message = "no tunnel is opened while `auth.enabled` is false: anybody could use it";
        found.push(("tunnel.mode", message.to_owned()));
    }
    for origin in &config.server.allowed_origins {
        let host = origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://"));
        if host.is_none_or(|h| h.is_empty() || h.contains(['/', '*', ' '])) {
            let message = format!(
                "{origin:?} is no origin; write scheme and host, as in https://example.com"
            );
            found.push(("server.allowed_origins", message));
        }
    }
    for host in &config.server.allowed_hosts {
        if host.is_empty() || host.contains(['/', '*', ' ', '@']) {
            found.push(("server.allowed_hosts", format!("{host:?} is no host name")));
        }
    }
    found
}

fn globs(config: &Config) -> Vec<(&'static str, String)> {
    let bad = |glob: &String| {
        let error = globset::Glob::new(glob).err()?;
        Some(("security.blocked_globs", error.to_string()))
    };
    config.security.blocked_globs.iter().filter_map(bad).collect()
}

fn paths(config: &Config) -> Vec<(&'static str, String)> {
    let relative = |key: &'static str, path: &PathBuf| {
        (!path.is_absolute()).then(|| (key, format!("{} is not an absolute path", path.display())))
    };
    let wide = |key: &'static str, path: &PathBuf| {
        let message = "the whole disk cannot be an allowed root; name the directories you mean";
        (key.starts_with("repositories.") && path == Path::new("/"))
            .then(|| (key, message.to_owned()))
    };
    let single = [
        ("repositories.default", &config.repositories.default),
        ("codex.bin", &config.codex.bin),
        ("tunnel.cloudflared", &config.tunnel.cloudflared),
        ("codex.user_home", &config.codex.user_home),
    ];
    let single = single.into_iter().filter_map(|(key, path)| Some((key, path.as_ref()?)));
    let many = config.repositories.allowed.iter().map(|path| ("repositories.allowed", path));
    single
        .chain(many)
        .flat_map(|(key, path)| relative(key, path).into_iter().chain(wide(key, path)))
        .collect()
}
