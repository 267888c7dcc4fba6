use crate::config::ConfigError;
use crate::paths::{PathError, StateError, is_full};
use crate::secret::TokenError;
use crate::store::{FULL_HINT, StoreError};
use serde_json::{Value, json};
use std::borrow::Cow;

/// How a command ended when it did not do what it was asked.
#[derive(Debug)]
pub(crate) struct CliError {
    /// Stable snake_case code.
    pub(crate) code: Cow<'static, str>,
    /// What is so.
    pub(crate) message: String,
    /// What to do next.
    pub(crate) hint: String,
    /// 1: it failed; 2: it was asked wrongly.
    pub(crate) exit: u8,
}

impl CliError {
    /// A failure: exit code 1.
    pub(crate) fn failed(
        code: impl Into<Cow<'static, str>>,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) -> Self {
        Self { code: code.into(), message: message.into(), hint: hint.into(), exit: 1 }
    }

    /// A wrong use: exit code 2.
    pub(crate) fn usage(
        code: &'static str,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) -> Self {
        Self { exit: 2, ..Self::failed(code, message, hint) }
    }

    /// The error for scripts.
    pub(crate) fn to_json(&self) -> Value {
        json!({
            "ok": false,
            "error": { "code": self.code, "message": self.message, "hint": self.hint },
        })
    }
}

impl From<StateError> for CliError {
    fn from(error: StateError) -> Self {
        let hint = match &error {
            StateError::NoHome => "Set PATCHBAY_HOME to an absolute path.",
            StateError::Relative(_) => "Give PATCHBAY_HOME (or XDG_STATE_HOME) an absolute path.",
            StateError::Symlink(_) => {
                "Name the directory itself in PATCHBAY_HOME, not a link to it."
            }
            StateError::ForeignOwner(_) => {
                "Run as its owner, or name another one in PATCHBAY_HOME."
            }
            StateError::TooOpen(_) => {
                "Close it with `chmod 700`, or name another one in PATCHBAY_HOME."
            }
            StateError::Io { .. } => {
                "Check that the disk is writable and not full; `patchbay doctor` looks."
            }
        };
        Self::failed("state_directory", error.to_string(), hint)
    }
}

impl From<ConfigError> for CliError {
    fn from(error: ConfigError) -> Self {
        let hint = match &error {
            ConfigError::Unreadable { .. } => {
                "Check the path given by --config or PATCHBAY_CONFIG."
            }
            ConfigError::Malformed { .. } => "Compare with config.example.yaml.",
            ConfigError::Refused(_) => {
                "Correct these settings; config.example.yaml lists them all."
            }
        };
        Self::usage("bad_configuration", error.to_string(), hint)
    }
}

impl From<PathError> for CliError {
    fn from(error: PathError) -> Self {
        Self::usage("bad_root", error.to_string(), "Name an existing directory with --root.")
    }
}

impl From<TokenError> for CliError {
    fn from(error: TokenError) -> Self {
        let hint = "Remove the file to get a new token (connectors need the new one then).";
        Self::failed("bad_token_file", error.to_string(), hint)
    }
}

impl From<anyhow::Error> for CliError {
    fn from(error: anyhow::Error) -> Self {
        if let Some(known) = error.downcast_ref::<StoreError>()
            && known.code() != "internal_error"
        {
            return Self::failed(known.code(), known.to_string(), known.hint());
        }
        let full = |cause: &(dyn std::error::Error + 'static)| {
            cause.downcast_ref::<std::io::Error>().is_some_and(is_full)
        };
        if error.chain().any(full) {
            return Self::failed("disk_full", format!("{error:#}"), FULL_HINT);
        }
        match error.downcast::<Self>() {
            Ok(own) => own,
            Err(error) => Self::failed(
                "internal_error",
                format!("{error:#}"),
                "Run `patchbay doctor`; with PATCHBAY_LOG=debug the command says more.",
            ),
        }
    }
}

impl std::fmt::Display for CliError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for CliError {}
