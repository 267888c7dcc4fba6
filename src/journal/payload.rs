use super::JournalError;
use crate::paths::{StateDir, StateError};
use crate::store::EventRow;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{self, BufReader, Read, Write};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use struson::reader::{JsonReader, JsonStreamReader};

/// Larger payloads go to a file, in bytes; the row keeps the digest.
pub const LARGEST: usize = 1 << 20;

/// Bytes that are held of a payload on its way.
const CHUNK: usize = 64 << 10;

/// Tells files that are being written apart.
static NEXT: AtomicU64 = AtomicU64::new(0);

fn dir(state: &StateDir) -> PathBuf {
    state.root().join("artifacts/payloads")
}

/// Puts a payload into a file of its own and gives back what an event holds instead: where it is. The same
/// payload has the same file. It is never whole in memory.
///
/// # Errors
/// When it cannot be read, or the file cannot be written.
pub fn keep(state: &StateDir, payload: &mut dyn Read) -> Result<Value, StateError> {
    let dir = state.private_dir(&dir(state))?;
    let (us, nth) = (rustix::process::getpid(), NEXT.fetch_add(1, Ordering::Relaxed));
    let temporary = dir.join(format!(".{}.{nth}.new", us.as_raw_nonzero()));
    let file = state.private_file(&temporary)?;
    let kept = copy(payload, file).and_then(|(digest, bytes)| {
        std::fs::rename(&temporary, dir.join(&digest))?;
        Ok(json!({ "file": digest, "sha256": digest, "bytes": bytes }))
    });
    kept.map_err(|source| {
        let _ = std::fs::remove_file(&temporary);
        StateError::Io { path: temporary, source }
    })
}

fn copy(payload: &mut dyn Read, mut to: File) -> io::Result<(String, u64)> {
    let (mut hash, mut bytes) = (Sha256::new(), 0);
    pieces(payload, |piece| {
        hash.update(piece);
        bytes += piece.len() as u64;
        to.write_all(piece)
    })?;
    Ok((hex::encode(hash.finalize()), bytes))
}

fn pieces(from: &mut dyn Read, mut each: impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
    let mut piece = vec![0; CHUNK];
    loop {
        match from.read(&mut piece) {
            Ok(0) => return Ok(()),
            Ok(read) => each(&piece[..read])?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// The file of a payload and its digest; nothing for one that stands in its row.
fn file(state: &StateDir, kept: &str) -> Option<(PathBuf, String)> {
    if kept.len() > 512 || !kept.contains("\"sha256\"") {
        return None;
    }
    let row: Value = serde_json::from_str(kept).ok()?;
    let (file, digest) = (row["file"].as_str()?, row["sha256"].as_str()?);
    // The name is a digest that we wrote; anything else is an item of the agent's that looks alike.
    (file == digest && file.bytes().all(|b| b.is_ascii_hexdigit()))
        .then(|| (dir(state).join(file), digest.to_owned()))
}

fn changed() -> JournalError {
    JournalError::Payload("a payload file was changed".to_owned())
}

fn unreadable(error: impl std::fmt::Display) -> JournalError {
    JournalError::Payload(error.to_string())
}

/// The payload that a row stands for.
pub(super) fn whole(state: &StateDir, kept: &str) -> Result<String, JournalError> {
    let Some((path, digest)) = file(state, kept) else { return Ok(kept.to_owned()) };
    let text = std::fs::read_to_string(path).map_err(unreadable)?;
    if hex::encode(Sha256::digest(text.as_bytes())) == digest { Ok(text) } else { Err(changed()) }
}

/// The beginning of a text.
#[derive(Debug, PartialEq, Eq)]
pub struct Head {
    /// The beginning.
    pub text: String,
    /// Bytes of the whole text.
    pub of: u64,
}

/// Reads the beginning of the member `name` of the payload that a row stands for, at most `most` bytes; of
/// a payload in a file no more is in memory. Nothing when there is no such text.
///
/// # Errors
/// When its file is gone or is not what was written.
pub(super) fn head(
    state: &StateDir,
    event: &EventRow,
    name: &str,
    most: usize,
) -> Result<Option<Head>, JournalError> {
    let Some((path, digest)) = file(state, &event.payload) else {
        return head_of(event.payload.as_bytes(), name, most);
    };
    let mut hash = Sha256::new();
    let mut open = File::open(&path).map_err(unreadable)?;
    pieces(&mut open, |piece| {
        hash.update(piece);
        Ok(())
    })
    .map_err(unreadable)?;
    if hex::encode(hash.finalize()) != digest {
        return Err(changed());
    }
    let open = File::open(&path).map_err(unreadable)?;
    head_of(BufReader::with_capacity(CHUNK, open), name, most)
}

fn head_of(payload: impl Read, name: &str, most: usize) -> Result<Option<Head>, JournalError> {
    let mut json = JsonStreamReader::new(payload);
    json.begin_object().map_err(unreadable)?;
    while json.has_next().map_err(unreadable)? {
        if json.next_name().map_err(unreadable)? != name {
            json.skip_value().map_err(unreadable)?;
            continue;
        }
        let mut text = json.next_string_reader().map_err(unreadable)?;
        return beginning(&mut text, most).map(Some).map_err(unreadable);
    }
    Ok(None)
}

fn beginning(from: &mut dyn Read, most: usize) -> io::Result<Head> {
    let (mut head, mut of) = (Vec::new(), 0);
    pieces(from, |piece| {
        // One byte more tells whether a letter ends here.
        let room = (most + 1).saturating_sub(head.len());
        head.extend_from_slice(&piece[..piece.len().min(room)]);
        of += piece.len() as u64;
        Ok(())
    })?;
    let text = match String::from_utf8(head) {
        Ok(text) => text,
        // A letter that was cut.
        Err(error) => {
            String::from_utf8_lossy(&error.as_bytes()[..error.utf8_error().valid_up_to()])
                .into_owned()
        }
    };
    let end = text.floor_char_boundary(most);
    Ok(Head { text: text[..end].to_owned(), of })
}
