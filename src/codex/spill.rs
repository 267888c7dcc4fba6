use std::fs::File;
use std::io::{self, BufReader, Read};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::{Arc, Weak};

/// Bytes that are read from a file at once.
const CHUNK: usize = 64 << 10;

/// A file that messages wait in. It has no name any more, and is there while one of them is.
#[derive(Debug)]
pub(super) struct Spill {
    path: PathBuf,
    file: Weak<File>,
    end: u64,
}

/// A message in a file, whole or still coming.
#[derive(Debug)]
pub(super) struct Stored {
    file: Arc<File>,
    at: u64,
    length: u64,
}

impl Spill {
    /// A file that would be made at `path`; an earlier one of that name is replaced.
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, file: Weak::new(), end: 0 }
    }

    /// Whether a message is in it.
    pub(super) fn holds(&self) -> bool {
        self.file.strong_count() > 0
    }

    /// Begins a message, after those that are there. One message at a time may be coming.
    ///
    /// # Errors
    /// When the file cannot be made.
    pub(super) fn begin(&mut self) -> io::Result<Stored> {
        if let Some(file) = self.file.upgrade() {
            return Ok(Stored { file, at: self.end, length: 0 });
        }
        let _ = std::fs::remove_file(&self.path);
        let file = File::options().read(true).write(true).create_new(true).open(&self.path)?;
        std::fs::remove_file(&self.path)?;
        let file = Arc::new(file);
        self.file = Arc::downgrade(&file);
        self.end = 0;
        Ok(Stored { file, at: 0, length: 0 })
    }

    /// Adds to the message that is coming.
    ///
    /// # Errors
    /// When the disk refuses; what was added before is still there.
    pub(super) fn add(&mut self, stored: &mut Stored, bytes: &[u8]) -> io::Result<()> {
        stored.file.write_all_at(bytes, stored.at + stored.length)?;
        stored.length += bytes.len() as u64;
        self.end = stored.at + stored.length;
        Ok(())
    }
}

impl Stored {
    /// Its length in bytes.
    pub(super) fn length(&self) -> u64 {
        self.length
    }

    /// Reads `length` bytes of it from `from` on.
    pub(super) fn part(&self, from: u64, length: u64) -> impl Read {
        let length = length.min(self.length.saturating_sub(from));
        BufReader::with_capacity(CHUNK, Positioned(self, self.at + from).take(length))
    }

    /// All of it, in memory.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub(super) fn bytes(&self) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; usize::try_from(self.length).map_err(io::Error::other)?];
        self.file.read_exact_at(&mut bytes, self.at)?;
        Ok(bytes)
    }
}

/// Reads a file from a place of its own on: another reader does not move it.
struct Positioned<'a>(&'a Stored, u64);

impl Read for Positioned<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.0.file.read_at(buffer, self.1)?;
        self.1 += read as u64;
        Ok(read)
    }
}
