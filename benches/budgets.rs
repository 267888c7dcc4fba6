//! Measures the budgets that a user feels, on the program itself, over loopback. It prints and never
//! fails: a timed assertion is no test. Run it with `make bench`, on a quiet machine.
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a measurement starts programs, tells, and stops at the first surprise"
)]

use reqwest::Client;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const STARTS: usize = 9;
const CALLS: usize = 2000;
const CLIENTS: usize = 16;
const LOAD: Duration = Duration::from_secs(3);

/// A server of its own, in a directory of its own.
struct Server {
    child: Child,
    url: String,
    _dir: tempfile::TempDir,
}

impl Server {
    fn start() -> Self {
        std::fs::create_dir_all("target/tmp").unwrap();
        let dir = tempfile::tempdir_in("target/tmp").unwrap();
        let top = dir.path().canonicalize().unwrap();
        let mut child = command(&top, &["start", "--port", "0", "--json", "--root"]);
        let mut child = child.arg(&top).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let ready: Value = serde_json::from_str(&line).unwrap();
        let token: PathBuf = ready["token_file"].as_str().unwrap().into();
        let token = std::fs::read_to_string(token).unwrap();
        let url = format!("http://127.0.0.1:{}/mcp/{}", ready["port"], token.trim());
        Self { child, url, _dir: dir }
    }

    /// Resident memory in KiB.
    fn resident(&self) -> u64 {
        let status = format!("/proc/{}/status", self.child.id());
        let status = std::fs::read_to_string(status).unwrap_or_default();
        let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:")).unwrap_or("0");
        line.split_whitespace().next().unwrap().parse().unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn command(top: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_patchbay"));
    command.args(args).env_clear().env("PATH", "/usr/local/bin:/usr/bin:/bin").current_dir(top);
    command.env("HOME", top.join("home")).env("PATCHBAY_HOME", top.join("state"));
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::inherit());
    command
}

fn initialize() -> Value {
    json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
        "protocolVersion": "2025-11-25",
        "capabilities": {},
        "clientInfo": {"name": "budgets", "version": "1"},
    }})
}

/// One request of the stateless era; gives the bytes of the answer.
async fn ask(http: &Client, url: &str, method: &str, name: Option<&str>) -> usize {
    let meta = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
        "io.modelcontextprotocol/clientInfo": {"name": "budgets", "version": "1"},
    });
    let params = match name {
        Some(name) => json!({"name": name, "arguments": {}, "_meta": meta}),
        None => json!({"_meta": meta}),
    };
    let request = http
        .post(url)
        .header("accept", "application/json, text/event-stream")
        .header("mcp-protocol-version", "2026-07-28")
        .header("mcp-method", method);
    let request = match name {
        Some(name) => request.header("mcp-name", name),
        None => request,
    };
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
    let answer = request.json(&body).send().await.unwrap();
    assert!(answer.status().is_success(), "{method}: {}", answer.status());
    answer.bytes().await.unwrap().len()
}

/// From the start of the process to its first answer, in milliseconds.
async fn cold_start() -> f64 {
    let http = Client::new();
    let begin = Instant::now();
    let server = Server::start();
    let request = http.post(&server.url).header("accept", "application/json, text/event-stream");
    let answer = request.json(&initialize()).send().await.unwrap();
    assert!(answer.status().is_success(), "initialize: {}", answer.status());
    answer.bytes().await.unwrap();
    begin.elapsed().as_secs_f64() * 1e3
}

/// Median and 99th percentile of one call after the other, in milliseconds.
async fn latency(url: &str) -> (f64, f64) {
    let http = Client::new();
    let mut took = Vec::with_capacity(CALLS);
    for _ in 0..CALLS {
        let begin = Instant::now();
        ask(&http, url, "tools/call", Some("codex_self_test")).await;
        took.push(begin.elapsed().as_secs_f64() * 1e3);
    }
    took.sort_by(f64::total_cmp);
    (took[CALLS / 2], took[CALLS * 99 / 100])
}

/// Calls a second of several clients at once.
async fn load(url: &str) -> f64 {
    let end = Instant::now() + LOAD;
    let clients = (0..CLIENTS).map(|_| {
        let url = url.to_owned();
        tokio::spawn(async move {
            let http = Client::new();
            let mut calls = 0_u32;
            while Instant::now() < end {
                ask(&http, &url, "tools/call", Some("codex_self_test")).await;
                calls += 1;
            }
            calls
        })
    });
    let mut calls = 0;
    for client in clients.collect::<Vec<_>>() {
        calls += client.await.unwrap();
    }
    f64::from(calls) / LOAD.as_secs_f64()
}

fn row(what: &str, budget: &str, measured: &str) {
    println!("{what:<44} {budget:>16} {measured:>22}");
}

#[tokio::main]
async fn main() {
    row("what", "budget", "measured");
    let mut starts = Vec::new();
    for _ in 0..STARTS {
        starts.push(cold_start().await);
    }
    starts.sort_by(f64::total_cmp);
    row(
        "cold start to first initialize, median",
        "< 60 ms",
        &format!("{:.1} ms", starts[STARTS / 2]),
    );
    let server = Server::start();
    ask(&Client::new(), &server.url, "tools/list", None).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    row("memory, idle", "< 20 MB", &format!("{:.1} MB", server.resident() as f64 / 1000.0 * 1.024));
    let (median, worst) = latency(&server.url).await;
    row("codex_self_test, p50", "< 0.3 ms", &format!("{median:.3} ms (p99 {worst:.3})"));
    row("codex_self_test, 16 clients", "> 8000 /s", &format!("{:.0} /s", load(&server.url).await));
    let bytes = ask(&Client::new(), &server.url, "tools/list", None).await;
    row("tools/list, worker mode", "< 40000 bytes", &format!("{bytes} bytes"));
}
