use super::marker::Marker;
use super::reply::{End, Reply};
use serde_json::json;
use std::time::Duration;

/// The status that an error scene `err<status>` answers with.
pub(super) fn status_of(scene: &str) -> Option<u16> {
    let code = scene.strip_prefix("err")?.parse().ok()?;
    (400..600).contains(&code).then_some(code)
}

/// A plain error of the API; option `ra` is sent as `Retry-After`, `code` and `type` in the body.
pub(super) fn error(marker: &Marker, code: u16, attempt: u32) -> Reply {
    let kind = marker.text("type", "server_error");
    let message = format!("scripted {code} (attempt {attempt})");
    Reply::end(End::Status {
        code,
        headers: marker.options.get("ra").map(|v| ("retry-after", v.clone())).into_iter().collect(),
        body: json!({"error": {"message": message, "type": kind, "code": marker.options.get("code")}}),
    })
}

/// The user's plan is used up for so many seconds from now on; the headers say so too, as the real API's.
pub(super) fn usage_limit(now_s: i64, seconds: i64) -> Reply {
    let at = now_s + seconds;
    let headers = [
        ("x-codex-primary-used-percent", "100.0".to_owned()),
        ("x-codex-primary-window-minutes", "300".to_owned()),
        ("x-codex-primary-reset-at", at.to_string()),
        ("x-codex-secondary-used-percent", "40.0".to_owned()),
        ("x-codex-secondary-window-minutes", "10080".to_owned()),
        ("x-codex-secondary-reset-at", (now_s + 86_400).to_string()),
    ];
    Reply::end(End::Status {
        code: 429,
        headers: headers.to_vec(),
        body: json!({"error": {
            "type": "usage_limit_reached", "message": "The usage limit has been reached",
            "plan_type": "plus", "resets_at": at, "resets_in_seconds": seconds,
        }}),
    })
}

/// The key of the request is not (any more) a good one.
pub(super) fn unauthorized() -> Reply {
    Reply::end(End::Status {
        code: 401,
        headers: Vec::new(),
        body: json!({"error": {
            "type": "invalid_request_error", "code": "invalid_api_key",
            "message": "Incorrect API key provided",
        }}),
    })
}

/// The account has no credit.
pub(super) fn insufficient_quota() -> Reply {
    Reply::end(End::Status {
        code: 429,
        headers: Vec::new(),
        body: json!({"error": {
            "type": "insufficient_quota", "code": "insufficient_quota",
            "message": "You exceeded your current quota",
        }}),
    })
}

/// `response.failed` in the stream.
pub(super) fn failed(code: &str, message: &str) -> Reply {
    Reply::end(End::Failed(json!({"code": code, "message": message})))
}

/// A stream that opens and then says nothing for `seconds`.
pub(super) fn silence(seconds: f64) -> Reply {
    Reply::end(End::Silence(Duration::try_from_secs_f64(seconds).unwrap_or_default()))
}
