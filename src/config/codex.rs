use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Section `codex`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct CodexConfig {
    /// The codex binary. Default: the installed copy in the state directory, else `PATH`.
    pub bin: Option<PathBuf>,
    /// The user's own codex home, whose login is used. Default `$CODEX_HOME`, else `~/.codex`.
    pub user_home: Option<PathBuf>,
    /// Model of workers whose brief names none. Default: codex's own.
    pub model: Option<String>,
    /// Reasoning effort of workers whose brief names none. Default: codex's own.
    pub reasoning_effort: Option<String>,
    /// MCP servers of the user's own codex configuration that workers get; no other is started. They run
    /// outside of the sandbox, as they do for the user. Default none.
    pub mcp_servers: Vec<String>,
    /// Whether a worker may start sub-agents of codex. Default false.
    pub sub_agents: bool,
    /// Base URL of a Responses API that needs no account: the scripted model server of demo and tests.
    pub scripted_base_url: Option<String>,
    /// Further TOML for codex's own configuration (model providers, for example). Keys that decide
    /// what a worker may touch are refused, and codex refuses what it does not know.
    pub extra_config: Option<String>,
    /// Whether workers may ask to leave their sandbox. `never` (the default): they cannot, nobody is
    /// asked. `on-request`: what codex asks for waits for a decision. Workers that only read never ask.
    pub approval_policy: ApprovalPolicy,
}

/// Who decides about what would leave the sandbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ApprovalPolicy {
    /// Nobody is asked: it does not leave.
    #[default]
    Never,
    /// The chat decides each time.
    OnRequest,
}
