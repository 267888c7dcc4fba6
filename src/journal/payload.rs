use crate::paths::{StateDir, StateError};
use serde_json::json;
use sha2::{Digest, Sha256};

/// Larger payloads go to a file; the row keeps the digest.
const LARGEST: usize = 1 << 20;

/// Gives back what the row holds of a payload: itself, or where it is.
///
/// # Errors
/// When the file cannot be written.
pub(super) fn keep(state: &StateDir, payload: String) -> Result<String, StateError> {
    if payload.len() <= LARGEST {
        return Ok(payload);
    }
    let digest = hex::encode(Sha256::digest(payload.as_bytes()));
    let dir = state.private_dir(&state.root().join("artifacts/payloads"))?;
    let path = dir.join(&digest);
    if !path.exists() {
        state.write_private(&path, payload.as_bytes())?;
    }
    Ok(json!({ "file": digest, "sha256": digest, "bytes": payload.len() }).to_string())
}
