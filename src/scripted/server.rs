use super::dialect::Dialect;
use super::fault;
use super::gates::Gates;
use super::item::ItemIds;
use super::log::{Asked, Log};
use super::reply::{End, Reply};
use super::request::Request;
use super::scenes::{Attempts, Scene, play};
use super::sse::{Frame, frames};
use crate::clock::Clock;
use axum::Router;
use axum::body::Body;
use axum::extract::{DefaultBodyLimit, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use bytes::Bytes;
use futures_util::stream;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use serde_json::{Value, json};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Why the scripted model could not be started.
#[derive(Debug, thiserror::Error)]
pub enum ScriptedError {
    /// The port could not be had.
    #[error("the scripted model cannot listen on 127.0.0.1:{port}: {source}")]
    Listen {
        /// The port asked for; 0 for any.
        port: u16,
        /// The system's error.
        source: io::Error,
    },
    /// The file of requests could not be opened.
    #[error("the log of requests {path}: {source}")]
    Log {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// The kernel gave no random bytes.
    #[error("no random bytes: {0}")]
    NoRandomness(#[from] rustix::io::Errno),
}

/// How the scripted model is started.
#[derive(Debug, Clone)]
pub struct ScriptedOptions {
    /// The port on 127.0.0.1; 0, the default, picks a free one.
    pub port: u16,
    /// The dialect of every call. Default: what each request's tools ask for.
    pub dialect: Option<Dialect>,
    /// A file to which each request is appended as one JSON object a line.
    pub log_file: Option<PathBuf>,
    /// The time, for the log and for resets of limits.
    pub clock: Clock,
}

impl Default for ScriptedOptions {
    fn default() -> Self {
        Self { port: 0, dialect: None, log_file: None, clock: Clock::system() }
    }
}

/// A running scripted model. Dropping it ends it; [`ScriptedModel::shutdown`] also waits for the end.
#[derive(Debug)]
pub struct ScriptedModel {
    address: SocketAddr,
    shared: Arc<Shared>,
    served: Mutex<Option<JoinHandle<io::Result<()>>>>,
}

#[derive(Debug)]
struct Shared {
    dialect: Option<Dialect>,
    clock: Clock,
    log: Log,
    gates: Gates,
    ids: ItemIds,
    attempts: Attempts,
    key: Mutex<Option<String>>,
    over: CancellationToken,
}

impl ScriptedModel {
    /// Listens on loopback and serves until it is shut down or dropped.
    ///
    /// # Errors
    /// The port is taken, or the log cannot be opened; see [`ScriptedError`].
    pub async fn start(options: ScriptedOptions) -> Result<Self, ScriptedError> {
        let log = Log::new(options.log_file.as_deref()).map_err(|source| ScriptedError::Log {
            path: options.log_file.clone().unwrap_or_default(),
            source,
        })?;
        let listen = |source| ScriptedError::Listen { port: options.port, source };
        let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, options.port))
            .await
            .map_err(listen)?;
        let address = listener.local_addr().map_err(listen)?;
        let shared = Arc::new(Shared {
            dialect: options.dialect,
            clock: options.clock,
            log,
            gates: Gates::new(),
            ids: ItemIds::new()?,
            attempts: Attempts::default(),
            key: Mutex::default(),
            over: CancellationToken::new(),
        });
        let over = shared.over.clone();
        let serve = axum::serve(listener, router(Arc::clone(&shared)))
            .with_graceful_shutdown(async move { over.cancelled().await });
        let served = Mutex::new(Some(tokio::spawn(async move { serve.await })));
        Ok(Self { address, shared, served })
    }

    /// What goes into a provider's `base_url`: `http://127.0.0.1:<port>/v1`.
    #[must_use]
    pub fn base_url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    /// Requests for an answer (`POST /v1/responses`), in order of arrival.
    #[must_use]
    pub fn requests(&self) -> Vec<Asked> {
        self.log().into_iter().filter(is_answer).collect()
    }

    /// Every request that arrived, wherever it went.
    #[must_use]
    pub fn log(&self) -> Vec<Asked> {
        self.shared.log.all()
    }

    /// Drops the requests so far from memory; a file of them stays whole. A run of thousands of turns
    /// would otherwise hold each conversation once a request.
    pub fn forget(&self) {
        self.shared.log.forget();
    }

    /// Waits until the requests for an answer satisfy `enough`.
    pub async fn wait_until(&self, mut enough: impl FnMut(&[Asked]) -> bool) {
        let answers =
            |all: &[Asked]| all.iter().filter(|a| is_answer(a)).cloned().collect::<Vec<_>>();
        self.shared.log.until(|all| enough(&answers(all))).await;
    }

    /// Opens a gate for good; see scene `gate` and step `{"gate": "name"}`.
    pub fn open_gate(&self, name: &str) {
        self.shared.gates.open(name);
    }

    /// Answers from now on only requests with this API key, the others with 401.
    pub fn accept_only(&self, key: &str) {
        *self.shared.key.lock().unwrap_or_else(PoisonError::into_inner) = Some(key.to_owned());
    }

    /// Breaks running streams and waits until the port is free. Calling it again does nothing.
    pub async fn shutdown(&self) {
        self.shared.over.cancel();
        let served = self.served.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(mut served) = served
            && tokio::time::timeout(Duration::from_secs(5), &mut served).await.is_err()
        {
            served.abort();
        }
    }
}

impl Drop for ScriptedModel {
    fn drop(&mut self) {
        self.shared.over.cancel();
    }
}

fn is_answer(asked: &Asked) -> bool {
    asked.method == "POST" && asked.path == "/v1/responses"
}

fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/v1/models", get(models))
        .route("/v1/responses", post(answer).get(no_websocket))
        .route("/v1/responses/compact", post(compact))
        .fallback(nothing_here)
        // Conversations with huge outputs pass here; codex's own bound is 256 MiB.
        .layer(DefaultBodyLimit::max(256 << 20))
        .with_state(shared)
}

