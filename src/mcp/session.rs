use super::connection::Connection;
use super::dispatch::{Request, answer};
use super::instructions::INSTRUCTIONS;
use super::server::Server;
use crate::ownership::Caller;
use rmcp::ErrorData;
use rmcp::RoleServer;
use rmcp::ServerHandler;
use rmcp::model::{
    CacheScope, CallToolRequestParams, CallToolResponse, CompleteRequestMethod,
    CompleteRequestParams, CompleteResult, Implementation, ListPromptsRequestMethod,
    ListPromptsResult, ListResourceTemplatesRequestMethod, ListResourceTemplatesResult,
    ListResourcesRequestMethod, ListResourcesResult, ListToolsResult, MetaObject,
    PaginatedRequestParams, ProtocolVersion, ServerCapabilities, ServerConfig, Tool,
};
use rmcp::service::{NotificationContext, RequestContext};
use std::sync::Arc;

/// The handler of one connection. It holds nothing but where messages come from: what a chat has lives
/// in the store, because most hosts open a session for each call.
pub(crate) struct Session {
    server: Arc<Server>,
    connection: Option<Connection>,
}

impl Session {
    /// `connection` is given for streams; over HTTP each request carries its own.
    pub(crate) fn new(server: Arc<Server>, connection: Option<Connection>) -> Self {
        Self { server, connection }
    }

    /// Where this request comes from: the stream's connection, else the one that the HTTP guard put
    /// beside the request, with the session that the request's header names.
    fn connection(&self, context: &RequestContext<RoleServer>) -> Option<Connection> {
        if let Some(connection) = &self.connection {
            return Some(connection.clone());
        }
        let parts = context.extensions.get::<http::request::Parts>()?;
        let mut connection = parts.extensions.get::<Connection>()?.clone();
        connection.session = parts
            .headers
            .get("mcp-session-id")
            .and_then(|value| value.to_str().ok())
            .map(str::to_owned);
        Some(connection)
    }

    fn caller(&self, connection: &Connection, context: &RequestContext<RoleServer>) -> Caller {
        let chat = context.meta.get("openai/session").and_then(serde_json::Value::as_str);
        let client = context.client_info();
        let label = client.as_ref().map(|info| info.name.as_str());
        connection.caller(&self.server.app().owners, chat, label)
    }
}

/// Who we are.
fn identity() -> Implementation {
    Implementation::new("patchbay", env!("CARGO_PKG_VERSION")).with_title("patchbay")
}

/// The `_meta` of a result: modern results name the server (2026-07-28), older peers get none.
fn result_meta(context: &RequestContext<RoleServer>) -> Option<MetaObject> {
    let modern = context
        .protocol_version()
        .is_some_and(|version| version.as_str() >= ProtocolVersion::V_2026_07_28.as_str());
    modern.then(|| {
        let mut meta = MetaObject::new();
        let about = serde_json::json!({"name": "patchbay", "version": env!("CARGO_PKG_VERSION")});
        meta.0.insert("io.modelcontextprotocol/serverInfo".to_owned(), about);
        meta
    })
}

impl ServerHandler for Session {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
            .with_server_info(identity())
            .with_instructions(INSTRUCTIONS)
    }

    async fn list_tools(
        &self,
        _request: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let tools = self.server.catalog().list(self.server.mode());
        // Private and stale at once: the list depends on the connector's mode.
        let mut result = ListToolsResult::with_all_items(tools)
            .with_ttl_ms(0)
            .with_cache_scope(CacheScope::Private);
        result.meta = result_meta(&context);
        Ok(result)
    }

    fn get_tool(&self, name: &str) -> Option<Tool> {
        // Used to check `Mcp-Param-*` headers, without a request at hand: it knows every mode's tools.
        self.server.catalog().get(name).map(|entry| entry.tool.clone())
    }

    async fn call_tool(
        &self,
        params: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let Some(connection) = self.connection(&context) else {
            return Err(ErrorData::internal_error("a request without a connection", None));
        };
        let request = Request {
            name: params.name.into_owned(),
            arguments: params.arguments,
            caller: self.caller(&connection, &context),
            session_key: connection.session_key(),
            cancel: context.ct.clone(),
            meta: result_meta(&context),
        };
        Ok(answer(&self.server, request).await.into())
    }

    async fn on_initialized(&self, _context: NotificationContext<RoleServer>) {}

    // What is not declared is not there: rmcp's defaults answer these with empty lists.
    async fn list_prompts(
        &self,
        _request: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListPromptsResult, ErrorData> {
        Err(ErrorData::method_not_found::<ListPromptsRequestMethod>())
    }

    async fn list_resources(
        &self,
        _request: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListResourcesResult, ErrorData> {
        Err(ErrorData::method_not_found::<ListResourcesRequestMethod>())
    }

    async fn list_resource_templates(
        &self,
        _request: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListResourceTemplatesResult, ErrorData> {
        Err(ErrorData::method_not_found::<ListResourceTemplatesRequestMethod>())
    }

    async fn complete(
        &self,
        _request: CompleteRequestParams,
        _context: RequestContext<RoleServer>,
    ) -> Result<CompleteResult, ErrorData> {
        Err(ErrorData::method_not_found::<CompleteRequestMethod>())
    }
}
