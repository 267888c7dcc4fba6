use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Section `security`: bounds of what is read and returned.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SecurityConfig {
    /// Largest page of a file in bytes. 1,000 to 50,000,000, default 200,000.
    #[schemars(range(min = 1_000, max = 50_000_000))]
    pub max_read_bytes: usize,
    /// Largest diff in bytes. Default 200,000.
    #[schemars(range(min = 1_000, max = 50_000_000))]
    pub max_diff_bytes: usize,
    /// Most search matches in one answer. Default 100.
    #[schemars(range(min = 1, max = 10_000))]
    pub max_search_results: usize,
    /// How long one search may take, in milliseconds. Default 10,000.
    #[schemars(range(min = 100, max = 300_000))]
    pub search_timeout_ms: u64,
    /// Most entries of a tree. Default 500.
    #[schemars(range(min = 1, max = 50_000))]
    pub max_tree_entries: usize,
    /// Paths that no tool shows, as globs relative to the repository.
    pub blocked_globs: Vec<String>,
}

impl Default for SecurityConfig {
    fn default() -> Self {
        Self {
            max_read_bytes: 200_000,
            max_diff_bytes: 200_000,
            max_search_results: 100,
            search_timeout_ms: 10_000,
            max_tree_entries: 500,
            blocked_globs: [".git", ".git/**", "**/.env", "**/.env.*", "**/*.pem", "**/*.key"]
                .map(str::to_owned)
                .to_vec(),
        }
    }
}
