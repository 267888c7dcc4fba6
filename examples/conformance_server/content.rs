//! Fixed contents.

use rmcp::ErrorData;
use serde_json::{Map, Value, json};

/// A PNG of one pixel.
const PNG: &str = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg==";
/// A WAV file with a header and no sound.
const WAV: &str = "UklGRiQAAABXQVZFZm10IBAAAAABAAEAQB8AAEAfAAABAAgAZGF0YQAAAAA=";

/// The result of a tool: one text.
pub(crate) fn text(words: &str) -> Value {
    json!({"content": [{"type": "text", "text": words}]})
}

/// The result of a tool that only shows something; none for another tool.
pub(crate) fn plain(tool: &str) -> Option<Value> {
    let image = json!({"type": "image", "data": PNG, "mimeType": "image/png"});
    let resource = |uri: &str, kind: &str, text: &str| json!({"type": "resource", "resource": {"uri": uri, "mimeType": kind, "text": text}});
    Some(match tool {
        "test_simple_text" => text("This is a simple text response for testing."),
        "test_image_content" => json!({ "content": [image] }),
        "test_audio_content" => {
            json!({"content": [{"type": "audio", "data": WAV, "mimeType": "audio/wav"}]})
        }
        "test_embedded_resource" => json!({"content": [resource(
            "test://embedded-resource", "text/plain", "This is an embedded resource content.",
        )]}),
        "test_multiple_content_types" => json!({"content": [
            {"type": "text", "text": "Multiple content types test:"},
            image,
            resource("test://mixed-content-resource", "application/json", r#"{"test":"data","value":123}"#),
        ]}),
        "test_error_handling" => json!({
            "isError": true,
            "content": [{"type": "text", "text": "This tool intentionally returns an error for testing"}],
        }),
        "test_custom_header" | "json_schema_2020_12_tool" => text("Done."),
        _ => return None,
    })
}

/// A resource's contents.
///
/// # Errors
/// There is none at that address.
pub(crate) fn resource(uri: &str) -> Result<Value, ErrorData> {
    let id = uri.strip_prefix("test://template/").and_then(|rest| rest.strip_suffix("/data"));
    let words = |text: &str| json!({"uri": uri, "mimeType": "text/plain", "text": text});
    let contents = match (uri, id) {
        (_, Some(id)) => {
            let data =
                json!({"id": id, "templateTest": true, "data": format!("Data for ID: {id}")});
            json!({"uri": uri, "mimeType": "application/json", "text": data.to_string()})
        }
        ("test://static-text", _) => words("This is the content of the static text resource."),
        ("test://static-binary", _) => json!({"uri": uri, "mimeType": "image/png", "blob": PNG}),
        ("test://watched-resource" | "test://example-resource", _) => words("An example."),
        _ => {
            let data = json!({ "uri": uri });
            return Err(ErrorData::resource_not_found("Resource not found", Some(data)));
        }
    };
    Ok(json!({ "contents": [contents] }))
}

/// A prompt's messages.
///
/// # Errors
/// There is no prompt of that name.
pub(crate) fn prompt(name: &str, arguments: &Map<String, Value>) -> Result<Value, ErrorData> {
    let given = |name: &str| arguments.get(name).and_then(Value::as_str).unwrap_or_default();
    let says = |text: String| json!({"type": "text", "text": text});
    let contents = match name {
        "test_simple_prompt" => vec![says("This is a simple prompt for testing.".to_owned())],
        "test_prompt_with_arguments" => vec![says(format!(
            "Prompt with arguments: arg1='{}', arg2='{}'",
            given("arg1"),
            given("arg2")
        ))],
        "test_prompt_with_embedded_resource" => vec![
            json!({"type": "resource", "resource": {
                "uri": given("resourceUri"),
                "mimeType": "text/plain",
                "text": "Embedded resource content for testing.",
            }}),
            says("Please process the embedded resource above.".to_owned()),
        ],
        "test_prompt_with_image" => vec![
            json!({"type": "image", "data": PNG, "mimeType": "image/png"}),
            says("Please analyze the image above.".to_owned()),
        ],
        _ => return Err(ErrorData::invalid_params(format!("there is no prompt '{name}'"), None)),
    };
    let messages: Vec<Value> =
        contents.into_iter().map(|content| json!({"role": "user", "content": content})).collect();
    Ok(json!({ "messages": messages }))
}
