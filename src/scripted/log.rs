use serde_json::{Value, json};
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::watch;

/// One request that reached the model. Headers are never kept.
#[derive(Debug, Clone)]
pub struct Asked {
    /// Unix milliseconds.
    pub at_ms: i64,
    /// `GET` or `POST`.
    pub method: String,
    /// The path, without a query.
    pub path: String,
    /// The scene that was played; empty where none was.
    pub scene: String,
    /// Outputs of tools that the scene had seen.
    pub step: usize,
    /// The body as JSON; null where there was none.
    pub body: Arc<Value>,
}

/// All requests, in order of arrival, in memory and optionally one JSON object a line in a file.
#[derive(Debug)]
pub(super) struct Log {
    entries: watch::Sender<Vec<Asked>>,
    file: Option<Mutex<File>>,
}

impl Log {
    /// An empty log; `file` is appended to.
    pub(super) fn new(file: Option<&Path>) -> io::Result<Self> {
        let open = |path| File::options().create(true).append(true).open(path);
        let file = file.map(open).transpose()?.map(Mutex::new);
        Ok(Self { entries: watch::Sender::new(Vec::new()), file })
    }

    /// Adds an entry. A file that cannot be written is no reason to fail a turn: memory has it all.
    pub(super) fn push(&self, entry: Asked) {
        if let Some(file) = &self.file {
            let line = json!({
                "at_ms": entry.at_ms, "method": entry.method, "path": entry.path,
                "scene": entry.scene, "step": entry.step, "body": &*entry.body,
            });
            let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
            let _ = file.write_all(format!("{line}\n").as_bytes());
        }
        self.entries.send_modify(|entries| entries.push(entry));
    }

    /// A copy of all entries.
    pub(super) fn all(&self) -> Vec<Asked> {
        self.entries.borrow().clone()
    }

    /// Drops the entries in memory; the file keeps them.
    pub(super) fn forget(&self) {
        self.entries.send_modify(Vec::clear);
    }

    /// Waits until the entries satisfy `enough`.
    pub(super) async fn until(&self, mut enough: impl FnMut(&[Asked]) -> bool) {
        let _ = self.entries.subscribe().wait_for(|entries| enough(entries)).await;
    }
}
