//! About the connection itself: is it ready, which settings, which tool modes. Nothing here starts a
//! process or reads the disk: hosts call these often.

use super::super::facts::ModeFacts;
use super::super::registry::mode_name;
use super::super::{Answer, Call, Check, CheckStatus, Facts, Hints, ToolError, ToolSpec, tool};
use crate::config::ToolMode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The family's tools.
pub(crate) fn tools(facts: &Facts) -> Vec<ToolSpec> {
    vec![self_test_tool(facts.clone()), config_tool(), mode_info_tool(facts.clone())]
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Nothing {}

#[derive(Serialize, JsonSchema)]
struct SelfTest {
    /// Always `patchbay`.
    name: &'static str,
    #[schemars(skip)]
    version: &'static str,
    /// No check failed.
    ready: bool,
    checks: Vec<Check>,
    tool_mode: &'static str,
    /// This client, as other results name it.
    client_ref: String,
    /// This chat or connector, as the owner of workers.
    owner_ref: String,
    /// Sessions open now, of all clients.
    active_sessions: usize,
    /// Clients that called within 15 minutes.
    #[schemars(skip)]
    recent_clients: usize,
    #[schemars(skip)]
    coordination: &'static str,
}

const COORDINATION: &str = "Several chats may use this server at once. Everything can be read by all; \
a worker belongs to the chat that started it, and another chat changes it only after the user agrees. \
repo_busy means: try again later.";

fn self_test_tool(facts: Facts) -> ToolSpec {
    tool::<Nothing, SelfTest, _, _>(
        "codex_self_test",
        "Codex Self Test",
        "Whether patchbay is ready and what to do if not, this connection's client_ref, how many clients share the server. Cheap; call it first.",
        ToolMode::Minimal,
        Hints::READ,
        ("Checking connector", "Connector checked"),
        move |call, Nothing {}| {
            let done = self_test(&facts, call);
            async move { done }
        },
    )
}

fn self_test(facts: &Facts, call: Call) -> Result<Answer, ToolError> {
    let checks = facts.checks();
    let failed: Vec<&str> = checks
        .iter()
        .filter(|check| check.status == CheckStatus::Fail)
        .map(|check| check.detail.as_str())
        .collect();
    let (ready, tool_mode) = (failed.is_empty(), mode_name(call.app.config.app.tool_mode));
    let text = if ready {
        format!("patchbay {} is ready (tool mode {tool_mode}).", env!("CARGO_PKG_VERSION"))
    } else {
        format!("patchbay is not ready: {}.", failed.join("; "))
    };
    let result = SelfTest {
        name: "patchbay",
        version: env!("CARGO_PKG_VERSION"),
        ready,
        checks,
        tool_mode,
        client_ref: call.caller.client_ref,
        owner_ref: call.caller.owner_ref,
        active_sessions: facts.presence.open_sessions(),
        recent_clients: facts.presence.recent_clients(call.app.clock.now_ms()),
        coordination: COORDINATION,
    };
    Answer::new(&result, text)
}

#[derive(Serialize, JsonSchema)]
struct Settings {
    tool_mode: &'static str,
    max_concurrent_turns: u32,
    /// Model of workers whose brief names none; absent: codex's own default.
    default_model: Option<String>,
    /// Reasoning effort of workers whose brief names none; absent: codex's own default.
    default_effort: Option<String>,
    /// Whether a call may leave out repo_path.
    has_default_repository: bool,
    allowed_roots: usize,
    max_read_bytes: usize,
    max_diff_bytes: usize,
    max_search_results: usize,
    /// Globs of paths that no tool shows.
    blocked_globs: Vec<String>,
    stop_confirmation_grace_seconds: u64,
    http_auth: bool,
}

fn config_tool() -> ToolSpec {
    tool::<Nothing, Settings, _, _>(
        "codex_get_config",
        "Codex Get Config",
        "The settings that matter to a chat: limits, defaults, what is hidden. No secrets, no paths.",
        ToolMode::Standard,
        Hints::READ,
        ("Reading config", "Config ready"),
        |call, Nothing {}| async move { settings(&call) },
    )
}

fn settings(call: &Call) -> Result<Answer, ToolError> {
    let config = &call.app.config;
    let settings = Settings {
        tool_mode: mode_name(config.app.tool_mode),
        max_concurrent_turns: config.server.max_concurrent_turns,
        default_model: config.codex.model.clone(),
        default_effort: config.codex.reasoning_effort.clone(),
        has_default_repository: config.repositories.default.is_some(),
        allowed_roots: config.repositories.allowed.len()
            + usize::from(config.repositories.default.is_some()),
        max_read_bytes: config.security.max_read_bytes,
        max_diff_bytes: config.security.max_diff_bytes,
        max_search_results: config.security.max_search_results,
        blocked_globs: config.security.blocked_globs.clone(),
        stop_confirmation_grace_seconds: config.workers.stop_confirmation_grace_seconds,
        http_auth: config.auth.enabled,
    };
    let text = format!(
        "Tool mode {}, at most {} turns at once.",
        settings.tool_mode, settings.max_concurrent_turns
    );
    Answer::new(&settings, text)
}

#[derive(Serialize, JsonSchema)]
struct Modes {
    current_mode: &'static str,
    available_modes: Vec<String>,
    modes: Vec<ModeFacts>,
    /// How a changed mode reaches a chat.
    chatgpt_refresh_note: &'static str,
}

fn mode_info_tool(facts: Facts) -> ToolSpec {
    tool::<Nothing, Modes, _, _>(
        "codex_tool_mode_info",
        "Codex Tool Mode Info",
        "The tool modes of this server: which is active, and which tools each one shows.",
        ToolMode::Standard,
        Hints::READ,
        ("Checking tool modes", "Tool modes ready"),
        move |call, Nothing {}| {
            let done = mode_info(&facts, &call);
            async move { done }
        },
    )
}

fn mode_info(facts: &Facts, call: &Call) -> Result<Answer, ToolError> {
    let modes = facts.modes().to_vec();
    let current_mode = mode_name(call.app.config.app.tool_mode);
    let counts: Vec<String> =
        modes.iter().map(|m| format!("{} {}", m.mode, m.tool_count)).collect();
    let text = format!("Tool mode {current_mode}. Tools a mode: {}.", counts.join(", "));
    let result = Modes {
        current_mode,
        available_modes: modes.iter().map(|m| m.mode.clone()).collect(),
        modes,
        chatgpt_refresh_note: "The operator sets the mode. A host that keeps tool lists shows the change \
            after its connector is refreshed.",
    };
    Answer::new(&result, text)
}
