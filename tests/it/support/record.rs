//! Codex's own record, read without patchbay: the rollout files, and `thread/read` of a codex that the
//! test starts for it.

use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

/// A codex app-server of the test's own, over its standard input and output.
pub struct Codex {
    child: Child,
    lines: BufReader<ChildStdout>,
    calls: u64,
}

impl Codex {
    /// Starts one on a codex home that nobody else uses now.
    pub fn on(home: &Path) -> Self {
        let codex = std::env::var_os("PATCHBAY_CODEX").unwrap();
        let mut child = Command::new(codex)
            .args(["app-server", "--listen", "stdio://"])
            .env("CODEX_HOME", home)
            .current_dir(home)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        let mut codex = Self { child, lines, calls: 0 };
        let info = json!({ "name": "test", "title": "test", "version": "0" });
        let capabilities = json!({ "experimentalApi": true });
        codex.call("initialize", &json!({ "clientInfo": info, "capabilities": capabilities }));
        codex.send(&json!({ "method": "initialized" }));
        codex
    }

    fn send(&mut self, message: &Value) {
        writeln!(self.child.stdin.as_mut().unwrap(), "{message}").unwrap();
    }

    fn call(&mut self, method: &str, params: &Value) -> Value {
        self.calls += 1;
        let id = self.calls;
        self.send(&json!({ "id": id, "method": method, "params": params }));
        loop {
            let mut line = String::new();
            assert!(self.lines.read_line(&mut line).unwrap() > 0, "codex ended in {method}");
            let mut answer: Value = serde_json::from_str(&line).unwrap();
            if answer["id"] == id && answer.get("method").is_none() {
                assert!(answer["error"].is_null(), "{method}: {answer:#}");
                return answer["result"].take();
            }
        }
    }

    /// The turns of a thread, with their items.
    pub fn turns(&mut self, thread: &str) -> Vec<Value> {
        let params = json!({ "threadId": thread, "includeTurns": true });
        let mut read = self.call("thread/read", &params);
        serde_json::from_value(read["thread"]["turns"].take()).unwrap()
    }
}

impl Drop for Codex {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The lines of a rollout file that are whole.
pub fn rollout(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap();
    text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}
