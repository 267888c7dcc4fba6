use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Section `repositories`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RepositoriesConfig {
    /// The repository that is meant when a call names none.
    pub default: Option<PathBuf>,
    /// Directories below which a call may name repositories; the default repository is always one.
    pub allowed: Vec<PathBuf>,
}
