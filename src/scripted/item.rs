use serde_json::{Value, json};
use std::sync::atomic::{AtomicU64, Ordering};

/// Mints the ids of items, calls and responses; unique over restarts of the server, because a thread
/// of codex may outlive it.
#[derive(Debug)]
pub(super) struct ItemIds {
    tag: String,
    next: AtomicU64,
}

impl ItemIds {
    /// Takes a random tag from the kernel.
    pub(super) fn new() -> rustix::io::Result<Self> {
        let mut tag = [0_u8; 6];
        rustix::rand::getrandom(&mut tag, rustix::rand::GetRandomFlags::empty())?;
        Ok(Self { tag: hex::encode(tag), next: AtomicU64::new(1) })
    }

    /// The next id, `<prefix>_<tag><number>`.
    pub(super) fn next(&self, prefix: &str) -> String {
        format!("{prefix}_{}{:012x}", self.tag, self.next.fetch_add(1, Ordering::Relaxed))
    }

    /// A message of the assistant; `phase` is `commentary` for words before the end of a turn.
    pub(super) fn message(&self, text: &str, phase: Option<&str>) -> Value {
        let mut item = json!({
            "type": "message", "id": self.next("msg"), "role": "assistant", "status": "completed",
            "content": [{"type": "output_text", "text": text, "annotations": []}],
        });
        if let Some(phase) = phase {
            item["phase"] = json!(phase);
        }
        item
    }

    /// A summary of reasoning.
    pub(super) fn reasoning(&self, text: &str) -> Value {
        json!({
            "type": "reasoning", "id": self.next("rs"), "encrypted_content": null,
            "summary": [{"type": "summary_text", "text": text}],
        })
    }

    /// A call of a function tool with its arguments as JSON text, right or wrong.
    pub(super) fn function_call(&self, name: &str, arguments: &str) -> Value {
        json!({
            "type": "function_call", "id": self.next("fc"), "call_id": self.next("call"),
            "name": name, "arguments": arguments, "status": "completed",
        })
    }

    /// A call of a freeform tool.
    pub(super) fn custom_call(&self, name: &str, input: &str) -> Value {
        json!({
            "type": "custom_tool_call", "id": self.next("ctc"), "call_id": self.next("call"),
            "name": name, "input": input, "status": "completed",
        })
    }
}
