use super::WebError;
use super::access::Access;
use super::body;
use super::explain::explained;
use super::guard::{self, Guard};
use super::kept::KeptSessions;
use super::session_id::SessionIds;
use super::sessions::{Limits, Sessions};
use crate::app::App;
use crate::mcp::{Connection, PROBE_HEADER, Presence, Reach, Server};
use crate::secret::Secret;
use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::http::{Extensions, HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get};
use axum::{Json, Router};
use rmcp::ServerHandler;
use rmcp::transport::streamable_http_server::StreamableHttpServerConfig;
use rmcp::transport::streamable_http_server::tower::StreamableHttpService;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use tower_http::set_header::SetResponseHeaderLayer;

/// The media types of an MCP answer; rmcp wants both named.
const BOTH: &str = "application/json, text/event-stream";

/// What stands between HTTP and a handler of MCP, and what it is made of.
#[derive(Clone)]
pub struct Front {
    /// Settings, owners and the store of sessions.
    pub app: Arc<App>,
    /// Where open sessions are counted.
    pub presence: Presence,
    /// The secret of the state directory.
    pub token: Secret,
    /// The address that is listened on; it decides whether `auth.enabled: false` counts.
    pub bound: SocketAddr,
    /// When it fires, open streams end.
    pub cancel: CancellationToken,
}

impl Front {
    fn access(&self) -> Access {
        let loopback = self.bound.ip().is_loopback();
        Access::new(self.token.clone(), &self.app.config.auth, loopback, &self.app.owners)
    }
}

/// All routes of the server.
///
/// `bound` is the address that is listened on (it decides whether `auth.enabled: false` counts), `token`
/// the secret of the state directory; when `cancel` fires, open streams end. Call it inside a tokio
/// runtime.
pub fn mount(
    server: Arc<Server>,
    token: Secret,
    bound: SocketAddr,
    cancel: CancellationToken,
) -> Router {
    let presence = server.facts().presence.clone();
    let front = Front { app: server.app().clone(), presence, token, bound, cancel };
    let (access, told) = (front.access(), server.clone());
    let status = move |uri: Uri, headers: HeaderMap| async move {
        access.by_request(&uri, &headers).map(|_| Json::<Value>(told.status()))
    };
    let more = Router::new().route("/status", get(status).head(not_allowed));
    let reach = server.facts().reach.clone();
    mount_reached(front, reach, move || server.session(None), more)
}

/// Routes for any handler of MCP, behind the same door as the product: hosts and origins, the token,
/// bounds, sessions. `make` gives a handler for each session, and each request of the stateless era;
/// `more` are further routes, which check the token themselves.
///
/// Call it inside a tokio runtime; a task lets idle sessions go until `front.cancel` fires.
pub fn mount_handler<H: ServerHandler>(
    front: Front,
    make: impl Fn() -> H + Send + Sync + 'static,
    more: Router,
) -> Router {
    mount_reached(front, Reach::default(), make, more)
}

/// As [`mount_handler`]; `reach` names the host of a tunnel, as long as there is one.
fn mount_reached<H: ServerHandler>(
    front: Front,
    reach: Reach,
    make: impl Fn() -> H + Send + Sync + 'static,
    more: Router,
) -> Router {
    let guard = Guard::new(&front.app.config.server, reach.clone());
    let no_store = HeaderValue::from_static("no-store");
    let no_referrer = HeaderValue::from_static("no-referrer");
    Router::new()
        .route("/healthz", get(move || health(reach.clone())).head(not_allowed))
        .route("/mcp", any(by_request::<H>))
        .route("/mcp/", any(by_request::<H>))
        .route("/mcp/{secret}", any(by_path::<H>))
        .route("/mcp/{secret}/", any(by_path::<H>))
        .with_state(Arc::new(Door::new(&front, make)))
        .merge(more)
        .fallback(|| async { WebError::NotFound })
        .layer(from_fn_with_state(guard, guard::layer))
        .layer(SetResponseHeaderLayer::if_not_present(header::CACHE_CONTROL, no_store))
        .layer(SetResponseHeaderLayer::if_not_present(header::REFERRER_POLICY, no_referrer))
}

