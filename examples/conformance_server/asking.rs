//! Asking the client: by requests in the legacy era, by results that want input in the stateless one.

use super::content::text;
use hmac::{Hmac, KeyInit, Mac};
use rmcp::ErrorData;
use serde_json::{Map, Value, json};
use sha2::Sha256;

/// What a client sent with its call.
pub(crate) struct Round<'a> {
    /// Answers to what was asked, by key.
    pub(crate) answers: Map<String, Value>,
    /// The state that came back.
    pub(crate) state: Option<&'a str>,
    /// What the client can do.
    pub(crate) able: Value,
}

/// The parameters of `elicitation/create` in the legacy era.
pub(crate) fn elicitation(tool: &str, message: &str) -> Option<Value> {
    let schema = match tool {
        "test_elicitation" => json!({
            "username": {"type": "string", "description": "User's response"},
            "email": {"type": "string", "description": "User's email address"},
        }),
        "test_elicitation_sep1034_defaults" => json!({
            "name": {"type": "string", "default": "John Doe"},
            "age": {"type": "integer", "default": 30},
            "score": {"type": "number", "default": 95.5},
            "status": {"type": "string", "enum": ["active", "inactive", "pending"], "default": "active"},
            "verified": {"type": "boolean", "default": true},
        }),
        "test_elicitation_sep1330_enums" => {
            let titled = json!([
                {"const": "value1", "title": "First"}, {"const": "value2", "title": "Second"},
                {"const": "value3", "title": "Third"},
            ]);
            let plain = json!({"type": "string", "enum": ["option1", "option2", "option3"]});
            json!({
                "untitledSingle": plain,
                "titledSingle": {"type": "string", "oneOf": titled},
                "legacyEnum": {
                    "type": "string",
                    "enum": ["opt1", "opt2", "opt3"],
                    "enumNames": ["Option One", "Option Two", "Option Three"],
                },
                "untitledMulti": {"type": "array", "items": plain},
                "titledMulti": {"type": "array", "items": {"anyOf": titled}},
            })
        }
        _ => return None,
    };
    let required =
        if tool == "test_elicitation" { json!(["username", "email"]) } else { json!([]) };
    Some(json!({
        "message": message,
        "requestedSchema": {"type": "object", "properties": schema, "required": required},
    }))
}

/// The parameters of `sampling/createMessage`.
pub(crate) fn sampling(prompt: &str, most: u32) -> Value {
    json!({
        "messages": [{"role": "user", "content": {"type": "text", "text": prompt}}],
        "maxTokens": most,
    })
}

/// A request for one answer of the user.
pub(crate) fn ask(message: &str, member: &str, kind: &str) -> Value {
    json!({"method": "elicitation/create", "params": {
        "message": message,
        "requestedSchema": {
            "type": "object", "properties": {member: {"type": kind}}, "required": [member],
        },
    }})
}

fn sample(prompt: &str, most: u32) -> Value {
    json!({"method": "sampling/createMessage", "params": sampling(prompt, most)})
}

fn roots() -> Value {
    json!({"method": "roots/list", "params": {}})
}

fn wants(requests: Value, state: Option<&str>) -> Value {
    let mut result = json!({"resultType": "input_required", "inputRequests": requests});
    if let Some(state) = state {
        result["requestState"] = json!(sealed(state));
    }
    result
}

/// The result of a tool that wants input first; none for another tool.
///
/// # Errors
/// The state that came back is not one of ours.
pub(crate) fn input_required(tool: &str, round: &Round<'_>) -> Result<Option<Value>, ErrorData> {
    let state = round.state.map(opened).transpose()?;
    let content = |key: &str, member: &str| {
        round.answers.get(key).and_then(|a| a["content"][member].as_str()).map(str::to_owned)
    };
    Ok(Some(match tool {
        "test_input_required_result_elicitation" | "test_streaming_elicitation" => {
            match content("user_name", "name") {
                Some(name) => text(&format!("Hello, {name}!")),
                None => {
                    wants(json!({"user_name": ask("What is your name?", "name", "string")}), None)
                }
            }
        }
        "test_input_required_result_sampling" => match round.answers.get("capital_question") {
            Some(answer) => text(answer["content"]["text"].as_str().unwrap_or("nothing")),
            None => wants(
                json!({"capital_question": sample("What is the capital of France?", 100)}),
                None,
            ),
        },
        "test_input_required_result_list_roots" => match round.answers.get("client_roots") {
            Some(answer) => text(&format!("Roots: {}", answer["roots"])),
            None => wants(json!({"client_roots": roots()}), None),
        },
        "test_input_required_result_request_state"
        | "test_input_required_result_tampered_state" => {
            match (round.answers.get("confirm"), state) {
                (Some(_), Some("asked")) => text("state-ok"),
                _ => {
                    wants(json!({"confirm": ask("Please confirm", "ok", "boolean")}), Some("asked"))
                }
            }
        }
        "test_input_required_result_multiple_inputs" => several(round),
        "test_input_required_result_multi_round" => match (state, content("step2", "color")) {
            (Some("step2"), Some(color)) => text(&format!("Your color is {color}.")),
            (Some("step1"), _) if content("step1", "name").is_some() => {
                let second = ask("Step 2: What is your favorite color?", "color", "string");
                wants(json!({ "step2": second }), Some("step2"))
            }
            _ => {
                let first = ask("Step 1: What is your name?", "name", "string");
                wants(json!({ "step1": first }), Some("step1"))
            }
        },
        "test_input_required_result_capabilities" => within(&round.able),
        _ => return Ok(None),
    }))
}

fn several(round: &Round<'_>) -> Value {
    let all = json!({
        "user_name": ask("What is your name?", "name", "string"),
        "greeting": sample("Generate a greeting", 50),
        "client_roots": roots(),
    });
    let answered = ["user_name", "greeting", "client_roots"];
    if answered.iter().all(|key| round.answers.contains_key(*key)) {
        return text("All three are there.");
    }
    wants(all, Some("asked"))
}

/// Asks only for what the client said it can do.
fn within(able: &Value) -> Value {
    let mut requests = Map::new();
    if able["elicitation"].is_object() {
        requests.insert("name".to_owned(), ask("What is your name?", "name", "string"));
    }
    if able["sampling"].is_object() {
        requests.insert("greeting".to_owned(), sample("Generate a greeting", 50));
    }
    wants(Value::Object(requests), None)
}

/// What the prompt that wants input answers.
pub(crate) fn prompt(answers: &Map<String, Value>) -> Value {
    match answers.get("user_context").and_then(|a| a["content"]["context"].as_str()) {
        Some(context) => {
            let content = json!({"type": "text", "text": format!("Context: {context}")});
            json!({"messages": [{"role": "user", "content": content}]})
        }
        None => {
            let asked = ask("What context should the prompt use?", "context", "string");
            wants(json!({ "user_context": asked }), None)
        }
    }
}

/// The key is fixed: the server forgets nothing that a secret would protect.
const KEY: &[u8] = b"conformance";

fn digest(state: &str) -> String {
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(KEY) else { return String::new() };
    mac.update(state.as_bytes());
    hex::encode(mac.finalize().into_bytes())
}

fn sealed(state: &str) -> String {
    format!("{state}.{}", digest(state))
}

fn opened(sealed: &str) -> Result<&str, ErrorData> {
    let state = sealed.split_once('.').filter(|(state, mac)| *mac == digest(state));
    state.map(|(state, _)| state).ok_or_else(|| {
        ErrorData::invalid_params("the request state is not one of this server", None)
    })
}
