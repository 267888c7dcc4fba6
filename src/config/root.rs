use super::{
    AppConfig, AuthConfig, ChecksConfig, CodexConfig, RepositoriesConfig, SecurityConfig,
    ServerConfig, TunnelConfig, WorkersConfig,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// All settings, after defaults.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where the server listens and how much it takes at once.
    pub server: ServerConfig,
    /// What a chat sees.
    pub app: AppConfig,
    /// Who may connect.
    pub auth: AuthConfig,
    /// How the server is reached from outside.
    pub tunnel: TunnelConfig,
    /// Which repositories exist for a chat.
    pub repositories: RepositoriesConfig,
    /// Bounds of what is read and returned.
    pub security: SecurityConfig,
    /// Workers and their worktrees.
    pub workers: WorkersConfig,
    /// What is run on a merged result before it is applied.
    pub checks: ChecksConfig,
    /// The codex binary and what is passed on to it.
    pub codex: CodexConfig,
}
