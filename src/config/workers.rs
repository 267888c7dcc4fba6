use serde::Deserialize;

/// Section `workers`.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WorkersConfig {
    /// Largest file page of a worker view in bytes. Default 200,000.
    pub file_response_max_bytes: usize,
    /// A stop of a turn younger than this asks for confirmation, in seconds. Default 300.
    pub stop_confirmation_grace_seconds: u64,
}

impl Default for WorkersConfig {
    fn default() -> Self {
        Self { file_response_max_bytes: 200_000, stop_confirmation_grace_seconds: 300 }
    }
}
