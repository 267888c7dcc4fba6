use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Which tunnel `start` opens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "Written", rename_all = "snake_case")]
pub enum TunnelMode {
    /// None.
    #[default]
    Off,
    /// A quick tunnel of Cloudflare, without an account: a new address each time.
    Cloudflare,
}

/// The mode as it may be written: to a reader of YAML a bare `off` is `false`.
#[derive(Deserialize, JsonSchema)]
#[serde(untagged)]
enum Written {
    Flag(bool),
    Name(String),
}

impl TryFrom<Written> for TunnelMode {
    type Error = String;

    fn try_from(written: Written) -> Result<Self, String> {
        match written {
            Written::Flag(false) => Ok(Self::Off),
            Written::Name(name) if name == "off" => Ok(Self::Off),
            Written::Name(name) if name == "cloudflare" => Ok(Self::Cloudflare),
            Written::Flag(true) | Written::Name(_) => {
                Err("unknown tunnel; write off or cloudflare".to_owned())
            }
        }
    }
}

/// Section `tunnel`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TunnelConfig {
    /// Which tunnel `patchbay start` opens. Default `off`.
    pub mode: TunnelMode,
    /// The cloudflared program. Default: the first on `PATH`.
    pub cloudflared: Option<PathBuf>,
    /// How long a tunnel has to become healthy, in seconds. Default 45.
    #[schemars(range(min = 1, max = 300))]
    pub timeout_seconds: u32,
    /// Where the public address is reached for the health check, when not under its own name. For tests.
    pub health_base_url: Option<String>,
}

impl Default for TunnelConfig {
    fn default() -> Self {
        Self {
            mode: TunnelMode::Off,
            cloudflared: None,
            timeout_seconds: 45,
            health_base_url: None,
        }
    }
}
