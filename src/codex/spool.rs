use super::spill::{Spill, Stored};
use std::collections::VecDeque;
use std::io::{self, Read};
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// Larger messages are never whole in memory, in bytes.
pub(super) const LARGE: usize = 1 << 20;

/// Largest message that is taken from the app-server, in bytes.
const LARGEST: u64 = 256 << 20;

/// With more in memory the taker is behind, in bytes.
const BEHIND: usize = 4 << 20;

/// A queue between the socket's reader and everybody else. Putting in never waits for a consumer: above
/// a limit in memory, messages go to a file. (The app-server drops a client that does not read for some
/// seconds: seen.)
#[derive(Debug)]
pub(super) struct Spool {
    state: Mutex<State>,
    ready: Notify,
    memory: usize,
}

#[derive(Debug)]
struct State {
    queue: VecDeque<Message>,
    bytes: usize,
    spill: Spill,
    closed: bool,
}

/// A message as it lies here.
#[derive(Debug)]
pub(super) enum Message {
    /// In memory: a small one, or any where the disk refuses.
    Text(String),
    /// In the file.
    Stored(Stored),
}

impl Message {
    /// Its length in bytes.
    pub(super) fn length(&self) -> u64 {
        match self {
            Self::Text(text) => text.len() as u64,
            Self::Stored(stored) => stored.length(),
        }
    }

    /// Reads `length` bytes of it from `from` on.
    pub(super) fn part(&self, from: u64, length: u64) -> Box<dyn Read + '_> {
        match self {
            Self::Text(text) => {
                let end = |at: u64| usize::try_from(at).map_or(text.len(), |at| at.min(text.len()));
                Box::new(&text.as_bytes()[end(from)..end(from.saturating_add(length))])
            }
            Self::Stored(stored) => Box::new(stored.part(from, length)),
        }
    }

    /// All of it, in memory.
    ///
    /// # Errors
    /// When the file cannot be read, or does not hold text.
    pub(super) fn into_text(self) -> io::Result<String> {
        match self {
            Self::Text(text) => Ok(text),
            Self::Stored(stored) => text(stored.bytes()?),
        }
    }
}

fn text(bytes: Vec<u8>) -> io::Result<String> {
    String::from_utf8(bytes).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

/// A message that is still coming.
#[derive(Debug)]
pub(super) enum Coming {
    /// In memory.
    Memory(Vec<u8>),
    /// Larger than [`LARGE`]: in the file.
    File(Stored),
}

impl Default for Coming {
    fn default() -> Self {
        Self::Memory(Vec::new())
    }
}

impl Coming {
    /// The message, now that it is whole.
    ///
    /// # Errors
    /// When a small one is no text.
    pub(super) fn whole(self) -> io::Result<Message> {
        match self {
            Self::Memory(bytes) => text(bytes).map(Message::Text),
            Self::File(stored) => Ok(Message::Stored(stored)),
        }
    }
}

impl Spool {
    /// `memory`: bytes kept in memory; `file`: where more goes. An earlier file of that name is replaced.
    pub(super) fn new(memory: usize, file: PathBuf) -> Self {
        let (queue, spill) = (VecDeque::new(), Spill::new(file));
        let state = Mutex::new(State { queue, bytes: 0, spill, closed: false });
        Self { state, ready: Notify::new(), memory }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a part to a message that is coming. A large one goes to the file; when the disk refuses, it
    /// stays in memory.
    ///
    /// # Errors
    /// When it becomes larger than any message may be, or what is in the file cannot be read back.
    pub(super) fn add(&self, coming: &mut Coming, part: &[u8]) -> io::Result<()> {
        let had = match coming {
            Coming::Memory(bytes) => bytes.len() as u64,
            Coming::File(stored) => stored.length(),
        };
        if had + part.len() as u64 > LARGEST {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "a message is too large"));
        }
        let mut state = self.lock();
        // Where the disk has refused, it is not asked again for this message.
        if let Coming::Memory(bytes) = coming
            && bytes.len() <= LARGE
            && bytes.len() + part.len() > LARGE
            && let Ok(mut stored) = state.spill.begin()
            && state.spill.add(&mut stored, bytes).is_ok()
        {
            *coming = Coming::File(stored);
        }
        if let Coming::File(stored) = coming {
            match state.spill.add(stored, part) {
                Ok(()) => return Ok(()),
                Err(error) => {
                    tracing::warn!(%error, "a large message is put together in memory");
                    *coming = Coming::Memory(stored.bytes()?);
                }
            }
        }
        if let Coming::Memory(bytes) = coming {
            bytes.extend_from_slice(part);
        }
        Ok(())
    }

    /// Puts a message in. When the disk refuses, it stays in memory.
    pub(super) fn push(&self, message: Message) {
        let mut state = self.lock();
        let message = match message {
            Message::Text(text) if state.bytes + text.len() > self.memory => state.spilled(text),
            other => other,
        };
        if let Message::Text(text) = &message {
            state.bytes += text.len();
        }
        state.queue.push_back(message);
        drop(state);
        self.ready.notify_one();
    }

    /// Whether whoever takes messages is far behind.
    pub(super) fn behind(&self) -> bool {
        let state = self.lock();
        state.spill.holds() || state.bytes > BEHIND
    }

    /// No more messages will come.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.ready.notify_one();
    }

    /// Takes the oldest message; waits for one. `None` after the last one of a closed spool.
    pub(super) async fn pop(&self) -> Option<Message> {
        loop {
            {
                let mut state = self.lock();
                if let Some(message) = state.queue.pop_front() {
                    if let Message::Text(text) = &message {
                        state.bytes -= text.len();
                    }
                    return Some(message);
                }
                if state.closed {
                    return None;
                }
            }
            self.ready.notified().await;
        }
    }
}

