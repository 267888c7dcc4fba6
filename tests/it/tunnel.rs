//! `start --tunnel-mode cloudflare`, against a small real proxy that prints what cloudflared prints.

use crate::support::Bed;
use patchbay::process::Identity;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::Duration;

const PROXY: &str = include_str!("support/cloudflared.py");

/// A bed whose `PATH` leads to the proxy.
struct Public {
    bed: Bed,
    bin: PathBuf,
    port: u16,
}

/// A server with a tunnel.
struct Served {
    child: Child,
    ready: Value,
}

impl Public {
    async fn new(name: &str, plan: Value) -> Self {
        let bed = Bed::new(name).await;
        let bin = bed.dir.join("bin");
        std::fs::create_dir(&bin).unwrap();
        let program = bin.join("cloudflared");
        // Past a launcher on PATH, which may add to the environment.
        let print = "import sys; print(sys.executable)";
        let python = std::process::Command::new("python3").args(["-c", print]).output().unwrap();
        let python = String::from_utf8(python.stdout).unwrap();
        let script = PROXY.replacen("/usr/bin/env python3", python.trim(), 1);
        std::fs::write(&program, script).unwrap();
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(&program, mode).unwrap();
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut plan = plan;
        plan["port"] = json!(port);
        std::fs::write(bed.dir.join("home/tunnel.json"), plan.to_string()).unwrap();
        bed.configure(&format!(
            "tunnel:\n  timeout_seconds: 60\n  health_base_url: http://127.0.0.1:{port}\n"
        ));
        Self { bed, bin, port }
    }

