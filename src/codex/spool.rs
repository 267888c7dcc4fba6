use std::collections::VecDeque;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use tokio::sync::Notify;
use tokio_tungstenite::tungstenite::Utf8Bytes;

/// Larger messages go to the file at once, in bytes.
const LARGE: usize = 1 << 20;

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
    file: PathBuf,
}

#[derive(Debug, Default)]
struct State {
    queue: VecDeque<Utf8Bytes>,
    bytes: usize,
    overflow: Option<Overflow>,
    /// What came after the file, since the disk refuses.
    after: VecDeque<Utf8Bytes>,
    closed: bool,
}

/// Messages in a file, each after its length. The file has no name any more; it is gone with its handle.
#[derive(Debug)]
struct Overflow {
    file: File,
    read_at: u64,
    write_at: u64,
}

impl Spool {
    /// `memory`: bytes kept in memory; `file`: where more goes. An earlier file of that name is replaced.
    pub(super) fn new(memory: usize, file: PathBuf) -> Self {
        Self { state: Mutex::default(), ready: Notify::new(), memory, file }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a message in. When the disk refuses, it stays in memory, and so does all that comes until the
    /// file is read to its end.
    pub(super) fn push(&self, message: Utf8Bytes) {
        let mut state = self.lock();
        let full = message.len() > LARGE
            || state.bytes + message.len() > self.memory
            || state.overflow.is_some();
        if !(full && self.spill(&mut state, &message)) {
            state.bytes += message.len();
            match state.overflow {
                Some(_) => state.after.push_back(message),
                None => state.queue.push_back(message),
            }
        }
        drop(state);
        self.ready.notify_one();
    }

    fn spill(&self, state: &mut State, message: &Utf8Bytes) -> bool {
        if state.overflow.is_none() {
            state.overflow = Overflow::create(&self.file).ok();
        }
        let orderly = state.after.is_empty();
        state
            .overflow
            .as_mut()
            .is_some_and(|o| orderly && o.put(message.as_str().as_bytes()).is_ok())
    }

    /// Whether whoever takes messages is far behind.
    pub(super) fn behind(&self) -> bool {
        let state = self.lock();
        state.overflow.is_some() || state.bytes > BEHIND
    }

    /// No more messages will come.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.ready.notify_one();
    }

    /// Takes the oldest message; waits for one. `None` after the last one of a closed spool.
    pub(super) async fn pop(&self) -> Option<Utf8Bytes> {
        loop {
            {
                let mut state = self.lock();
                if let Some(message) = state.take() {
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
    fn take(&mut self) -> Option<Utf8Bytes> {
        if let Some(message) = self.queue.pop_front() {
            self.bytes -= message.len();
            return Some(message);
        }
        if let Some(next) = self.overflow.as_mut()?.get() {
            return Some(next);
        }
        self.overflow = None;
        self.queue = std::mem::take(&mut self.after);
        self.take()
    }
}

impl Overflow {
    fn create(path: &PathBuf) -> std::io::Result<Self> {
        let _ = std::fs::remove_file(path);
        let file = File::options().read(true).write(true).create_new(true).open(path)?;
        std::fs::remove_file(path)?;
        Ok(Self { file, read_at: 0, write_at: 0 })
    }

    fn put(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.file.seek(SeekFrom::Start(self.write_at))?;
        self.file.write_all(&(bytes.len() as u64).to_le_bytes())?;
        self.file.write_all(bytes)?;
        self.write_at += 8 + bytes.len() as u64;
        Ok(())
    }

    fn get(&mut self) -> Option<Utf8Bytes> {
        if self.read_at >= self.write_at {
            return None;
        }
        self.file.seek(SeekFrom::Start(self.read_at)).ok()?;
        let mut length = [0_u8; 8];
        self.file.read_exact(&mut length).ok()?;
        let length = u64::from_le_bytes(length);
        let mut bytes = vec![0_u8; usize::try_from(length).ok()?];
        self.file.read_exact(&mut bytes).ok()?;
        self.read_at += 8 + length;
        String::from_utf8(bytes).ok().map(Utf8Bytes::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn order_is_kept_over_the_file_and_back() {
        std::fs::create_dir_all("target/tmp").unwrap();
        let dir = tempfile::tempdir_in("target/tmp").unwrap();
        let spool = Spool::new(10, dir.path().join("spool"));
        for n in 0..50 {
            spool.push(format!("message {n}").into());
        }
        assert!(std::fs::read_dir(dir.path()).unwrap().next().is_none());
        for n in 0..50 {
            assert_eq!(spool.pop().await.unwrap().as_str(), format!("message {n}"));
        }
        spool.push("after".into());
        spool.close();
        assert_eq!(spool.pop().await.unwrap().as_str(), "after");
        assert_eq!(spool.pop().await, None);
    }

    #[tokio::test]
    #[cfg(target_os = "linux")]
    async fn order_is_kept_when_the_disk_gets_full_over_the_file() {
        use std::os::fd::AsRawFd;
        std::fs::create_dir_all("target/tmp").unwrap();
        let dir = tempfile::tempdir_in("target/tmp").unwrap();
        let spool = Spool::new(10, dir.path().join("spool"));
        let fill = |from: u32, to: u32| {
            (from..to).for_each(|n| spool.push(format!("message {n}").into()));
        };
        fill(0, 5);
        // The same file, that cannot be written any more.
        let refuse = |spool: &Spool| {
            let mut state = spool.lock();
            let file = &mut state.overflow.as_mut().unwrap().file;
            *file = File::open(format!("/proc/self/fd/{}", file.as_raw_fd())).unwrap();
        };
        refuse(&spool);
        fill(5, 10);
        for n in 0..7 {
            assert_eq!(spool.pop().await.unwrap().as_str(), format!("message {n}"));
        }
        fill(10, 15);
        for n in 7..15 {
            assert_eq!(spool.pop().await.unwrap().as_str(), format!("message {n}"));
        }
        assert_eq!(spool.lock().bytes, 0);
    }

    #[tokio::test]
    async fn a_large_message_waits_in_the_file() {
        std::fs::create_dir_all("target/tmp").unwrap();
        let dir = tempfile::tempdir_in("target/tmp").unwrap();
        let spool = Spool::new(64 << 20, dir.path().join("spool"));
        assert!(!spool.behind());
        spool.push("x".repeat(2 << 20).into());
        assert_eq!(spool.lock().bytes, 0);
        assert!(spool.behind());
        spool.push("after".into());
        assert_eq!(spool.pop().await.unwrap().len(), 2 << 20);
        assert_eq!(spool.pop().await.unwrap().as_str(), "after");
    }
}
