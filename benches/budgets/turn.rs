//! Our share of a trivial second turn: from the message to the worker at rest, beside a client that does
//! nothing but `turn/start` and wait, on another app-server of the same codex with the same settings.

use crate::Effort;
use crate::pairs::{About, Pairs};
use crate::place;
use crate::report::{Bound, Row};
use crate::served::{Served, end};
use crate::wire::{Era, Wire};
use futures_util::{SinkExt, StreamExt};
use patchbay::scripted::{ScriptedModel, ScriptedOptions};
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tokio::net::UnixStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

/// Files of the repository.
const FILES: usize = 900;
/// What the turn is told; the model answers in words.
const WORDS: &str = "[[answer]]";

pub(crate) async fn rows(effort: Effort) -> Vec<Row> {
    let Some(codex) = place::codex() else {
        eprintln!("turn: PATCHBAY_CODEX names no codex, not measured");
        return Vec::new();
    };
    let room = place::room();
    let (dir, root) = (room.path(), room.path().join("repository"));
    make(&root);
    let model = ScriptedModel::start(ScriptedOptions::default()).await.unwrap();
    let state = place::state_in(dir);
    let config = format!("codex:\n  scripted_base_url: \"{}\"\n", model.base_url());
    std::fs::write(state.join("config.yaml"), config).unwrap();
    let server = Served::patchbay(dir, &root);
    let mut ours = server.door.open(Era::Modern).await;
    ours.call("codex_worker_start", json!({"name": "Ada", "brief": WORDS})).await;
    rest(&mut ours).await;
    let mut bare = Bare::start(dir, &root, &codex).await;
    bare.turn().await;
    let mut pairs = Pairs::default();
    for _ in 0..effort.of(25) {
        pairs.push(our_turn(&mut ours, WORDS).await, bare.turn().await);
    }
    bare.end().await;
    let stopped = place::patchbay(dir, &["stop"]).status().unwrap();
    assert!(stopped.success(), "patchbay stop");
    drop(server);
    model.shutdown().await;
    vec![pairs.added(About {
        key: "second_turn",
        what: "our share of a trivial second turn",
        unit: "ms",
        comparator: "bare app-server client, whole turn",
        limit: None,
        bound: Bound::Below(25.0),
    })]
}

fn make(root: &Path) {
    std::fs::create_dir_all(root).unwrap();
    place::git(root, &["init", "-q", "-b", "main"]);
    for file in 0..FILES {
        let directory = root.join(format!("dir{}", file / 30));
        std::fs::create_dir_all(&directory).unwrap();
        let mut text = String::new();
        // Writing to a string cannot fail.
        for line in 0..40 {
            let _ = writeln!(text, "line {line} of file {file}");
        }
        std::fs::write(directory.join(format!("file{file}.txt")), text).unwrap();
    }
    place::git(root, &["add", "-A"]);
    place::git(root, &["commit", "-q", "-m", "first"]);
}

/// Milliseconds from the message to the worker at rest, as a client of the door sees it.
async fn our_turn(wire: &mut Wire, words: &str) -> f64 {
    let begun = Instant::now();
    wire.call("codex_worker_message", json!({"worker": "Ada", "message": words})).await;
    rest(wire).await;
    begun.elapsed().as_secs_f64() * 1e3
}

async fn rest(wire: &mut Wire) {
    for _ in 0..4 {
        let seen =
            wire.call("codex_worker_wait", json!({"until": "idle", "wait_seconds": 30})).await;
        if seen["active"] == 0 {
            assert_eq!(seen["workers"][0]["state"], "idle", "{seen}");
            return;
        }
    }
    panic!("the turn does not end");
}

/// A codex app-server and the plainest client of it.
struct Bare {
    codex: Child,
    socket: WebSocketStream<UnixStream>,
    next: u64,
    turn: Value,
}

impl Bare {
    /// Starts codex with the settings that patchbay wrote for its own, in a home beside that.
    async fn start(dir: &Path, root: &Path, codex: &Path) -> Self {
        let tree = dir.join("bare-tree");
        place::git(root, &["worktree", "add", "-q", "--detach", tree.to_str().unwrap()]);
        let (home, tmp) = (dir.join("bare-home"), dir.join("bare-tmp"));
        std::fs::create_dir_all(&home).unwrap();
        std::fs::create_dir_all(&tmp).unwrap();
        std::fs::copy(dir.join("state/codex/config.toml"), home.join("config.toml")).unwrap();
        let path = dir.join("bare.sock");
        let listen = format!("unix://{}", path.display());
        let codex = Command::new(codex)
            .args(["app-server", "--strict-config", "--listen", &listen])
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .env("HOME", dir.join("home"))
            .env("CODEX_HOME", &home)
            .env("TERM", "dumb")
            .env("PATCHBAY_SCRIPTED_KEY", "scripted")
            .current_dir(dir)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let socket = connected(&path).await;
        let mut bare = Self { codex, socket, next: 0, turn: Value::Null };
        let client = json!({"name": "bare", "title": "bare", "version": "1"});
        let capabilities = json!({"experimentalApi": true});
        bare.call("initialize", json!({"clientInfo": client, "capabilities": capabilities})).await;
        bare.tell(json!({"method": "initialized"})).await;
        let cwd = tree.to_str().unwrap();
        let thread = json!({"cwd": cwd, "sandbox": "read-only", "approvalPolicy": "never"});
        let thread = bare.call("thread/start", thread).await["thread"]["id"].clone();
        bare.turn = json!({
            "threadId": thread,
            "input": [{"type": "text", "text": WORDS}],
            "cwd": cwd,
            "approvalPolicy": "never",
            "permissions": "patchbay-write",
            "runtimeWorkspaceRoots": [cwd, tmp.to_str().unwrap()],
        });
        bare
    }

    /// Milliseconds from the start of a turn to its end.
    async fn turn(&mut self) -> f64 {
        let begun = Instant::now();
        let turn = json!({"id": "turn", "method": "turn/start", "params": self.turn});
        self.tell(turn).await;
        loop {
            let message = self.hear().await;
            assert!(message["error"].is_null(), "{message}");
            if message["method"] == "turn/completed" {
                assert_eq!(message["params"]["turn"]["status"], "completed", "{message}");
                return begun.elapsed().as_secs_f64() * 1e3;
            }
        }
    }

    async fn call(&mut self, method: &str, params: Value) -> Value {
        self.next += 1;
        let id = self.next;
        self.tell(json!({"id": id, "method": method, "params": params})).await;
        loop {
            let mut message = self.hear().await;
            if message["id"] == id && message["method"].is_null() {
                assert!(message["error"].is_null(), "{method}: {message}");
                return message["result"].take();
            }
        }
    }

    async fn tell(&mut self, message: Value) {
        self.socket.send(Message::text(message.to_string())).await.unwrap();
    }

    async fn hear(&mut self) -> Value {
        loop {
            if let Message::Text(text) = self.socket.next().await.unwrap().unwrap() {
                return serde_json::from_str(&text).unwrap();
            }
        }
    }

    async fn end(mut self) {
        let _ = self.socket.close(None).await;
    }
}

impl Drop for Bare {
    fn drop(&mut self) {
        // Killed outright it would leave its socket below /tmp.
        end(&mut self.codex);
    }
}

async fn connected(path: &PathBuf) -> WebSocketStream<UnixStream> {
    for _ in 0..1000 {
        if let Ok(stream) = UnixStream::connect(path).await
            && let Ok((socket, _)) =
                tokio_tungstenite::client_async("ws://localhost/", stream).await
        {
            return socket;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("codex does not listen");
}
