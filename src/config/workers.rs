use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What becomes of a turn that broke off because codex died.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ResumeInterrupted {
    /// It stays interrupted; a message to its worker goes on.
    Ask,
    /// It is continued, once.
    #[default]
    Auto,
}

/// Section `workers`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct WorkersConfig {
    /// Largest file page of a worker view in bytes. Default 200,000.
    #[schemars(range(min = 1_000, max = 50_000_000))]
    pub file_response_max_bytes: usize,
    /// A stop of a turn asks for confirmation while its last sign of life is younger than this, in seconds.
    /// Default 300.
    #[schemars(range(min = 0, max = 86_400))]
    pub stop_confirmation_grace_seconds: u64,
    /// What becomes of a turn that broke off because codex died. Default `auto`.
    pub resume_interrupted: ResumeInterrupted,
    /// How long turns wait when the account's limit is used up and codex names no time, in seconds.
    /// Default 600.
    #[schemars(range(min = 1, max = 86_400))]
    pub limit_retry_seconds: u64,
}

impl Default for WorkersConfig {
    fn default() -> Self {
        Self {
            file_response_max_bytes: 200_000,
            stop_confirmation_grace_seconds: 300,
            resume_interrupted: ResumeInterrupted::default(),
            limit_retry_seconds: 600,
        }
    }
}
