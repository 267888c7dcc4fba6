use super::ContextError;
use crate::git::Repo;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use schemars::JsonSchema;
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// A directory that a chat may read: a checkout, or a plain directory below an allowed root.
#[derive(Debug, Clone)]
pub struct Workspace {
    /// `ws_` and 24 hexadecimal digits of the root's SHA-256; stable over restarts.
    pub id: String,
    /// The top of the checkout, or the plain directory; canonical.
    pub root: PathBuf,
    /// The repository, where there is one.
    pub repo: Option<Repo>,
}

impl Workspace {
    pub(super) fn new(root: PathBuf, repo: Option<Repo>) -> Self {
        let digest = Sha256::digest(root.as_os_str().as_bytes());
        Self { id: format!("ws_{}", hex::encode(&digest[..12])), root, repo }
    }

    /// The name that people use: the last component of the root.
    #[must_use]
    pub fn name(&self) -> String {
        self.root.file_name().unwrap_or(OsStr::new("/")).to_string_lossy().into_owned()
    }
}

/// A path as it is shown: text, and the exact bytes where text cannot hold them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[schemars(transform = super::bare)]
pub struct ShownPath {
    /// Path relative to the workspace, `.` for its root; bytes that are not UTF-8 are replaced, and
    /// `path_b64` beside it has the exact bytes.
    pub path: String,
    /// The exact path in base64, only where `path` is not exact.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(skip)]
    pub path_b64: Option<String>,
}

impl ShownPath {
    /// Shows a relative path.
    #[must_use]
    pub fn of(path: &Path) -> Self {
        Self::bytes(path.as_os_str().as_bytes())
    }

    /// Shows a relative path that git printed.
    #[must_use]
    pub fn bytes(raw: &[u8]) -> Self {
        match std::str::from_utf8(raw) {
            Ok("") => Self { path: ".".to_owned(), path_b64: None },
            Ok(text) => Self { path: text.to_owned(), path_b64: None },
            Err(_) => Self {
                path: String::from_utf8_lossy(raw).into_owned(),
                path_b64: Some(STANDARD.encode(raw)),
            },
        }
    }
}

/// Takes a path argument: its text, or the exact bytes in base64 when they are given.
pub(super) fn path_argument(text: &str, exact: Option<&str>) -> Result<PathBuf, ContextError> {
    let Some(exact) = exact else { return Ok(PathBuf::from(text)) };
    match STANDARD.decode(exact) {
        Ok(raw) => Ok(PathBuf::from(OsStr::from_bytes(&raw))),
        Err(error) => Err(ContextError::Argument(format!("not base64: {error}"))),
    }
}
