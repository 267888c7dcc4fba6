use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Section `auth`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct AuthConfig {
    /// Whether HTTP asks for the token. `false` is honoured on loopback only, never with a tunnel.
    pub enabled: bool,
    /// Whether `?patchbay_token=` is accepted beside the path and the header. Default true.
    pub allow_query_token: bool,
}

impl Default for AuthConfig {
    fn default() -> Self {
        Self { enabled: true, allow_query_token: true }
    }
}
