use crate::config::Config;
use crate::mcp::socket::{SocketError, Want, ask, listen, socket_path};
use crate::mcp::testing::Bed;
use crate::mcp::{End, Server, StdioClient, StopRequest};
use crate::secret::Secret;
use serde_json::{Value, json};
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, DuplexStream};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

const SESSION: &str = "0123456789abcdef0123456789abcdef";

struct Engine {
    server: Arc<Server>,
    cancel: CancellationToken,
    task: JoinHandle<()>,
}

impl Engine {
    fn start(bed: &Bed) -> Self {
        let (server, cancel) = (bed.server(), CancellationToken::new());
        let listening = listen(&bed.state).unwrap();
        let run = listening.run(server.clone(), bed.token.clone(), cancel.clone());
        Self { server, cancel, task: tokio::spawn(run) }
    }

    async fn stop(self) {
        self.cancel.cancel();
        self.task.await.unwrap();
    }
}

/// A host at the other end of a stdio client.
struct Host {
    lines: BufReader<tokio::io::ReadHalf<DuplexStream>>,
    stdin: tokio::io::WriteHalf<DuplexStream>,
}

impl Host {
    fn new() -> (Self, StdioClient) {
        let (near, far) = tokio::io::duplex(1 << 20);
        let (lines, stdin) = tokio::io::split(near);
        let (read, write) = tokio::io::split(far);
        (Self { lines: BufReader::new(lines), stdin }, StdioClient::new(SESSION, read, write))
    }

    async fn send(&mut self, message: Value) {
        self.stdin.write_all(format!("{message}\n").as_bytes()).await.unwrap();
    }

    async fn read(&mut self) -> Value {
        let mut line = String::new();
        self.lines.read_line(&mut line).await.unwrap();
        serde_json::from_str(&line).unwrap()
    }

    async fn initialize(&mut self) {
        self.send(json!({"jsonrpc": "2.0", "id": "hello", "method": "initialize", "params": {
            "protocolVersion": "2025-11-25", "capabilities": {},
            "clientInfo": {"name": "host", "version": "1"}}}))
            .await;
        let answer = self.read().await;
        assert_eq!(answer["id"], "hello");
        assert_eq!(answer["result"]["serverInfo"]["name"], "patchbay");
        self.send(json!({"jsonrpc": "2.0", "method": "notifications/initialized"})).await;
    }

    async fn call(&mut self, id: u32, tool: &str) {
        let params = json!({"name": tool, "arguments": {}});
        self.send(json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params}))
            .await;
    }
}

async fn relay(bed: &Bed, client: &mut StdioClient) -> End {
    let want = Want::Mcp { session: client.session().to_owned() };
    let (stream, answer) = ask(&bed.state, &bed.token, want).await.unwrap();
    assert_eq!(answer["ok"], true);
    client.relay(stream).await
}

#[tokio::test]
async fn the_socket_is_private_and_asks_for_the_token() {
    let bed = Bed::new(Config::default()).await;
    let nobody = ask(&bed.state, &bed.token, Want::Status).await;
    assert!(matches!(nobody, Err(SocketError::NoEngine)));
    let engine = Engine::start(&bed);
    let mode = std::fs::metadata(socket_path(&bed.state)).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let other = Secret::generate().unwrap();
    match ask(&bed.state, &other, Want::Status).await {
        Err(SocketError::Refused { code, .. }) => assert_eq!(code, "unauthorized"),
        other => panic!("{other:?}"),
    }
    let (_, status) = ask(&bed.state, &bed.token, Want::Status).await.unwrap();
    assert_eq!(status["pid"], std::process::id());
    engine.stop().await;
    assert!(!socket_path(&bed.state).exists());
}

#[tokio::test]
async fn a_stop_is_passed_on_with_what_was_asked() {
    let bed = Bed::new(Config::default()).await;
    let engine = Engine::start(&bed);
    let mut stops = engine.server.stop_requests();
    let asked = ask(&bed.state, &bed.token, Want::Stop { keep_turns: true }).await;
    let (_stream, answer) = asked.unwrap();
    assert_eq!(answer["ok"], true);
    let stop = *stops.wait_for(Option::is_some).await.unwrap();
    assert_eq!(stop, Some(StopRequest { keep_turns: true }));
    engine.stop().await;
}

#[tokio::test]
async fn a_client_moves_from_engine_to_engine_without_noticing() {
    let bed = Bed::new(Config::default()).await;
    let (mut host, mut client) = Host::new();
    // First a relay to another engine …
    let engine = Engine::start(&bed);
    let first = tokio::join!(relay(&bed, &mut client), async {
        host.initialize().await;
        host.call(1, "codex_self_test").await;
        let answer = host.read().await;
        let said = &answer["result"]["structuredContent"];
        assert_eq!(said["active_sessions"], 1);
        let client_ref = said["client_ref"].clone();
        // … which dies in the middle of a call …
        host.call(2, "test_write").await;
        bed.probe.begun.notified().await;
        engine.stop().await;
        let answer = host.read().await;
        assert_eq!(
            (answer["id"].clone(), answer["error"]["code"].clone()),
            (json!(2), json!(-32000))
        );
        client_ref
    });
    assert_eq!(first.0, End::EngineGone);
    // … then this process becomes the engine: no second handshake, the same client.
    let server = bed.server();
    let second = tokio::join!(client.serve(&server, CancellationToken::new()), async {
        host.call(3, "codex_self_test").await;
        let answer = host.read().await;
        assert_eq!(answer["id"], 3);
        assert_eq!(answer["result"]["structuredContent"]["client_ref"], first.1);
        // What was asked before the client closed is answered.
        host.call(4, "codex_self_test").await;
        host.stdin.shutdown().await.unwrap();
        assert_eq!(host.read().await["id"], 4);
    });
    assert_eq!(second.0, End::ClientGone);
}

#[tokio::test]
async fn the_stateless_era_works_over_stdio() {
    let bed = Bed::new(Config::default()).await;
    let (mut host, mut client) = Host::new();
    let server = bed.server();
    let done = tokio::join!(client.serve(&server, CancellationToken::new()), async {
        let meta = json!({"io.modelcontextprotocol/protocolVersion": "2026-07-28",
                          "io.modelcontextprotocol/clientCapabilities": {}});
        for (id, method) in [(1, "server/discover"), (2, "tools/list")] {
            host.send(
                json!({"jsonrpc": "2.0", "id": id, "method": method, "params": {"_meta": meta}}),
            )
            .await;
            let answer = host.read().await;
            assert_eq!(answer["id"], id);
            assert!(answer["result"].is_object(), "{answer}");
        }
        host.stdin.shutdown().await.unwrap();
    });
    assert_eq!(done.0, End::ClientGone);
}
