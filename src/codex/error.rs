use crate::backend::BackendError;
use std::path::PathBuf;

/// Why codex cannot be used, or could not be installed.
#[derive(Debug, thiserror::Error)]
pub enum CodexError {
    /// No codex was found anywhere.
    #[error("no codex was found")]
    Missing,
    /// What was named is not a whole codex.
    #[error("{} is not a usable codex: {missing} is missing", .path.display())]
    Incomplete {
        /// What was named.
        path: PathBuf,
        /// The part that is not there.
        missing: String,
    },
    /// It does not say its version.
    #[error("{} does not say its version: {detail}", .path.display())]
    NoVersion {
        /// The binary.
        path: PathBuf,
        /// What it said instead.
        detail: String,
    },
    /// It is older than the baseline.
    #[error("codex {found} is too old: {needed} or newer is needed")]
    TooOld {
        /// Its version.
        found: String,
        /// The baseline.
        needed: &'static str,
    },
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
    /// Installing failed.
    #[error("codex could not be installed: {0}")]
    Install(String),
    /// There is no codex for this platform.
    #[error("there is no codex for this platform ({0})")]
    Platform(String),
}

impl CodexError {
    /// The stable code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Missing => "codex_missing",
            Self::Incomplete { .. } => "codex_incomplete",
            Self::NoVersion { .. } => "codex_broken",
            Self::TooOld { .. } => "codex_too_old",
            Self::Sandbox(_) => "sandbox_unavailable",
            Self::Io { .. } => "codex_home_unwritable",
            Self::Start(_) => "codex_start_failed",
            Self::Config(_) => "codex_config_rejected",
            Self::Sidecar(_) => "sidecar_unreachable",
            Self::Install(_) => "codex_install_failed",
            Self::Platform(_) => "codex_platform_unsupported",
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Missing | Self::Incomplete { .. } | Self::NoVersion { .. } => {
                "Run `patchbay install-codex`, or name a whole installation with --codex."
            }
            Self::TooOld { .. } => "Run `patchbay install-codex`, or update codex.",
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
            Self::Install(_) => {
                "Check the network and that Node 20 or newer with npm is installed."
            }
            Self::Platform(_) => "Name a codex that you built yourself with --codex.",
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
