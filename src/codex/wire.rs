use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Value, json};
use std::borrow::Cow;

/// A message from the app-server, by what must be done with it. It carries no `jsonrpc` member.
#[derive(Debug)]
pub(super) enum Incoming {
    /// The answer to a request of ours.
    Answer {
        /// The id we sent.
        id: u64,
        /// `result`, or code and message of `error`.
        outcome: Result<Value, RpcError>,
    },
    /// A request to us; it must be answered.
    Request {
        /// Its id, as it came.
        id: Value,
        /// What is asked.
        method: String,
        /// Its parameters.
        params: Value,
    },
    /// A notification.
    Note {
        /// Its name.
        method: String,
        /// Its parameters.
        params: Value,
    },
}

/// An error of the app-server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RpcError {
    /// JSON-RPC code; -32600 for most refusals.
    pub(super) code: i64,
    /// Its words. There is no finer code to branch on.
    pub(super) message: String,
}

/// Reads a message; `None` for what is none.
pub(super) fn parse(text: &str) -> Option<Incoming> {
    incoming(serde_json::from_str(text).ok()?)
}

/// What a message is; `None` for what is none.
pub(super) fn incoming(mut message: Value) -> Option<Incoming> {
    let id = message.get("id").filter(|id| !id.is_null()).cloned();
    let method = message.get("method").and_then(Value::as_str).map(str::to_owned);
    match (id, method) {
        (Some(id), Some(method)) => {
            Some(Incoming::Request { id, method, params: message["params"].take() })
        }
        (None, Some(method)) => Some(Incoming::Note { method, params: message["params"].take() }),
        (Some(id), None) => {
            let outcome = match message.get("error") {
                Some(error) => Err(RpcError {
                    code: error["code"].as_i64().unwrap_or(0),
                    message: error["message"].as_str().unwrap_or("no message").to_owned(),
                }),
                None => Ok(message["result"].take()),
            };
            Some(Incoming::Answer { id: id.as_u64()?, outcome })
        }
        (None, None) => None,
    }
}

/// What a message is, seen without reading it whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A piece of output, which is live only.
    Delta,
    /// Another notification.
    Note,
    /// An answer, a request, or nothing that is understood.
    Other,
}

#[derive(Deserialize)]
struct Head<'a> {
    id: Option<IgnoredAny>,
    #[serde(borrow)]
    method: Option<Cow<'a, str>>,
}

/// Tells what a message is.
pub(super) fn kind(text: &str) -> Kind {
    match serde_json::from_str(text) {
        Ok(Head { id: None, method: Some(method) }) => {
            let piece = method.ends_with("/delta") || method.ends_with("Delta");
            if piece { Kind::Delta } else { Kind::Note }
        }
        _ => Kind::Other,
    }
}

/// The item of a delta, and a delta in its place that says only that pieces are missing.
pub(super) fn gap(text: &str) -> Option<(String, String)> {
    let Some(Incoming::Note { method, mut params }) = parse(text) else { return None };
    let item = params["itemId"].as_str()?.to_owned();
    params["delta"] = json!("");
    params["gap"] = json!(true);
    Some((item, json!({ "method": method, "params": params }).to_string()))
}

pub(super) fn request(id: u64, method: &str, params: &Value) -> String {
    json!({ "id": id, "method": method, "params": params }).to_string()
}

pub(super) fn notification(method: &str) -> String {
    json!({ "method": method }).to_string()
}

/// The answer to a request of the app-server.
pub(super) fn answer(id: &Value, result: &Value) -> String {
    json!({ "id": id, "result": result }).to_string()
}

/// The answer to a request that is never granted here.
pub(super) fn refusal(id: &Value, method: &str) -> String {
    let message = format!("{method} is not supported");
    json!({ "id": id, "error": { "code": -32601, "message": message } }).to_string()
}

/// The stable class of a failure, from `codexErrorInfo`.
pub(super) fn failure_code(info: &Value) -> &'static str {
    let name = info
        .as_str()
        .or_else(|| info.as_object().and_then(|o| o.keys().next().map(String::as_str)))
        .unwrap_or("other");
    let status = info.as_object().and_then(|o| o.values().next()?.get("httpStatusCode")?.as_u64());
    match (name, status) {
        (_, Some(401 | 403)) | ("unauthorized", _) => "unauthorized",
        ("usageLimitExceeded" | "rateLimitExceeded" | "sessionBudgetExceeded", _)
        | (_, Some(429)) => "usage_limit",
        ("modelNotFound", _) => "model_unavailable",
        ("contextWindowExceeded", _) => "context_window",
        (
            "responseStreamDisconnected"
            | "responseStreamConnectionFailed"
            | "responseTooManyFailedAttempts"
            | "httpConnectionFailed",
            _,
        ) => "stream_disconnected",
        ("serverOverloaded" | "internalServerError", _) => "server_error",
        ("sandboxError", _) => "sandbox_unavailable",
        _ => "other",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_told_apart() {
        assert!(matches!(
            parse(r#"{"id":3,"result":{}}"#),
            Some(Incoming::Answer { id: 3, outcome: Ok(_) })
        ));
        assert!(matches!(
            parse(r#"{"id":3,"error":{"code":-32600,"message":"no"}}"#),
            Some(Incoming::Answer { outcome: Err(RpcError { code: -32600, .. }), .. })
        ));
        assert!(matches!(
            parse(r#"{"id":"x","method":"a","params":{}}"#),
            Some(Incoming::Request { .. })
        ));
        assert!(matches!(
            parse(r#"{"method":"turn/started","params":{}}"#),
            Some(Incoming::Note { .. })
        ));
        assert!(parse("garbage").is_none());
    }

    #[test]
    fn deltas_are_told_from_other_notes() {
        for (method, wanted) in [
            ("item/agentMessage/delta", Kind::Delta),
            ("item/commandExecution/outputDelta", Kind::Delta),
            ("item/completed", Kind::Note),
        ] {
            assert_eq!(kind(&json!({ "method": method, "params": {} }).to_string()), wanted);
        }
        assert_eq!(kind(r#"{"id":1,"method":"item/agentMessage/delta"}"#), Kind::Other);
        assert_eq!(kind(r#"{"id":1,"result":{}}"#), Kind::Other);
        assert_eq!(kind("garbage"), Kind::Other);
        let params = json!({ "threadId": "t", "turnId": "u", "itemId": "i", "delta": "piece" });
        let note = json!({ "method": "item/agentMessage/delta", "params": params }).to_string();
        let (item, word) = gap(&note).unwrap();
        assert_eq!(item, "i");
        let Some(Incoming::Note { params, .. }) = parse(&word) else { panic!("{word}") };
        assert_eq!((&params["delta"], &params["gap"]), (&json!(""), &json!(true)));
    }

    #[test]
    fn failures_have_stable_classes() {
        assert_eq!(failure_code(&json!("usageLimitExceeded")), "usage_limit");
        assert_eq!(
            failure_code(&json!({"responseStreamDisconnected":{"httpStatusCode":null}})),
            "stream_disconnected"
        );
        assert_eq!(
            failure_code(&json!({"httpConnectionFailed":{"httpStatusCode":401}})),
            "unauthorized"
        );
        assert_eq!(failure_code(&json!("somethingNew")), "other");
        assert_eq!(failure_code(&Value::Null), "other");
    }
}
