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
        retry_after: marker.options.get("ra").cloned(),
        body: json!({"error": {"message": message, "type": kind, "code": marker.options.get("code")}}),
    })
}

/// The user's plan is used up until an hour from now.
pub(super) fn usage_limit(now_s: i64) -> Reply {
    Reply::end(End::Status {
        code: 429,
        retry_after: None,
        body: json!({"error": {
            "type": "usage_limit_reached", "message": "The usage limit has been reached",
            "plan_type": "plus", "resets_at": now_s + 3600, "resets_in_seconds": 3600,
        }}),
    })
}

/// The account has no credit.
pub(super) fn insufficient_quota() -> Reply {
    Reply::end(End::Status {
        code: 429,
        retry_after: None,
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
