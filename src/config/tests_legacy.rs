//! Every setting of the Python PatchBay is honoured under the same name, or refused with a way out.

use super::{ConfigError, Layers};
use serde_json::{Value, json};

/// Honoured: same name, same meaning. With a value that differs from our default.
fn honoured() -> Vec<(&'static str, Value)> {
    vec![
        ("server.host", json!("localhost")),
        ("server.port", json!(8123)),
        ("server.max_request_bytes", json!(1_048_576)),
        ("server.allowed_origins", json!(["http://localhost:3000"])),
        ("app.tool_mode", json!("full")),
        ("auth.enabled", json!(false)),
        ("auth.allow_query_token", json!(false)),
        ("tunnel.cloudflared", json!("/opt/cloudflared")),
        ("tunnel.timeout_seconds", json!(90)),
        ("repositories.default", json!("/srv/one")),
        ("repositories.allowed", json!(["/srv"])),
        ("security.max_read_bytes", json!(5_000_000)),
        ("security.max_diff_bytes", json!(5_000_000)),
        ("security.max_search_results", json!(1000)),
        ("security.search_timeout_ms", json!(30_000)),
        ("security.max_tree_entries", json!(5000)),
        ("security.blocked_globs", json!([])),
        ("workers.file_response_max_bytes", json!(1_000_000)),
        ("workers.stop_confirmation_grace_seconds", json!(60)),
    ]
}

/// Refused, and a word the refusal must hold: the name of ours where there is one.
const REFUSED: &[(&str, &str)] = &[
    ("server.max_concurrent_jobs", "server.max_concurrent_turns"),
    ("server.queue_enabled", "server.max_concurrent_turns"),
    ("server.job_timeout_seconds", "codex_worker_stop"),
    ("server.codex_session_start_timeout_seconds", "Remove"),
    ("server.codex_startup_timeout_seconds", "Remove"),
    ("server.codex_post_completion_exit_grace_seconds", "Remove"),
    ("server.codex_post_completion_cleanup_timeout_seconds", "Remove"),
    ("server.codex_startup_serialization_enabled", "Remove"),
    ("server.stale_running_job_grace_seconds", "Remove"),
    ("server.job_cleanup_after_hours", "Remove"),
    ("server.enable_cors", "server.allowed_origins"),
    ("server.tool_mode", "app.tool_mode"),
    ("mcp.tool_mode", "app.tool_mode"),
    ("app.widget_domain", "Remove"),
    ("app.tool_cards", "Remove"),
    ("app.work_run_idle_seconds", "Remove"),
    ("app.conversation_work_run_idle_seconds", "Remove"),
    ("auth.token_env", "`token`"),
    ("auth.query_token_names", "auth.allow_query_token"),
    ("auth.require_for_non_loopback", "auth.enabled"),
    ("auth.require_for_tunnel", "auth.enabled"),
    ("auth.tunnel_mode", "tunnel.mode"),
    ("ownership.scope", "Remove"),
    ("tunnel.hostname", "server.allowed_hosts"),
    ("tunnel.tunnel_name", "server.allowed_hosts"),
    ("tunnel.ngrok", "server.allowed_hosts"),
    ("tunnel.cloudflare_config", "server.allowed_hosts"),
    ("tunnel.cloudflare_token_file", "server.allowed_hosts"),
    ("tunnel.cloudflare_token_env", "server.allowed_hosts"),
    ("tunnel.ngrok_config", "server.allowed_hosts"),
    ("repositories.projects_base", "repositories.allowed"),
    ("repositories.aliases", "repositories.allowed"),
    ("repositories.aliases.from", "repositories.allowed"),
    ("repositories.discovery_roots", "repositories.allowed"),
    ("repositories.max_discovery_depth", "repositories.allowed"),
    ("repositories.max_discovery_results", "repositories.allowed"),
    ("security.require_git_repo", "Remove"),
    ("security.default_sandbox", "read_only"),
    ("security.allow_dangerously_bypass", "Remove"),
    ("security.allowed_env_keys", "Remove"),
    ("security.allowed_config_override_prefixes", "section `codex`"),
    ("security.context_dir", "Remove"),
    ("security.max_write_bytes", "Remove"),
    ("security.max_search_timeout_ms", "security.search_timeout_ms"),
    ("security.max_skill_count", "Remove"),
    ("security.max_skill_bytes", "Remove"),
    ("power_tools.direct_write", "Remove"),
    ("power_tools.bash_mode", "Remove"),
    ("power_tools.bash_transcript", "Remove"),
    ("power_tools.bash_session_id", "Remove"),
    ("power_tools.require_bash_session", "Remove"),
    ("power_tools.bash_timeout_ms", "Remove"),
    ("power_tools.bash_max_output_bytes", "Remove"),
    ("power_tools.codex_session_read", "Remove"),
    ("power_tools.codex_home", "codex.user_home"),
    ("power_tools.codex_session_max_messages", "Remove"),
    ("workers.worktree_root", "PATCHBAY_HOME"),
    ("workers.worktrees_dir", "PATCHBAY_HOME"),
    ("workers.ignore_user_config", "section `codex`"),
    ("workers.heartbeat_fresh_seconds", "Remove"),
    ("workers.heartbeat_quiet_seconds", "Remove"),
    ("workers.status_recommended_poll_seconds", "codex_worker_wait"),
    ("workers.status_minimum_poll_seconds", "codex_worker_wait"),
    ("workers.stop_artifact_wait_seconds", "Remove"),
    ("workers.integration_preview_token_ttl_seconds", "Remove"),
    ("artifacts.enabled", "Remove"),
    ("artifacts.root", "Remove"),
    ("artifacts.allowed_download_schemes", "Remove"),
    ("artifacts.download_timeout_seconds", "Remove"),
    ("artifacts.max_archive_bytes", "Remove"),
    ("artifacts.max_unpacked_bytes", "Remove"),
    ("artifacts.max_file_count", "Remove"),
    ("artifacts.max_single_file_bytes", "Remove"),
    ("pro_requests.root", "Remove"),
    ("pro_requests.mirror_enabled", "Remove"),
    ("pro_requests.mirror_dir", "Remove"),
    ("pro_requests.max_report_bytes", "Remove"),
    ("pro_requests.max_response_bytes", "Remove"),
    ("pro_requests.max_attachment_bytes", "Remove"),
    ("pro_requests.max_attachments_per_request", "Remove"),
    ("pro_requests.retention_days", "Remove"),
    ("logging.audit_file", "`logs/`"),
    ("logging.job_logs_dir", "`logs/`"),
    ("logging.job_state_dir", "`logs/`"),
    ("logging.private_evidence_dir", "`logs/`"),
    ("logging.worktrees_dir", "`logs/`"),
    ("logging.job_log_max_bytes", "`logs/`"),
    ("logging.process_capture_max_bytes", "`logs/`"),
    ("logging.process_event_line_max_bytes", "`logs/`"),
    ("logging.write_raw_job_logs", "`logs/`"),
    ("logging.access_log", "`logs/`"),
    ("logging.private_evidence_log", "`logs/`"),
    ("logging.store_job_prompts", "`logs/`"),
    ("logging.store_mcp_transcripts", "`logs/`"),
    ("logging.log_prompt_bodies", "`logs/`"),
    ("logging.log_response_bodies", "`logs/`"),
    ("locks.root", "PATCHBAY_HOME"),
    ("hub.control_plane", "Remove"),
    ("hub.integration_preview_token_ttl_seconds", "Remove"),
    ("hub.edge.journal_file", "Remove"),
    ("hub.edge.resource_overrides.disk_free_bytes", "Remove"),
    ("hub.routing.weights.worker_ratio", "Remove"),
];