impl Shared {
    fn accepts(&self, headers: &HeaderMap) -> bool {
        let wanted = self.key.lock().unwrap_or_else(PoisonError::into_inner);
        let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        wanted
            .as_ref()
            .is_none_or(|key| given.and_then(|g| g.strip_prefix("Bearer ")) == Some(key.as_str()))
    }

    fn note(&self, method: &Method, uri: &Uri, scene: &str, step: usize, body: Value) {
        self.log.push(Asked {
            at_ms: self.clock.now_ms(),
            method: method.to_string(),
            path: uri.path().to_owned(),
            scene: scene.to_owned(),
            step,
            body: Arc::new(body),
        });
    }
}

async fn models(State(shared): State<Arc<Shared>>, method: Method, uri: Uri) -> Response {
    shared.note(&method, &uri, "", 0, Value::Null);
    let model = |id| json!({"id": id, "object": "model", "created": 0, "owned_by": "scripted"});
    let data = ["gpt-5.5", "gpt-5.6-sol"].map(model);
    axum::Json(json!({"object": "list", "data": data})).into_response()
}

async fn no_websocket(State(shared): State<Arc<Shared>>, method: Method, uri: Uri) -> Response {
    shared.note(&method, &uri, "", 0, Value::Null);
    refusal(StatusCode::UPGRADE_REQUIRED, "the scripted model has no websocket")
}

async fn compact(
    State(shared): State<Arc<Shared>>,
    method: Method,
    uri: Uri,
    body: Bytes,
) -> Response {
    shared.note(&method, &uri, "", 0, serde_json::from_slice(&body).unwrap_or_default());
    let content = json!([{"type": "input_text", "text": "compacted"}]);
    let output = json!([{"type": "message", "role": "user", "content": content}]);
    axum::Json(json!({ "output": output })).into_response()
}

async fn nothing_here(State(shared): State<Arc<Shared>>, method: Method, uri: Uri) -> Response {
    shared.note(&method, &uri, "", 0, Value::Null);
    refusal(StatusCode::NOT_FOUND, "the scripted model has no such path")
}

fn refusal(status: StatusCode, message: &str) -> Response {
    (status, axum::Json(json!({"error": {"message": message}}))).into_response()
}

async fn answer(
    State(shared): State<Arc<Shared>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let Ok(body) = serde_json::from_slice::<Value>(&body) else {
        shared.note(&method, &uri, "", 0, Value::Null);
        return refusal(StatusCode::BAD_REQUEST, "the body is no JSON");
    };
    let request = Request::of(&body);
    let now_s = shared.clock.now_ms() / 1000;
    let scene = Scene::of(&request, shared.dialect, &shared.ids, &shared.attempts, now_s);
    shared.note(&method, &uri, &scene.marker.name, scene.step(), body);
    let reply = if shared.accepts(&headers) { play(&scene) } else { fault::unauthorized() };
    if let End::Status { code, headers, body } = &reply.end {
        return status(*code, headers, body);
    }
    if !request.stream {
        let id = shared.ids.next("resp");
        let whole =
            json!({"id": id, "object": "response", "status": "completed", "output": reply.items});
        return axum::Json(whole).into_response();
    }
    streamed(&reply, &request, &shared, now_s)
}

fn status(code: u16, headers: &[(&'static str, String)], body: &Value) -> Response {
    let code = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = (code, axum::Json(body)).into_response();
    for (name, value) in headers {
        if let Ok(value) = HeaderValue::from_str(value) {
            response.headers_mut().insert(HeaderName::from_static(name), value);
        }
    }
    response
}

fn streamed(reply: &Reply, request: &Request, shared: &Arc<Shared>, now_s: i64) -> Response {
    let frames = frames(reply, request, &shared.ids, now_s).into_iter();
    let start = (frames, Arc::clone(shared));
    let body = stream::unfold(start, |(mut frames, shared)| async move {
        let sent = next_bytes(&mut frames, &shared).await?;
        Some((sent, (frames, shared)))
    });
    let mut response = Response::new(Body::from_stream(body));
    let kind = HeaderValue::from_static("text/event-stream");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

/// Plays frames up to the next bytes; an error breaks the connection.
async fn next_bytes(
    frames: &mut std::vec::IntoIter<Frame>,
    shared: &Shared,
) -> Option<io::Result<Bytes>> {
    let broken = || Some(Err(io::Error::from(io::ErrorKind::ConnectionAborted)));
    loop {
        let pause = async {
            match frames.next() {
                None => Some(None),
                Some(Frame::Send(bytes)) => Some(Some(Ok(bytes))),
                Some(Frame::Break) => {
                    // What stands in the buffer is written only when the body has nothing ready.
                    tokio::time::sleep(Duration::from_millis(20)).await;
                    Some(broken())
                }
                Some(Frame::Pause(time)) => {
                    tokio::time::sleep(time).await;
                    None
                }
                Some(Frame::Gate(name)) => {
                    shared.gates.pass(&name).await;
                    None
                }
            }
        };
        tokio::select! {
            biased;
            () = shared.over.cancelled() => return broken(),
            played = pause => if let Some(sent) = played { return sent },
        }
    }
}