/// Tells nothing but that we are there. While a tunnel is checked it also carries the word by which that
/// check knows us.
async fn health(reach: Reach) -> Response {
    let mut response = Json(json!({"ok": true})).into_response();
    if let Some(word) = reach.probe().and_then(|word| HeaderValue::from_str(&word).ok()) {
        response.headers_mut().insert(PROBE_HEADER, word);
    }
    response
}

/// What the routes share.
struct Door<H> {
    access: Access,
    ids: SessionIds,
    most_bytes: usize,
    mcp: StreamableHttpService<H, Sessions>,
}

impl<H: ServerHandler> Door<H> {
    fn new(front: &Front, make: impl Fn() -> H + Send + Sync + 'static) -> Self {
        let settings = &front.app.config.server;
        let mut config = StreamableHttpServerConfig::default()
            .with_max_request_body_bytes(settings.max_request_bytes)
            .with_json_response(true)
            .with_sse_keep_alive(Some(Duration::from_secs(settings.heartbeat_seconds)))
            .with_cancellation_token(front.cancel.clone())
            // `Guard` has checked both, for every route and with the operator's lists.
            .disable_allowed_hosts()
            .disable_allowed_origins();
        config.session_store = Some(Arc::new(KeptSessions(front.app.store.clone())));
        let limits = Limits {
            most: settings.max_sessions,
            idle: Duration::from_secs(settings.session_idle_seconds),
        };
        let sessions = Arc::new(Sessions::new(front.presence.clone(), limits));
        Sessions::watch(&sessions, front.cancel.clone());
        Self {
            access: front.access(),
            ids: SessionIds::new(front.app.owners.clone()),
            most_bytes: settings.max_request_bytes,
            mcp: StreamableHttpService::new(move || Ok(make()), sessions, config),
        }
    }

    /// Hands a request to MCP. What carried the secret (path, query, header, what the router keeps
    /// beside the request) stays behind, so that nothing further in can log it.
    async fn pass(&self, connection: Connection, request: Request) -> Result<Response, WebError> {
        let (mut parts, body) = request.into_parts();
        parts.uri = Uri::from_static("/mcp");
        parts.headers.remove(header::AUTHORIZATION);
        parts.extensions = Extensions::new();
        self.ids.accept(&connection.connector, &mut parts.headers)?;
        let connector = connection.connector.clone();
        parts.extensions.insert(connection);
        let post = parts.method == Method::POST;
        let json = body::is_json(&parts.headers);
        widen_accept(&mut parts.headers);
        let bytes = body::read(body, self.most_bytes).await?;
        let request = Request::from_parts(parts, Body::from(bytes.clone()));
        let mut response = self.mcp.handle(request).await.map(Body::new);
        if post && json && response.status() == StatusCode::UNSUPPORTED_MEDIA_TYPE {
            response = body::no_message(&bytes).into_response();
        }
        let mut response = explained(response).await;
        self.ids.show(&connector, response.headers_mut());
        Ok(response)
    }
}

async fn not_allowed() -> StatusCode {
    StatusCode::METHOD_NOT_ALLOWED
}

async fn by_path<H: ServerHandler>(
    State(door): State<Arc<Door<H>>>,
    Path(secret): Path<String>,
    request: Request,
) -> Result<Response, WebError> {
    let connection = door.access.by_path(&secret)?;
    door.pass(connection, request).await
}

async fn by_request<H: ServerHandler>(
    State(door): State<Arc<Door<H>>>,
    request: Request,
) -> Result<Response, WebError> {
    let connection = door.access.by_request(request.uri(), request.headers())?;
    door.pass(connection, request).await
}

/// Some hosts send `Accept: */*` or none at all; they take what we have, but rmcp wants it spelt out.
fn widen_accept(headers: &mut HeaderMap) {
    let takes_all = |value: &HeaderValue| value.to_str().is_ok_and(|v| v.contains("*/*"));
    let values = headers.get_all(header::ACCEPT);
    if values.iter().next().is_none() || values.iter().any(takes_all) {
        headers.insert(header::ACCEPT, HeaderValue::from_static(BOTH));
    }
}
