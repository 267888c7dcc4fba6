use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Section `workers`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct WorkersConfig {
    /// Largest file page of a worker view in bytes. Default 200,000.
    #[schemars(range(min = 1_000, max = 50_000_000))]
    pub file_response_max_bytes: usize,
    /// A stop of a turn younger than this asks for confirmation, in seconds. Default 300.
    #[schemars(range(min = 0, max = 86_400))]
    pub stop_confirmation_grace_seconds: u64,
}

impl Default for WorkersConfig {
    fn default() -> Self {
        Self { file_response_max_bytes: 200_000, stop_confirmation_grace_seconds: 300 }
    }
}
