use crate::paths::Env;
use crate::secret::Secret;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// How a tunnel is made.
#[derive(Debug, Clone)]
pub struct TunnelOptions {
    /// The cloudflared program.
    pub program: PathBuf,
    /// This program's own file, by which the tunnel ends when we are killed; without it the tunnel is
    /// started directly.
    pub leash: Option<PathBuf>,
    /// Where this server listens.
    pub bound: SocketAddr,
    /// Our environment; the tunnel gets `PATH` and `HOME` of it.
    pub env: Env,
    /// The access token, to keep it out of what is told of the tunnel's words.
    pub token: Secret,
    /// How long a tunnel has to become healthy.
    pub patience: Duration,
    /// Where the public address is reached for the check, when not under its own name.
    pub health_base: Option<String>,
    /// When a tunnel that ended is started again.
    pub pauses: Pauses,
}

/// How often and how fast a tunnel is started again.
#[derive(Debug, Clone, Copy)]
pub struct Pauses {
    /// The first pause; each further one is twice as long.
    pub first: Duration,
    /// Attempts in a row before it is given up. A tunnel that lived for ten minutes begins anew.
    pub times: u32,
}

impl Default for Pauses {
    fn default() -> Self {
        Self { first: Duration::from_secs(1), times: 6 }
    }
}
