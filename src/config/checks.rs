use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Section `checks`: commands that are run on a merged result before it is applied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ChecksConfig {
    /// Shell commands by name. A call chooses names only.
    pub commands: BTreeMap<String, String>,
    /// How long one of them may take, in seconds. 1 to 3,600, default 600.
    #[schemars(range(min = 1, max = 3_600))]
    pub timeout_seconds: u64,
    /// Names of those that must have succeeded on exactly the merged result before it is applied.
    pub require_checks: Vec<String>,
}

impl Default for ChecksConfig {
    fn default() -> Self {
        Self { commands: BTreeMap::new(), timeout_seconds: 600, require_checks: Vec::new() }
    }
}
