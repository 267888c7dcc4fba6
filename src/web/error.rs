use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

/// What HTTP refuses before MCP sees it. No body names a secret or says whether one was close.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WebError {
    /// No such page; also the answer to a wrong secret in a path.
    #[error("not found")]
    NotFound,
    /// No token, or a wrong one.
    #[error("this server asks for its token")]
    Unauthorized,
    /// The `Host` header names no host this server is reached under.
    #[error("the Host header is not allowed")]
    Host,
    /// The `Origin` header names a web page that may not call this server.
    #[error("the Origin header is not allowed")]
    Origin,
    /// The session is not one of this connector.
    #[error("there is no such session")]
    NoSession,
    /// The body is longer than `server.max_request_bytes`.
    #[error("the body is too large")]
    TooLarge,
    /// The body did not arrive as a whole.
    #[error("the body could not be read")]
    Unread,
}

impl WebError {
    fn parts(self) -> (StatusCode, &'static str, &'static str) {
        match self {
            Self::NotFound => (StatusCode::NOT_FOUND, "not_found", "Check the URL."),
            Self::Unauthorized => (
                StatusCode::UNAUTHORIZED,
                "unauthorized",
                "Send `Authorization: Bearer <token>`, or use the URL that `patchbay start \
                 --reveal-token` prints.",
            ),
            Self::Host => (
                StatusCode::FORBIDDEN,
                "host_not_allowed",
                "Use a loopback name, or add the host to server.allowed_hosts.",
            ),
            Self::Origin => (
                StatusCode::FORBIDDEN,
                "origin_not_allowed",
                "Add the origin to server.allowed_origins.",
            ),
            Self::NoSession => (
                StatusCode::NOT_FOUND,
                "session_unknown",
                "Send `initialize` without a session id.",
            ),
            Self::TooLarge => (
                StatusCode::PAYLOAD_TOO_LARGE,
                "body_too_large",
                "Send less, or raise server.max_request_bytes.",
            ),
            Self::Unread => (StatusCode::BAD_REQUEST, "body_unread", "Send the request again."),
        }
    }
}

impl IntoResponse for WebError {
    fn into_response(self) -> Response {
        let (status, code, hint) = self.parts();
        let body = json!({"error": code, "message": self.to_string(), "hint": hint});
        let mut response = (status, Json(body)).into_response();
        if status == StatusCode::UNAUTHORIZED {
            let scheme = HeaderValue::from_static("Bearer");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, scheme);
        }
        response
    }
}
