use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Section `server`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ServerConfig {
    /// Address to listen on. Default `127.0.0.1`.
    #[schemars(length(min = 1, max = 253))]
    pub host: String,
    /// Port; 0 picks a free one. Default 8000.
    #[schemars(range(min = 0, max = 65_535))]
    pub port: u16,
    /// Turns that run at the same time over all workers; more wait in the queue. 1 to 64, default 4.
    #[schemars(range(min = 1, max = 64))]
    pub max_concurrent_turns: u32,
    /// Largest request body in bytes. Default 16 MiB.
    #[schemars(range(min = 65_536, max = 1_073_741_824))]
    pub max_request_bytes: usize,
    /// Most sessions of clients in memory; the longest unused one goes first, and comes back when it is
    /// used. 8 to 65,536, default 256.
    #[schemars(range(min = 8, max = 65_536))]
    pub max_sessions: usize,
    /// Seconds after which an unused session leaves memory; it comes back when it is used. Default 2,700.
    #[schemars(range(min = 1, max = 86_400))]
    pub session_idle_seconds: u64,
    /// Seconds between signs of life on an open stream, for proxies that cut silent ones. Default 15.
    #[schemars(range(min = 1, max = 60))]
    pub heartbeat_seconds: u64,
    /// The longest that a call waits for workers, in seconds; hosts give a call up after a minute, and some
    /// proxies sooner. 1 to 45, default 45.
    #[schemars(range(min = 1, max = 45))]
    pub longest_wait_seconds: u64,
    /// Further `Origin` values that browsers may send. Default none.
    pub allowed_origins: Vec<String>,
    /// Further `Host` names under which the server is reached. Default none (loopback names always).
    pub allowed_hosts: Vec<String>,
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            host: "127.0.0.1".to_owned(),
            port: 8000,
            max_concurrent_turns: 4,
            max_request_bytes: 16 << 20,
            max_sessions: 256,
            session_idle_seconds: 45 * 60,
            heartbeat_seconds: 15,
            longest_wait_seconds: 45,
            allowed_origins: Vec::new(),
            allowed_hosts: Vec::new(),
        }
    }
}