impl State {
    fn spilled(&mut self, text: String) -> Message {
        let put = |spill: &mut Spill| {
            let mut stored = spill.begin()?;
            spill.add(&mut stored, text.as_bytes())?;
            io::Result::Ok(stored)
        };
        match put(&mut self.spill) {
            Ok(stored) => Message::Stored(stored),
            Err(_) => Message::Text(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spool(memory: usize) -> (tempfile::TempDir, Spool) {
        std::fs::create_dir_all("target/tmp").unwrap();
        let dir = tempfile::tempdir_in("target/tmp").unwrap();
        let spool = Spool::new(memory, dir.path().join("spool"));
        (dir, spool)
    }

    async fn next(spool: &Spool) -> String {
        spool.pop().await.unwrap().into_text().unwrap()
    }

    #[tokio::test]
    async fn order_is_kept_over_the_file_and_back() {
        let (dir, spool) = spool(10);
        for n in 0..50 {
            spool.push(Message::Text(format!("message {n}")));
        }
        assert!(std::fs::read_dir(dir.path()).unwrap().next().is_none());
        for n in 0..50 {
            assert_eq!(next(&spool).await, format!("message {n}"));
        }
        assert!(!spool.behind());
        spool.push(Message::Text("after".to_owned()));
        spool.close();
        assert_eq!(next(&spool).await, "after");
        assert!(spool.pop().await.is_none());
    }

    #[tokio::test]
    async fn a_large_message_waits_in_the_file() {
        let (_dir, spool) = spool(64 << 20);
        assert!(!spool.behind());
        let mut coming = Coming::default();
        for _ in 0..32 {
            spool.add(&mut coming, &[b'x'; 64 << 10]).unwrap();
        }
        spool.push(coming.whole().unwrap());
        assert_eq!(spool.lock().bytes, 0);
        assert!(spool.behind());
        spool.push(Message::Text("after".to_owned()));
        assert_eq!(next(&spool).await, "x".repeat(2 << 20));
        assert_eq!(next(&spool).await, "after");
    }

    #[tokio::test]
    async fn a_large_message_that_the_disk_refuses_is_in_memory() {
        let (dir, spool) = spool(10);
        drop(dir);
        let mut coming = Coming::default();
        for _ in 0..32 {
            spool.add(&mut coming, &[b'x'; 64 << 10]).unwrap();
        }
        spool.push(coming.whole().unwrap());
        spool.push(Message::Text("a further one".to_owned()));
        assert_eq!(next(&spool).await, "x".repeat(2 << 20));
        assert_eq!(next(&spool).await, "a further one");
    }

    #[test]
    fn a_message_that_does_not_end_is_an_error() {
        let (_dir, spool) = spool(10);
        let mut coming = Coming::default();
        let part = vec![b'x'; 64 << 20];
        for _ in 0..4 {
            spool.add(&mut coming, &part).unwrap();
        }
        assert!(spool.add(&mut coming, b"x").is_err());
    }
}
