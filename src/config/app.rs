use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Which family of tools a chat sees.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum ToolMode {
    /// Orientation and readiness only.
    Minimal,
    /// Workers and repository reading.
    #[default]
    Worker,
    /// Worker mode and the context, handoff and job tools.
    Standard,
    /// Everything.
    Full,
}

/// Section `app`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct AppConfig {
    /// The tool mode of new connectors. Default `worker`.
    pub tool_mode: ToolMode,
}