fn nested(name: &str, value: Value) -> String {
    let wrap = |value: Value, key: &str| json!({ key: value });
    name.rsplit('.').fold(value, wrap).to_string() // JSON is YAML
}

#[test]
fn the_honoured_ones_take_effect() {
    for (name, value) in honoured() {
        let mut layers = Layers::new(None);
        layers.text("old.yaml", &nested(name, value.clone())).unwrap();
        let config = serde_json::to_value(layers.build().unwrap()).unwrap();
        let (section, key) = name.split_once('.').unwrap();
        assert_eq!(config[section][key], value, "{name}");
    }
}

#[test]
fn the_others_are_refused_with_a_way_out() {
    for (name, word) in REFUSED {
        let mut layers = Layers::new(None);
        layers.text("old.yaml", &nested(name, json!("x"))).unwrap();
        let Err(ConfigError::Refused(problems)) = layers.build() else { panic!("{name}") };
        assert_eq!(problems.len(), 1, "{name}: {problems:?}");
        let message = &problems[0].message;
        assert!(message.starts_with("a setting of the Python PatchBay: "), "{name}: {message}");
        assert!(message.contains(word), "{name}: {message}");
    }
}

#[test]
fn a_name_of_ours_in_a_refusal_exists() {
    let ours = serde_json::to_value(super::Config::default()).unwrap();
    let mut seen = 0;
    for (name, word) in REFUSED {
        let Some((section, key)) = word.split_once('.') else { continue };
        assert!(ours[section].get(key).is_some(), "{name} points at {word}");
        seen += 1;
    }
    assert!(seen > 10, "{seen}");
}
