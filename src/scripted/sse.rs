use super::item::ItemIds;
use super::reply::{End, Reply};
use super::request::Request;
use bytes::Bytes;
use serde_json::{Value, json};
use std::time::Duration;

/// One thing that the stream does.
#[derive(Debug)]
pub(super) enum Frame {
    /// Sends bytes.
    Send(Bytes),
    /// Says nothing for a while.
    Pause(Duration),
    /// Waits for a gate.
    Gate(String),
    /// Breaks the connection.
    Break,
}

/// The frames of a streamed reply, as codex expects them of the Responses API.
pub(super) fn frames(reply: &Reply, request: &Request, ids: &ItemIds, now_s: i64) -> Vec<Frame> {
    let base = json!({
        "id": ids.next("resp"), "object": "response", "created_at": now_s,
        "model": request.model, "status": "in_progress", "output": [],
    });
    let mut events = Events::default();
    events.send("response.created", json!({ "response": base }));
    if !reply.prelude.is_zero() {
        events.frames.push(Frame::Pause(reply.prelude));
    }
    if let Some(gate) = &reply.gate {
        events.frames.push(Frame::Gate(gate.clone()));
    }
    if !begins_badly(reply, &base, &mut events) {
        let pieces = Pieces { reply, sent: 0 };
        if pieces.items(&mut events) {
            finish(reply, base, request, &mut events);
        }
    }
    events.frames
}

/// Ends that come before any item; says whether there was one.
fn begins_badly(reply: &Reply, base: &Value, events: &mut Events) -> bool {
    match &reply.end {
        End::Failed(error) => {
            let mut response = base.clone();
            response["status"] = json!("failed");
            response["error"] = error.clone();
            events.send("response.failed", json!({ "response": response }));
        }
        End::Malformed => {
            let text = "event: response.output_item.done\ndata: {not json\n\n";
            events.frames.push(Frame::Send(Bytes::from_static(text.as_bytes())));
        }
        End::Silence(time) => events.frames.extend([Frame::Pause(*time), Frame::Break]),
        _ => return false,
    }
    true
}

fn finish(reply: &Reply, mut response: Value, request: &Request, events: &mut Events) {
    let input = 1000 + 10 * request.input.len();
    response["usage"] = json!({
        "input_tokens": input, "input_tokens_details": {"cached_tokens": 512},
        "output_tokens": 50, "output_tokens_details": {"reasoning_tokens": 20},
        "total_tokens": input + 50,
    });
    if let End::Incomplete(reason) = &reply.end {
        response["status"] = json!("incomplete");
        response["incomplete_details"] = json!({ "reason": reason });
        events.send("response.incomplete", json!({ "response": response }));
    } else {
        response["status"] = json!("completed");
        response["output"] = json!(reply.items);
        response["end_turn"] = Value::Null;
        events.send("response.completed", json!({ "response": response }));
    }
}

/// Collects events and numbers them.
#[derive(Default)]
struct Events {
    frames: Vec<Frame>,
    number: u64,
}

impl Events {
    fn send(&mut self, kind: &str, mut data: Value) {
        self.number += 1;
        data["type"] = json!(kind);
        data["sequence_number"] = json!(self.number);
        self.frames.push(Frame::Send(Bytes::from(format!("event: {kind}\ndata: {data}\n\n"))));
    }
}

/// Writes items piece by piece.
struct Pieces<'a> {
    reply: &'a Reply,
    sent: usize,
}

impl Pieces<'_> {
    /// Writes all items; false when the connection broke on the way.
    fn items(mut self, events: &mut Events) -> bool {
        for (index, item) in self.reply.items.iter().enumerate() {
            let whole = match item["type"].as_str() {
                Some("message") => self.message(events, index, item),
                Some("reasoning") => reasoning(events, index, item),
                _ => call(events, index, item),
            };
            if !whole {
                return false;
            }
            events.send("response.output_item.done", json!({"output_index": index, "item": item}));
        }
        true
    }

    fn message(&mut self, events: &mut Events, index: usize, item: &Value) -> bool {
        let at = json!({"output_index": index, "content_index": 0, "item_id": item["id"]});
        let with = |key: &str, value: Value| {
            let mut data = at.clone();
            data[key] = value;
            data
        };
        let mut stub = item.clone();
        stub["content"] = json!([]);
        stub["status"] = json!("in_progress");
        events.send("response.output_item.added", json!({"output_index": index, "item": stub}));
        let part = json!({"type": "output_text", "text": "", "annotations": []});
        events.send("response.content_part.added", with("part", part));
        let text = item["content"][0]["text"].as_str().unwrap_or_default();
        for piece in pieces(text, self.reply.piece) {
            events.send("response.output_text.delta", with("delta", json!(piece)));
            self.sent += 1;
            if let (1, Some(gate)) = (self.sent, &self.reply.inner_gate) {
                events.frames.push(Frame::Gate(gate.clone()));
            }
            if matches!(self.reply.end, End::Cut(after) if self.sent >= after) {
                events.frames.push(Frame::Break);
                return false;
            }
            if !self.reply.pause.is_zero() {
                events.frames.push(Frame::Pause(self.reply.pause));
            }
        }
        events.send("response.output_text.done", with("text", json!(text)));
        true
    }
}

fn reasoning(events: &mut Events, index: usize, item: &Value) -> bool {
    let at = |key: &str, value: Value| {
        let id = &item["id"];
        json!({"output_index": index, "item_id": id, "summary_index": 0, key: value})
    };
    let mut stub = item.clone();
    stub["summary"] = json!([]);
    let text = &item["summary"][0]["text"];
    events.send("response.output_item.added", json!({"output_index": index, "item": stub}));
    let part = json!({"type": "summary_text", "text": ""});
    events.send("response.reasoning_summary_part.added", at("part", part));
    events.send("response.reasoning_summary_text.delta", at("delta", text.clone()));
    events.send("response.reasoning_summary_text.done", at("text", text.clone()));
    true
}

fn call(events: &mut Events, index: usize, item: &Value) -> bool {
    let (key, kind) = if item["type"] == "custom_tool_call" {
        ("input", "response.custom_tool_call_input.delta")
    } else {
        ("arguments", "response.function_call_arguments.delta")
    };
    let mut stub = item.clone();
    stub[key] = json!("");
    stub["status"] = json!("in_progress");
    events.send("response.output_item.added", json!({"output_index": index, "item": stub}));
    events.send(kind, json!({"output_index": index, "item_id": item["id"], "delta": item[key]}));
    true
}

/// A text in pieces of at most `length` characters.
fn pieces(text: &str, length: usize) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let end = rest.char_indices().nth(length.max(1)).map_or(rest.len(), |(at, _)| at);
        let (piece, more) = rest.split_at(end);
        rest = more;
        Some(piece)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_give_the_text_back_and_respect_characters() {
        let text = "zwölf Äpfel — gut";
        let cut: Vec<&str> = pieces(text, 5).collect();
        assert_eq!(cut.concat(), text);
        assert!(cut.iter().all(|p| p.chars().count() <= 5));
    }

    #[test]
    fn a_cut_stream_breaks_before_its_end() {
        let ids = ItemIds::new().unwrap();
        let mut reply = Reply::of(vec![ids.message(&"word ".repeat(100), None)]);
        reply.end = End::Cut(3);
        let frames = frames(&reply, &Request::of(&json!({})), &ids, 0);
        assert!(matches!(frames.last(), Some(Frame::Break)));
        let sent = frames.iter().filter(|f| matches!(f, Frame::Send(_))).count();
        assert_eq!(sent, 3 + 3, "created, added, part, and three pieces");
    }
}
