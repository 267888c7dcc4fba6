use axum::Json;
use axum::body::{Body, to_bytes};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

/// Longest text of rmcp that is passed on, in bytes.
const MOST: usize = 4096;

/// Gives rmcp's refusals, which are bare text, the form of ours: code, sentence, hint. Status and
/// headers stay. Answers that are JSON or streams are left alone.
pub(super) async fn explained(response: Response) -> Response {
    let status = response.status();
    let kind = response.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let spoken = kind.is_some_and(|kind| !kind.starts_with("text/plain"));
    if spoken || !(status.is_client_error() || status.is_server_error()) {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    let text = to_bytes(body, MOST).await.unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let (code, hint) = advice(status);
    let message = if status.is_server_error() { "patchbay hit an internal error" } else { &*text };
    let said = Json(json!({"error": code, "message": message, "hint": hint})).into_response();
    for name in [header::CONTENT_LENGTH, header::CONTENT_TYPE] {
        parts.headers.remove(name);
    }
    let (own, body) = said.into_parts();
    parts.headers.extend(own.headers);
    Response::from_parts(parts, Body::new(body))
}

fn advice(status: StatusCode) -> (&'static str, &'static str) {
    match status {
        StatusCode::NOT_FOUND => ("session_unknown", "Send `initialize` without a session id."),
        StatusCode::METHOD_NOT_ALLOWED => {
            ("method_not_allowed", "Send POST; GET and DELETE need a session.")
        }
        StatusCode::NOT_ACCEPTABLE => {
            ("not_acceptable", "Send `Accept: application/json, text/event-stream`.")
        }
        StatusCode::UNSUPPORTED_MEDIA_TYPE => ("no_json", "Send `Content-Type: application/json`."),
        status if status.is_server_error() => ("internal_error", "Look at the server's log."),
        _ => (
            "bad_request",
            "Send `initialize` first, or the headers and the _meta of protocol 2026-07-28.",
        ),
    }
}
