//! What the server lists, as the suite's descriptions ask for it.

use serde_json::{Value, json};

/// Tools without arguments: name and what they show.
const PLAIN: &[(&str, &str)] = &[
    ("test_simple_text", "Answers with one text."),
    ("test_image_content", "Answers with an image."),
    ("test_audio_content", "Answers with a sound."),
    ("test_embedded_resource", "Answers with an embedded resource."),
    ("test_multiple_content_types", "Answers with text, image and resource."),
    ("test_error_handling", "Fails, and says so in its result."),
    ("test_tool_with_logging", "Logs three messages while it runs."),
    ("test_tool_with_progress", "Reports its progress where it is asked to."),
    ("test_reconnection", "Takes a moment to answer."),
    ("test_elicitation_sep1034_defaults", "Asks with a default for each type."),
    ("test_elicitation_sep1330_enums", "Asks with each form of a choice."),
    ("test_missing_capability", "Needs a client that can sample."),
    ("test_streaming_elicitation", "Needs an answer of the user."),
    ("test_logging_tool", "Logs where the request asks for it."),
    ("test_trigger_tool_change", "Says that the list of tools changed."),
    ("test_trigger_prompt_change", "Says that the list of prompts changed."),
    ("test_input_required_result_elicitation", "Asks for a name first."),
    ("test_input_required_result_sampling", "Asks the client's model first."),
    ("test_input_required_result_list_roots", "Asks for the client's roots first."),
    ("test_input_required_result_request_state", "Checks the state that comes back."),
    ("test_input_required_result_multiple_inputs", "Asks for three things at once."),
    ("test_input_required_result_multi_round", "Asks twice."),
    ("test_input_required_result_tampered_state", "Refuses a state that was changed."),
    ("test_input_required_result_capabilities", "Asks only for what the client can do."),
];

/// All tools, in a fixed order.
pub(crate) fn tools() -> Value {
    let none = json!({"type": "object", "additionalProperties": false});
    let mut tools: Vec<Value> = PLAIN
        .iter()
        .map(|(name, what)| json!({"name": name, "description": what, "inputSchema": none}))
        .collect();
    tools.push(with_text("test_sampling", "Asks the client's model.", "prompt"));
    tools.push(with_text("test_elicitation", "Asks the user.", "message"));
    tools.push(json!({
        "name": "test_custom_header",
        "description": "Has an argument that a header repeats.",
        "inputSchema": {
            "type": "object",
            "properties": {"region": {"type": "string", "x-mcp-header": "Region"}},
            "required": ["region"],
        },
    }));
    tools.push(json!({
        "name": "json_schema_2020_12_tool",
        "description": "Tool with JSON Schema 2020-12 features",
        "inputSchema": broad_schema(),
    }));
    tools.extend(super::tasks::listed());
    Value::Array(tools)
}

fn with_text(name: &str, what: &str, argument: &str) -> Value {
    json!({
        "name": name,
        "description": what,
        "inputSchema": {
            "type": "object",
            "properties": {argument: {"type": "string"}},
            "required": [argument],
        },
    })
}

/// A schema with the words that only JSON Schema 2020-12 has.
fn broad_schema() -> Value {
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "$defs": {"address": {
            "$anchor": "addressDef",
            "type": "object",
            "properties": {"street": {"type": "string"}, "city": {"type": "string"}},
        }},
        "properties": {
            "name": {"type": "string"},
            "address": {"$ref": "#/$defs/address"},
            "contactMethod": {"type": "string", "enum": ["phone", "email"]},
            "phone": {"type": "string"},
            "email": {"type": "string"},
        },
        "allOf": [{"anyOf": [{"required": ["phone"]}, {"required": ["email"]}]}],
        "if": {"properties": {"contactMethod": {"const": "phone"}}, "required": ["contactMethod"]},
        "then": {"required": ["phone"]},
        "else": {"required": ["email"]},
        "additionalProperties": false,
    })
}

/// All resources that are no template.
pub(crate) fn resources() -> Value {
    let one = |uri: &str, name: &str, kind: &str| json!({"uri": uri, "name": name, "description": format!("{name}."), "mimeType": kind});
    json!([
        one("test://static-text", "A text", "text/plain"),
        one("test://static-binary", "An image", "image/png"),
        one("test://watched-resource", "A text that may be watched", "text/plain"),
        one("test://example-resource", "An example", "text/plain"),
    ])
}

/// The one template.
pub(crate) fn templates() -> Value {
    json!([{
        "uriTemplate": "test://template/{id}/data",
        "name": "Data of an id",
        "description": "Data of an id.",
        "mimeType": "application/json",
    }])
}

/// All prompts.
pub(crate) fn prompts() -> Value {
    let argument =
        |name: &str| json!({"name": name, "description": "For the test.", "required": true});
    json!([
        {"name": "test_simple_prompt", "description": "One text."},
        {
            "name": "test_prompt_with_arguments",
            "description": "Repeats its arguments.",
            "arguments": [argument("arg1"), argument("arg2")],
        },
        {
            "name": "test_prompt_with_embedded_resource",
            "description": "Embeds a resource.",
            "arguments": [argument("resourceUri")],
        },
        {"name": "test_prompt_with_image", "description": "Shows an image."},
        {"name": "test_input_required_result_prompt", "description": "Asks for context first."},
    ])
}
