//! Listening to a program that may print any amount: everything is read, little is kept.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::sync::watch;

/// Lines that are kept for an error's text, and their longest part, in bytes.
const LINES: usize = 12;
const LINE: usize = 2048;

/// What a tunnel said so far.
#[derive(Debug)]
pub(super) struct Heard {
    host: watch::Sender<Option<String>>,
    last: Mutex<VecDeque<String>>,
}

impl Heard {
    pub(super) fn new() -> Self {
        Self { host: watch::Sender::new(None), last: Mutex::default() }
    }

    /// Waits for the public host.
    pub(super) async fn host(&self) -> String {
        let mut told = self.host.subscribe();
        // The sender lives as long as we do, so that there is nothing to fail.
        let _ = told.wait_for(Option::is_some).await;
        let host = told.borrow();
        host.clone().unwrap_or_default()
    }

    /// Its last words, the oldest first.
    pub(super) fn last_words(&self) -> String {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        last.iter().cloned().collect::<Vec<_>>().join("\n")
    }

    /// Reads to the end of the stream. Nothing that is done with a line waits for anybody.
    pub(super) async fn listen(&self, mut stream: impl AsyncRead + Unpin) {
        let mut piece = [0_u8; 8192];
        let mut line = Vec::new();
        while let Ok(read @ 1..) = stream.read(&mut piece).await {
            for byte in &piece[..read] {
                if *byte == b'\n' {
                    self.line(&line);
                    line.clear();
                } else if line.len() < LINE {
                    line.push(*byte);
                }
            }
        }
        self.line(&line);
    }

    fn line(&self, bytes: &[u8]) {
        let text = String::from_utf8_lossy(bytes);
        let text = text.trim_end();
        if text.is_empty() {
            return;
        }
        if self.host.borrow().is_none()
            && let Some(host) = public_host(text)
        {
            self.host.send_replace(Some(host.to_owned()));
        }
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.len() == LINES {
            last.pop_front();
        }
        last.push_back(text.chars().filter(|c| !c.is_control()).take(300).collect());
    }
}

/// The host of a quick tunnel in a line. `api.` is the service that hands the names out; it stands in
/// messages of failure.
pub(super) fn public_host(line: &str) -> Option<&str> {
    line.split("https://").skip(1).find_map(|rest| {
        let name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '.');
        let host = &rest[..rest.find(|c| !name(c)).unwrap_or(rest.len())];
        let label = host.strip_suffix(".trycloudflare.com")?;
        (!label.is_empty() && !label.contains('.') && label != "api").then_some(host)
    })
}
