use crate::backend::BackendError;
use std::path::PathBuf;

/// Why the app-server cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum CodexError {
    /// Commands cannot be run in codex's sandbox here.
    #[error("codex cannot make its sandbox on this machine: {0}")]
    Sandbox(String),
    /// A file of ours could not be written or read.
    #[error("{}: {source}", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// The app-server did not start.
    #[error("codex app-server did not start: {0}")]
    Start(String),
    /// The app-server refused or did not take our configuration.
    #[error("codex did not take our configuration: {0}")]
    Config(String),
    /// The sidecar cannot be reached.
    #[error("the sidecar cannot be reached: {0}")]
    Sidecar(String),
    /// A codex that was never tried here failed its probe.
    #[error(
        "codex {version} failed the probe that comes before its first work, at step {step}: {detail}"
    )]
    Probe {
        /// Its version.
        version: String,
        /// `start`, `answer`, `patch`, `command`, `steer` or `interrupt`.
        step: String,
        /// How.
        detail: String,
    },
    /// The codex that is to be used is older than what it would have to go on with. What an older codex
    /// appends to a thread cannot be read by the newer one any more (seen).
    #[error("codex {ours} is older than codex {theirs}, which {what}: use {theirs} or newer again")]
    Downgrade {
        /// The version that is to be used.
        ours: String,
        /// The newer one.
        theirs: String,
        /// What the newer one does or did: `is running`, `wrote this thread`.
        what: &'static str,
    },
}

impl CodexError {
    /// The stable code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Sandbox(_) => "sandbox_unavailable",
            Self::Io { .. } => "codex_home_unwritable",
            Self::Start(_) => "codex_start_failed",
            Self::Config(_) => "codex_config_rejected",
            Self::Sidecar(_) => "sidecar_unreachable",
            Self::Probe { .. } => "codex_probe_failed",
            Self::Downgrade { .. } => "codex_downgrade",
        }
    }

    /// The same error without these texts: codex may quote the configuration that it refuses.
    #[must_use]
    pub(super) fn redacted(self, secrets: &[String]) -> Self {
        let clean = |text: String| {
            secrets.iter().fold(text, |text, secret| text.replace(secret.as_str(), "[redacted]"))
        };
        match self {
            Self::Start(text) => Self::Start(clean(text)),
            Self::Config(text) => Self::Config(clean(text)),
            other => other,
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Sandbox(_) => {
                "Allow unprivileged user namespaces (sysctl kernel.unprivileged_userns_clone=1, or the AppArmor profile of your distribution), then run `patchbay doctor`."
            }
            Self::Io { .. } => "Check space and permissions of the state directory.",
            Self::Start(_) => {
                "See logs/codex.log in the state directory, then run `patchbay doctor`."
            }
            Self::Config(_) => {
                "Check the `codex` section of your configuration and /etc/codex/config.toml; update codex if it is older than patchbay expects."
            }
            Self::Sidecar(_) => "Run `patchbay stop`, then start again.",
            Self::Probe { .. } => {
                "Run `patchbay install-codex` for the tested version, or name another codex with `--codex PATH`. The same one is probed again after an hour."
            }
            Self::Downgrade { .. } => {
                "Name the newer codex with `--codex PATH` or PATCHBAY_CODEX; or end it with `patchbay stop` and start new workers."
            }
        }
    }
}

impl From<CodexError> for BackendError {
    fn from(error: CodexError) -> Self {
        match error {
            CodexError::Config(detail) => Self::ConfigRejected(detail),
            other => Self::Unavailable {
                code: other.code(),
                hint: other.hint().to_owned(),
                message: other.to_string(),
            },
        }
    }
}
