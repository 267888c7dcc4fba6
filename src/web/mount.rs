use super::WebError;
use super::access::Access;
use super::guard::{self, Guard};
use super::sessions::{KeptSessions, MOST, Sessions};
use crate::mcp::{Connection, Server};
use crate::secret::Secret;
use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::http::{Extensions, HeaderMap, HeaderValue, Method, Uri, header};
use axum::middleware::from_fn_with_state;
use axum::response::Response;
use axum::routing::{any, get};
use axum::{Json, Router};
use rmcp::transport::streamable_http_server::StreamableHttpServerConfig;
use rmcp::transport::streamable_http_server::tower::StreamableHttpService;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;
use tower_http::set_header::SetResponseHeaderLayer;

/// The media types of an MCP answer; rmcp wants both named.
const BOTH: &str = "application/json, text/event-stream";

/// What the routes share.
#[derive(Clone)]
struct Door {
    server: Arc<Server>,
    access: Access,
    mcp: StreamableHttpService<crate::mcp::Session, Sessions>,
}

/// All routes of the server.
///
/// `bound` is the address that is listened on (it decides whether `auth.enabled: false` counts), `token`
/// the secret of the state directory; when `cancel` fires, open streams end.
pub fn mount(
    server: Arc<Server>,
    token: Secret,
    bound: SocketAddr,
    cancel: CancellationToken,
) -> Router {
    let app = server.app().clone();
    let access = Access::new(token, &app.config.auth, bound.ip().is_loopback(), &app.owners);
    let door = Door { mcp: mcp_service(&server, cancel), server, access };
    let guard = Guard::new(&app.config.server);
    let no_store = HeaderValue::from_static("no-store");
    let no_referrer = HeaderValue::from_static("no-referrer");
    Router::new()
        .route("/healthz", get(|| async { Json(json!({"ok": true})) }).head(not_allowed))
        .route("/status", get(status).head(not_allowed))
        .route("/mcp", any(by_request))
        .route("/mcp/", any(by_request))
        .route("/mcp/{secret}", any(by_path))
        .route("/mcp/{secret}/", any(by_path))
        .fallback(|| async { WebError::NotFound })
        .with_state(door)
        .layer(from_fn_with_state(guard, guard::layer))
        .layer(SetResponseHeaderLayer::if_not_present(header::CACHE_CONTROL, no_store))
        .layer(SetResponseHeaderLayer::if_not_present(header::REFERRER_POLICY, no_referrer))
}

fn mcp_service(
    server: &Arc<Server>,
    cancel: CancellationToken,
) -> StreamableHttpService<crate::mcp::Session, Sessions> {
    let app = server.app();
    let mut config = StreamableHttpServerConfig::default()
        .with_max_request_body_bytes(app.config.server.max_request_bytes)
        .with_json_response(true)
        .with_cancellation_token(cancel)
        // `Guard` has checked both, for every route and with the operator's lists.
        .disable_allowed_hosts()
        .disable_allowed_origins();
    config.session_store = Some(Arc::new(KeptSessions(app.store.clone())));
    let sessions = Sessions::new(server.facts().presence.clone(), MOST);
    let server = server.clone();
    StreamableHttpService::new(move || Ok(server.session(None)), Arc::new(sessions), config)
}

async fn not_allowed() -> axum::http::StatusCode {
    axum::http::StatusCode::METHOD_NOT_ALLOWED
}

async fn status(
    State(door): State<Door>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Json<Value>, WebError> {
    door.access.by_request(&uri, &headers)?;
    Ok(Json(door.server.status()))
}

async fn by_path(
    State(door): State<Door>,
    Path(secret): Path<String>,
    request: Request,
) -> Result<Response, WebError> {
    let connection = door.access.by_path(&secret)?;
    Ok(pass(&door, connection, request).await)
}

async fn by_request(State(door): State<Door>, request: Request) -> Result<Response, WebError> {
    let connection = door.access.by_request(request.uri(), request.headers())?;
    Ok(pass(&door, connection, request).await)
}

/// Hands a request to MCP. What carried the secret (path, query, header, what the router keeps beside
/// the request) stays behind, so that nothing further in can log it.
async fn pass(door: &Door, connection: Connection, request: Request) -> Response {
    let (mut parts, body) = request.into_parts();
    parts.uri = Uri::from_static("/mcp");
    parts.headers.remove(header::AUTHORIZATION);
    parts.extensions = Extensions::new();
    parts.extensions.insert(connection);
    if parts.method == Method::POST {
        widen_accept(&mut parts.headers);
    }
    let response = door.mcp.handle(Request::from_parts(parts, body)).await;
    response.map(Body::new)
}

/// Some hosts send `Accept: */*` or none at all; they take what we have, but rmcp wants it spelt out.
fn widen_accept(headers: &mut HeaderMap) {
    let takes_all = |value: &HeaderValue| value.to_str().is_ok_and(|v| v.contains("*/*"));
    let values = headers.get_all(header::ACCEPT);
    if values.iter().next().is_none() || values.iter().any(takes_all) {
        headers.insert(header::ACCEPT, HeaderValue::from_static(BOTH));
    }
}
