use std::path::PathBuf;

/// Why there is no tunnel.
#[derive(Debug, thiserror::Error)]
pub enum TunnelError {
    /// The program is not on this machine.
    #[error("there is no cloudflared: {0}")]
    Missing(String),
    /// It could not be started.
    #[error("{}: {reason}", program.display())]
    Start {
        /// The program.
        program: PathBuf,
        /// Why.
        reason: String,
    },
    /// It ended before it was ready. The text ends with its last words.
    #[error("cloudflared ended: {0}")]
    Ended(String),
    /// It named no public address in time.
    #[error("cloudflared named no public address within {seconds} s: {said}")]
    Silent {
        /// How long it had.
        seconds: u64,
        /// Its last words.
        said: String,
    },
    /// The public address does not lead to us.
    #[error("{host} does not answer within {seconds} s: {reason}")]
    Unhealthy {
        /// The public host.
        host: String,
        /// How long it had.
        seconds: u64,
        /// What happened last.
        reason: String,
    },
}

impl TunnelError {
    /// The stable code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Missing(_) => "tunnel_program_missing",
            Self::Start { .. } => "tunnel_not_started",
            Self::Ended(_) => "tunnel_ended",
            Self::Silent { .. } => "tunnel_silent",
            Self::Unhealthy { .. } => "tunnel_unhealthy",
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Missing(_) => {
                "Install cloudflared and put it on PATH, or name it in `tunnel.cloudflared`."
            }
            Self::Start { .. } => "Check that `cloudflared --version` works.",
            Self::Ended(_) | Self::Silent { .. } => {
                "Try `cloudflared tunnel --url http://127.0.0.1:8000` by hand. A config.yml in ~/.cloudflared keeps quick tunnels from working."
            }
            Self::Unhealthy { .. } => {
                "Try again; the name of a new tunnel can take a while to be known. `tunnel.timeout_seconds` gives it longer."
            }
        }
    }
}
