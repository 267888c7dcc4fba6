use super::CodexProgram;
use crate::paths::{StateDir, StateError};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::io::Read;
use std::path::{Path, PathBuf};

/// A failure counts for this long; then the fault may have been the machine's, and is looked at again.
const FAILURE_MS: i64 = 3_600_000;

/// What a probe found out about a codex binary.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Probed {
    /// SHA-256 of the binary.
    pub digest: String,
    /// The version it says it is.
    pub version: String,
    /// The version of patchbay that probed it; another one asks for other things.
    pub by: String,
    /// Unix milliseconds.
    pub at_ms: i64,
    /// The step that failed, and how; `None` when all went well.
    pub failed: Option<(String, String)>,
}

/// SHA-256 of a file.
///
/// # Errors
/// When it cannot be read.
pub(super) fn digest_of(file: &Path) -> std::io::Result<String> {
    let mut file = std::fs::File::open(file)?;
    let mut hash = Sha256::new();
    let mut piece = vec![0_u8; 1 << 20];
    loop {
        let read = file.read(&mut piece)?;
        if read == 0 {
            return Ok(hex::encode(hash.finalize()));
        }
        hash.update(&piece[..read]);
    }
}

fn place(state: &StateDir, digest: &str) -> PathBuf {
    state.root().join("probed").join(format!("{digest}.json"))
}

impl Probed {
    /// What is known about the binary of this digest and still counts.
    pub(super) fn of(state: &StateDir, digest: &str, now_ms: i64) -> Option<Self> {
        let text = std::fs::read(place(state, digest)).ok()?;
        let probed: Self = serde_json::from_slice(&text).ok()?;
        let counts = probed.digest == digest && probed.by == env!("CARGO_PKG_VERSION");
        let fresh = probed.failed.is_none() || now_ms - probed.at_ms < FAILURE_MS;
        (counts && fresh).then_some(probed)
    }

    /// Keeps it.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub(super) fn keep(&self, state: &StateDir) -> Result<(), StateError> {
        state.private_dir(&state.root().join("probed"))?;
        let text = serde_json::to_vec_pretty(self).unwrap_or_default();
        state.write_private(&place(state, &self.digest), &text)
    }
}

/// What is known about this codex and still counts; `None` when it has not been probed yet.
///
/// # Errors
/// When the binary cannot be read.
pub fn probed(
    state: &StateDir,
    codex: &CodexProgram,
    now_ms: i64,
) -> std::io::Result<Option<Probed>> {
    Ok(Probed::of(state, &digest_of(&codex.binary)?, now_ms))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pass_counts_for_good_and_a_failure_for_an_hour() {
        std::fs::create_dir_all("target/tmp").unwrap();
        let dir = tempfile::tempdir_in("target/tmp").unwrap();
        let state = StateDir::open(&dir.path().canonicalize().unwrap().join("s")).unwrap();
        let mut probed = Probed {
            digest: "d".to_owned(),
            version: "9.9.9".to_owned(),
            by: env!("CARGO_PKG_VERSION").to_owned(),
            at_ms: 0,
            failed: None,
        };
        assert_eq!(Probed::of(&state, "d", 0), None);
        probed.keep(&state).unwrap();
        assert_eq!(Probed::of(&state, "d", i64::MAX), Some(probed.clone()));
        probed.failed = Some(("patch".to_owned(), "no file".to_owned()));
        probed.keep(&state).unwrap();
        assert_eq!(Probed::of(&state, "d", FAILURE_MS - 1), Some(probed.clone()));
        assert_eq!(Probed::of(&state, "d", FAILURE_MS), None);
        probed.failed = None;
        probed.by = "0.0.0".to_owned();
        probed.keep(&state).unwrap();
        assert_eq!(Probed::of(&state, "d", 0), None, "another patchbay asks for other things");
    }
}