    fn command(&self, more: &[&str]) -> std::process::Command {
        let root = self.bed.repo.root.to_string_lossy().into_owned();
        let mut args = vec!["start", "--port", "0", "--root", &root];
        args.extend(["--tunnel-mode", "cloudflare"]);
        args.extend(more);
        let mut command = self.bed.patchbay(&args);
        let path = std::env::var("PATH").unwrap();
        command.env("PATH", format!("{}:{path}", self.bin.display()));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn start(&self) -> Served {
        let log = std::fs::File::create(self.bed.dir.join("server.log")).unwrap();
        let mut child = self.command(&["--json"]).stderr(log).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let ready = serde_json::from_str(&line)
            .unwrap_or_else(|e| panic!("{e}: {line}\n{}", self.bed.server_log()));
        Served { child, ready }
    }

    /// A start that must fail: its error.
    fn refused(&self, code: i32) -> Value {
        let out = self.command(&["--json"]).output().unwrap();
        let said = String::from_utf8_lossy(&out.stderr).into_owned();
        assert_eq!(out.status.code(), Some(code), "{said}");
        let answer: Value = serde_json::from_slice(&out.stdout).unwrap();
        answer["error"].clone()
    }

    fn seen(&self) -> Value {
        let text = std::fs::read_to_string(self.bed.dir.join("home/tunnel-seen.json")).unwrap();
        serde_json::from_str(&text).unwrap()
    }

    /// The proxy's process.
    fn proxy(&self) -> Identity {
        Identity::of(i32::try_from(self.seen()["pid"].as_i64().unwrap()).unwrap()).expect("a proxy")
    }

    /// Asks through the tunnel, as a request to `host`.
    async fn ask(&self, host: &str, path: &str) -> reqwest::Response {
        let url = format!("http://127.0.0.1:{}{path}", self.port);
        let body = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {"_meta": {
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientCapabilities": {},
            "io.modelcontextprotocol/clientInfo": {"name": "t", "version": "1"},
        }}});
        let request = reqwest::Client::new().post(url).header("host", host).json(&body);
        let request = request.header("accept", "application/json, text/event-stream");
        let request = request.header("mcp-protocol-version", "2026-07-28");
        request.header("mcp-method", "tools/list").send().await.unwrap()
    }

    fn status(&self) -> Value {
        let out = self.bed.patchbay(&["status", "--json"]).output().unwrap();
        serde_json::from_slice(&out.stdout).unwrap()
    }

    /// Waits until the status of the tunnel is as wanted.
    async fn until(&self, wanted: impl Fn(&Value) -> bool) -> Value {
        for _ in 0..300 {
            let status = self.status();
            if wanted(&status["tunnel"]) {
                return status;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("{}\n{}", self.status(), self.bed.server_log());
    }

    async fn finish(self, mut served: Served) {
        let out = self.bed.patchbay(&["stop"]).output().unwrap();
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        assert!(served.child.wait().unwrap().success(), "{}", self.bed.server_log());
        self.bed.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tunnel_leads_to_us_gets_no_secret_and_ends_with_the_server() {
    let public = Public::new("tunnel", json!({"mode": "serves"})).await;
    let served = public.start();
    let token = public.bed.token();
    let host = "quick-fox-1.trycloudflare.com";
    let shown = format!("https://{host}/mcp/[redacted]");
    assert_eq!(served.ready["tunnel"], json!({"mode": "cloudflare", "server_url": shown}));
    let seen = public.seen();
    let origin = format!("http://127.0.0.1:{}", served.ready["port"]);
    assert_eq!(seen["args"], json!(["tunnel", "--no-autoupdate", "--url", origin]));
    assert_eq!(seen["env"], json!(["HOME", "PATH"]));
    assert!(!seen.to_string().contains(&token), "the tunnel was given the token");
    assert_eq!(seen["pid"], seen["pgid"], "it has a group of its own");
    let answer = public.ask(host, &format!("/mcp/{token}")).await;
    assert_eq!(answer.status(), 200);
    assert!(answer.text().await.unwrap().contains("codex_worker_start"));
    assert_eq!(public.ask(host, "/mcp").await.status(), 401);
    let stranger = public.ask("other-fox.trycloudflare.com", &format!("/mcp/{token}")).await;
    assert_ne!(stranger.status(), 200, "another host was let in");
    let status = public.status();
    assert_eq!(status["tunnel"]["state"], "up", "{status}");
    assert_eq!(status["tunnel"]["url"], shown);
    let checks = status["checks"].as_array().unwrap();
    assert!(checks.iter().any(|c| c["name"] == "tunnel" && c["status"] == "pass"), "{status}");
    assert!(!public.bed.server_log().contains(&token), "the log shows the token");
    let proxy = public.proxy();
    public.finish(served).await;
    assert!(!proxy.alive(), "the tunnel outlived the server");
}

/// What people do with the address, in ChatGPT's own words.
const STEPS: &str = "\
The tunnel is up. Server URL for ChatGPT:
  https://quick-fox-1.trycloudflare.com/mcp/[redacted]
The secret part is in the token file; --reveal-token shows the whole address.
In ChatGPT, once:
  1. Settings → Apps & Connectors → Advanced settings: turn Developer mode on.
  2. Settings → Apps & Connectors → Create: any name, the Server URL as MCP Server URL,
     authentication \"No authentication\", then Create.
  3. In a chat: + → More → Developer mode → the connector. Say: call codex_self_test.
A new start has a new address: change it in the connector. After an upgrade of patchbay press
Refresh in the connector's settings, because ChatGPT keeps its list of tools.
";

#[tokio::test(flavor = "multi_thread")]
async fn people_are_told_the_address_and_what_to_do_with_it_in_chatgpt() {
    let public = Public::new("tunnel-told", json!({"mode": "serves"})).await;
    let log = std::fs::File::create(public.bed.dir.join("server.log")).unwrap();
    let mut child = public.command(&[]).stderr(log).spawn().unwrap();
    let mut said = String::new();
    let mut lines = BufReader::new(child.stdout.take().unwrap());
    while !said.ends_with(STEPS) && lines.read_line(&mut said).unwrap() > 0 {}
    assert!(said.ends_with(STEPS), "{said}\n{}", public.bed.server_log());
    assert!(!said.contains(&public.bed.token()), "{said}");
    public.finish(Served { child, ready: Value::Null }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tunnel_that_ends_is_told_and_started_again_under_a_new_address() {
    let public = Public::new("tunnel-again", json!({"mode": "serves"})).await;
    let served = public.start();
    public.proxy().signal(rustix::process::Signal::KILL).unwrap();
    let status = public.until(|t| t["restarts"] == 1 && t["state"] == "up").await;
    assert_eq!(
        status["tunnel"]["url"], "https://quick-fox-2.trycloudflare.com/mcp/[redacted]",
        "{status}"
    );
    let path = format!("/mcp/{}", public.bed.token());
    assert_eq!(public.ask("quick-fox-2.trycloudflare.com", &path).await.status(), 200);
    assert_ne!(public.ask("quick-fox-1.trycloudflare.com", &path).await.status(), 200);
    let log = public.bed.server_log();
    assert!(log.contains("the tunnel has ended") && log.contains("quick-fox-2"), "{log}");
    public.finish(served).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tunnel_does_not_outlive_a_server_that_is_killed() {
    let public = Public::new("tunnel-killed", json!({"mode": "serves"})).await;
    let mut served = public.start();
    let proxy = public.proxy();
    served.child.kill().unwrap();
    served.child.wait().unwrap();
    assert!(proxy.ended_within(Duration::from_secs(20)).await, "the tunnel is still open");
    public.bed.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_tunnel_without_a_token_or_a_program_or_a_way_to_us() {
    let foreign = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let plan = json!({"mode": "foreign", "foreign": foreign.local_addr().unwrap().port()});
    std::thread::spawn(move || answer_for_ever(&foreign));
    let public = Public::new("tunnel-refused", plan).await;
    let configure = |more: &str| {
        public.bed.configure(&format!(
            "tunnel:\n  timeout_seconds: 2\n  health_base_url: http://127.0.0.1:{}\n{more}",
            public.port
        ));
    };
    configure("");
    let error = public.refused(1);
    assert_eq!(error["code"], "tunnel_unhealthy", "{error}");
    assert!(error["message"].as_str().unwrap().contains("something else"), "{error}");
    assert!(!public.proxy_runs(), "a tunnel that failed is left");

    let token = public.bed.token();
    let plan = json!({"mode": "fails", "port": public.port, "token": token});
    std::fs::write(public.bed.dir.join("home/tunnel.json"), plan.to_string()).unwrap();
    let error = public.refused(1);
    assert_eq!(error["code"], "tunnel_ended", "{error}");
    let message = error["message"].as_str().unwrap();
    assert!(message.contains("no route") && message.contains("/mcp/[redacted]"), "{error}");
    assert!(!message.contains(&token), "{error}");

    configure("auth:\n  enabled: false\n");
    let error = public.refused(2);
    assert!(error["message"].as_str().unwrap().contains("tunnel.mode"), "{error}");
    configure(&format!("  cloudflared: {}\n", Path::new("/nonexistent/cloudflared").display()));
    let error = public.refused(1);
    assert_eq!(error["code"], "tunnel_program_missing", "{error}");
    assert!(error["hint"].as_str().unwrap().contains("tunnel.cloudflared"), "{error}");
    public.bed.finish().await;
}

impl Public {
    fn proxy_runs(&self) -> bool {
        let pid = i32::try_from(self.seen()["pid"].as_i64().unwrap()).unwrap();
        Identity::of(pid).is_some_and(|proxy| proxy.alive())
    }
}

/// A server of somebody else that says that all is well.
fn answer_for_ever(listener: &std::net::TcpListener) {
    for stream in listener.incoming() {
        let Ok(mut stream) = stream else { return };
        let mut piece = [0; 4096];
        let _ = stream.read(&mut piece);
        let body = r#"{"ok":true}"#;
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len());
        let _ = std::io::Write::write_all(&mut stream, (head + body).as_bytes());
    }
}
