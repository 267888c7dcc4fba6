//! Bodies of requests: bounded, and what is no JSON-RPC message answered in words.

use super::WebError;
use axum::Json;
use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::IntoResponse;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde_json::{Value, json};

/// Whether the request says that its body is JSON.
pub(super) fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let essence = kind.and_then(|kind| kind.split(';').next()).unwrap_or_default();
    essence.trim().eq_ignore_ascii_case("application/json")
}

/// The whole body.
///
/// # Errors
/// [`WebError::TooLarge`] above `most` bytes, [`WebError::Unread`] when the client broke off.
pub(super) async fn read(body: Body, most: usize) -> Result<Bytes, WebError> {
    match Limited::new(body, most).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(WebError::TooLarge),
        Err(_) => Err(WebError::Unread),
    }
}

/// The answer to a body that is no message: rmcp says 415, which hosts take for a wrong address.
pub(super) fn no_message(bytes: &[u8]) -> impl IntoResponse + use<> {
    let (code, what, hint) = match serde_json::from_slice::<Value>(bytes) {
        _ if bytes.trim_ascii().is_empty() => {
            (-32700, "the body is empty", "Send one JSON-RPC message.")
        }
        Err(_) => (-32700, "the body is no JSON", "Send one JSON-RPC message, encoded as JSON."),
        Ok(Value::Array(_)) => (
            -32600,
            "the body is a batch",
            "Send each message in a request of its own; MCP has had no batches since 2025-06-18.",
        ),
        Ok(_) => (
            -32600,
            "the body is no JSON-RPC 2.0 message",
            "Send an object with jsonrpc, method, params, and an id where an answer is expected.",
        ),
    };
    let id = serde_json::from_slice::<Value>(bytes).ok().and_then(|message| {
        message.get("id").filter(|id| id.is_string() || id.is_number()).cloned()
    });
    let error = json!({"code": code, "message": what, "data": {"hint": hint}});
    let answer = json!({"jsonrpc": "2.0", "id": id, "error": error});
    (StatusCode::BAD_REQUEST, Json(answer))
}
