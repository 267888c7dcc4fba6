//! The comparator of the door: a server that is rmcp, axum and nothing else. It has one tool, whose
//! answer is as long as that of `codex_self_test`, and one that waits for a bell.

use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, Implementation,
    ListToolsResult, PaginatedRequestParams, ServerCapabilities, ServerConfig, Tool,
};
use rmcp::service::RequestContext;
use rmcp::transport::streamable_http_server::StreamableHttpServerConfig;
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::streamable_http_server::tower::StreamableHttpService;
use rmcp::{ErrorData, RoleServer, ServerHandler};
use serde_json::{Map, Value, json};
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::sync::Notify;

/// The path at which it serves.
pub(crate) const PATH: &str = "/mcp";

#[derive(Clone)]
struct Bare {
    bell: Arc<Notify>,
    said: Arc<Value>,
}

/// Serves on a port of its own until the process ends; says the address first.
pub(crate) async fn main() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    println!("{}", listener.local_addr().unwrap());
    serve(listener, Arc::default()).await;
}

/// Serves within this process; gives the address.
pub(crate) async fn within(bell: Arc<Notify>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(serve(listener, bell));
    address
}

async fn serve(listener: TcpListener, bell: Arc<Notify>) {
    use axum::serve::ListenerExt;
    let words = "Several words, as many as the answer of a tool that tells how things are has. ";
    let check = json!({"name": "check", "status": "pass", "detail": words});
    let said = json!({
        "name": "bare", "ready": true, "checks": vec![check; 6], "coordination": words.repeat(3),
    });
    let bare = Bare { bell, said: Arc::new(said) };
    let config = StreamableHttpServerConfig::default().with_json_response(true);
    let sessions = Arc::new(LocalSessionManager::default());
    let service = StreamableHttpService::new(move || Ok(bare.clone()), sessions, config);
    let router = axum::Router::new().route_service(PATH, service);
    let listener = listener.tap_io(|stream| {
        let _ = stream.set_nodelay(true);
    });
    axum::serve(listener, router).await.unwrap();
}

impl ServerHandler for Bare {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
            .with_server_info(Implementation::new("bare", "1"))
    }

    async fn list_tools(
        &self,
        _request: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let schema: Map<String, Value> =
            [("type".to_owned(), json!("object"))].into_iter().collect();
        let schema = Arc::new(schema);
        let tools = ["tell", "wait"].map(|name| Tool::new(name, "Tells.", schema.clone()));
        Ok(ListToolsResult::with_all_items(tools.to_vec()))
    }

    async fn call_tool(
        &self,
        params: CallToolRequestParams,
        _context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        if params.name == "wait" {
            self.bell.notified().await;
        }
        let mut result = CallToolResult::structured((*self.said).clone());
        result.content = vec![ContentBlock::text("bare is ready.")];
        Ok(result.into())
    }
}
