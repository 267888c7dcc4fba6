use crate::mcp::Server;
use crate::mcp::testing::Bed;
use crate::web::{mount, serve};
use axum::Router;
use reqwest::RequestBuilder;
use rmcp::transport::StreamableHttpClientTransport;
use rmcp::transport::streamable_http_client::StreamableHttpClientTransportConfig;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Long enough for anything here; nothing waits for it unless it is broken.
pub(super) const FAR: Duration = Duration::from_secs(20);

/// Returns when `left` sessions are in memory.
pub(super) async fn ended(live: &Live, left: usize) {
    let open = || live.server.facts().presence.open_sessions();
    let seen = async {
        while open() != left {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(FAR, seen).await.unwrap_or_else(|_| panic!("{} sessions stay", open()));
}

/// A server that answers on a port of its own.
pub(super) struct Live {
    pub(super) bed: Bed,
    pub(super) server: Arc<Server>,
    pub(super) address: SocketAddr,
    pub(super) http: reqwest::Client,
    cancel: CancellationToken,
    task: JoinHandle<std::io::Result<()>>,
}

impl Live {
    pub(super) async fn start(bed: Bed) -> Self {
        let (server, token) = (bed.server(), bed.token.clone());
        let product = server.clone();
        Self::serve(bed, server, move |bound, cancel| mount(product, token, bound, cancel)).await
    }

    /// Serves other routes in the place of the product's.
    pub(super) async fn with_router(
        bed: Bed,
        routes: impl FnOnce(SocketAddr, CancellationToken) -> Router,
    ) -> Self {
        let server = bed.server();
        Self::serve(bed, server, routes).await
    }

    async fn serve(
        bed: Bed,
        server: Arc<Server>,
        routes: impl FnOnce(SocketAddr, CancellationToken) -> Router,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let cancel = CancellationToken::new();
        let router = routes(address, cancel.clone());
        let task = tokio::spawn(serve(listener, router, cancel.clone()));
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        Self { bed, server, address, http, cancel, task }
    }

    pub(super) async fn default() -> Self {
        Self::start(Bed::new(crate::config::Config::default()).await).await
    }

    /// Ends the server; the state stays.
    pub(super) async fn stop(self) -> Bed {
        self.cancel.cancel();
        self.task.await.unwrap().unwrap();
        self.server.close().await;
        self.bed
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(super) fn secret_url(&self) -> String {
        self.url(&format!("/mcp/{}", self.bed.token.expose()))
    }

    /// A request of the stateless era, not yet sent.
    pub(super) fn modern(&self, url: &str, method: &str, params: Value) -> RequestBuilder {
        let mut params = params;
        params["_meta"] = json!({
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientCapabilities": {},
            "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
            "openai/session": "chat-1",
        });
        let mut request = self
            .http
            .post(url)
            .header("accept", "application/json, text/event-stream")
            .header("mcp-protocol-version", "2026-07-28")
            .header("mcp-method", method);
        if let Some(name) = params["name"].as_str() {
            request = request.header("mcp-name", name);
        }
        request.json(&json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}))
    }

    /// The result of a request of the stateless era.
    pub(super) async fn result(&self, method: &str, params: Value) -> Value {
        let response = self.modern(&self.secret_url(), method, params).send().await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "application/json");
        let message: Value = response.json().await.unwrap();
        message["result"].clone()
    }

    pub(super) async fn call(&self, tool: &str, arguments: Value) -> Value {
        self.result("tools/call", json!({"name": tool, "arguments": arguments})).await
    }

    /// The transport of a client of the legacy era.
    pub(super) fn legacy(&self) -> StreamableHttpClientTransport<reqwest::Client> {
        let config = StreamableHttpClientTransportConfig::with_uri(self.secret_url());
        StreamableHttpClientTransport::with_client(self.http.clone(), config)
    }

    /// Opens a session by hand and gives its id.
    pub(super) async fn open_session(&self) -> String {
        let params = json!({"protocolVersion": "2025-11-25", "capabilities": {},
                            "clientInfo": {"name": "by-hand", "version": "1"}});
        let response = self.in_session(None, 0, "initialize", params).await;
        let id = response.headers()["mcp-session-id"].to_str().unwrap().to_owned();
        let done = self
            .http
            .post(self.secret_url())
            .header("accept", "application/json, text/event-stream")
            .header("mcp-session-id", &id)
            .json(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"}))
            .send()
            .await
            .unwrap();
        assert_eq!(done.status(), 202);
        id
    }

    pub(super) async fn in_session(
        &self,
        session: Option<&str>,
        id: u32,
        method: &str,
        params: Value,
    ) -> reqwest::Response {
        let mut request = self
            .http
            .post(self.secret_url())
            .header("accept", "application/json, text/event-stream");
        if let Some(session) = session {
            request = request.header("mcp-session-id", session);
        }
        let body = json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params});
        let response = request.json(&body).send().await.unwrap();
        assert_eq!(response.status(), 200, "{method}");
        response
    }

    /// `codex_self_test` in a legacy session.
    pub(super) async fn self_test_in(&self, session: &str) -> Value {
        let params = json!({"name": "codex_self_test", "arguments": {}});
        let body =
            self.in_session(Some(session), 7, "tools/call", params).await.text().await.unwrap();
        let data = body.lines().filter_map(|l| l.strip_prefix("data: ")).next_back().unwrap();
        let message: Value = serde_json::from_str(data).unwrap();
        message["result"]["structuredContent"].clone()
    }
}
