use crate::paths::{StateDir, StateError};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// Larger payloads go to a file; the row keeps the digest.
const LARGEST: usize = 1 << 20;

/// Puts a payload over 1 MiB into a file of its own and gives back what an event holds instead: where it
/// is. `None` for a smaller one, which stays in the event. The same payload has the same file.
///
/// # Errors
/// When the file cannot be written.
pub fn keep(state: &StateDir, payload: &str) -> Result<Option<String>, StateError> {
    if payload.len() <= LARGEST {
        return Ok(None);
    }
    let digest = hex::encode(Sha256::digest(payload.as_bytes()));
    let dir = state.private_dir(&state.root().join("artifacts/payloads"))?;
    let path = dir.join(&digest);
    if !path.exists() {
        state.write_private(&path, payload.as_bytes())?;
    }
    Ok(Some(json!({ "file": digest, "sha256": digest, "bytes": payload.len() }).to_string()))
}

/// The payload that a row stands for.
pub(super) fn whole(state: &StateDir, kept: &str) -> Result<String, String> {
    if kept.len() > 512 || !kept.contains("\"sha256\"") {
        return Ok(kept.to_owned());
    }
    let row: Value = serde_json::from_str(kept).map_err(|error| error.to_string())?;
    let (Some(file), Some(digest)) = (row["file"].as_str(), row["sha256"].as_str()) else {
        return Ok(kept.to_owned());
    };
    // The name is a digest that we wrote; anything else is an item of the agent's that looks alike.
    if file != digest || !file.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Ok(kept.to_owned());
    }
    let path = state.root().join("artifacts/payloads").join(file);
    let text = std::fs::read_to_string(path).map_err(|error| error.to_string())?;
    if hex::encode(Sha256::digest(text.as_bytes())) == digest {
        Ok(text)
    } else {
        Err("a payload file was changed".to_owned())
    }
}
