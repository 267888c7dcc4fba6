use serde_json::{Value, json};

/// What codex sent, as far as scenes look at it.
#[derive(Debug)]
pub(super) struct Request {
    /// The conversation.
    pub(super) input: Vec<Value>,
    /// (type, name) of each tool that is offered, those of name spaces included.
    pub(super) tools: Vec<(String, String)>,
    /// The JSON schema that the answer must satisfy.
    pub(super) schema: Option<Value>,
    /// Codex's key of the conversation; error scenes count their failures by it.
    pub(super) conversation: String,
    /// The model asked for.
    pub(super) model: String,
    /// Whether the answer is a stream of events.
    pub(super) stream: bool,
    /// Names of the body's top-level members, sorted.
    pub(super) members: Vec<String>,
}

impl Request {
    /// Reads a body; what is missing is empty.
    pub(super) fn of(body: &Value) -> Self {
        let input = match &body["input"] {
            Value::Array(items) => items.clone(),
            Value::String(text) => {
                vec![json!({"type": "message", "role": "user", "content": text})]
            }
            _ => Vec::new(),
        };
        let mut tools = Vec::new();
        offered(&body["tools"], &mut tools);
        // Incremental tools arrive as items of the conversation.
        for item in &input {
            offered(&item["tools"], &mut tools);
        }
        let format = &body["text"]["format"];
        let text = |key: &str| body[key].as_str().unwrap_or_default().to_owned();
        Self {
            input,
            tools,
            schema: (format["type"] == "json_schema").then(|| format["schema"].clone()),
            conversation: text("prompt_cache_key"),
            model: text("model"),
            stream: body["stream"].as_bool().unwrap_or(true),
            members: body.as_object().map(|o| o.keys().cloned().collect()).unwrap_or_default(),
        }
    }

    /// Whether a tool of this type and name is offered.
    pub(super) fn offers(&self, kind: &str, name: &str) -> bool {
        self.tools.iter().any(|(k, n)| k == kind && n == name)
    }

    /// Whether a tool of this name is offered, whatever its type.
    pub(super) fn offers_any(&self, name: &str) -> bool {
        self.tools.iter().any(|(_, n)| n == name)
    }

    /// Outputs of tools after the item at `index`, as text. Their number is the step of a scene.
    pub(super) fn outputs_after(&self, index: usize) -> Vec<String> {
        self.input.iter().skip(index + 1).filter(|i| is_output(i)).map(output_text).collect()
    }

    /// How many outputs of tools came after the item at `index`, and after each later message of the
    /// user's own (codex puts context into `<…>` messages).
    pub(super) fn outputs_by_message(&self, index: usize) -> Vec<usize> {
        let mut counts = vec![0];
        for item in self.input.iter().skip(index + 1) {
            if is_output(item) {
                counts.last_mut().into_iter().for_each(|count| *count += 1);
            } else if is_user(item) && !text_of(item).trim_start().starts_with('<') {
                counts.push(0);
            }
        }
        counts
    }

    /// What the user said after the item at `index`: messages that steer.
    pub(super) fn said_after(&self, index: usize) -> Vec<String> {
        self.input.iter().skip(index + 1).filter(|i| is_user(i)).map(text_of).collect()
    }
}

fn offered(tools: &Value, into: &mut Vec<(String, String)>) {
    for tool in tools.as_array().into_iter().flatten() {
        let text = |key: &str| tool[key].as_str().unwrap_or_default().to_owned();
        into.push((text("type"), text("name")));
        offered(&tool["tools"], into);
    }
}

/// Whether an item is a message of the user.
pub(super) fn is_user(item: &Value) -> bool {
    item["type"].as_str().unwrap_or("message") == "message" && item["role"] == "user"
}

/// Whether an item is what a tool gave back.
pub(super) fn is_output(item: &Value) -> bool {
    matches!(
        item["type"].as_str(),
        Some("function_call_output" | "custom_tool_call_output" | "local_shell_call_output")
    )
}

/// The text of a message, its parts joined by newlines.
pub(super) fn text_of(item: &Value) -> String {
    match &item["content"] {
        Value::String(text) => text.clone(),
        Value::Array(parts) => parts
            .iter()
            .map(|p| p["text"].as_str().unwrap_or_default())
            .collect::<Vec<_>>()
            .join("\n"),
        _ => String::new(),
    }
}

/// The output of a tool as the model sees it.
pub(super) fn output_text(item: &Value) -> String {
    match &item["output"] {
        Value::String(text) => text.clone(),
        Value::Array(parts) if parts.iter().all(|p| p["text"].is_string()) => {
            parts.iter().filter_map(|p| p["text"].as_str()).collect::<Vec<_>>().join("\n")
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tools_are_found_in_name_spaces_and_in_the_conversation() {
        let request = Request::of(&json!({
            "tools": [{"type": "namespace", "name": "n", "tools": [{"type": "function", "name": "a"}]}],
            "input": [{"type": "additional", "tools": [{"type": "custom", "name": "exec"}]}],
        }));
        assert!(request.offers("function", "a") && request.offers("custom", "exec"));
        assert!(!request.offers("function", "exec") && request.offers_any("exec"));
    }

    #[test]
    fn outputs_and_later_words_are_counted_from_the_marked_message() {
        let request = Request::of(&json!({"input": [
            {"type": "function_call_output", "output": "before"},
            {"role": "user", "content": "brief"},
            {"type": "function_call_output", "output": "one"},
            {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "steer"}]},
            {"type": "custom_tool_call_output", "output": [{"type": "input_text", "text": "two"}]},
        ]}));
        assert_eq!(request.outputs_after(1), ["one", "two"]);
        assert_eq!(request.said_after(1), ["steer"]);
        assert_eq!(request.outputs_by_message(1), [1, 1]);
    }
}
