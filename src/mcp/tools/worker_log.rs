//! A page of a worker's journal, as hosts see it.

use super::worker_views::clip;
use crate::store::EventRow;
use serde::Serialize;
use serde_json::Value;

/// Longest string in a shown payload, in characters.
const STRING: usize = 4_000;
/// Longest line of the text for people, in characters.
const LINE: usize = 160;

/// One event.
#[derive(Debug, Serialize)]
pub(super) struct EventView {
    seq: i64,
    turn: String,
    item: String,
    phase: String,
    kind: String,
    /// Unix milliseconds.
    at: i64,
    payload: Value,
}

/// Some events, and where to go on.
pub(super) struct Page {
    pub(super) events: Vec<EventView>,
    /// The cursor of the next page; of this one when it is empty.
    pub(super) next: i64,
    pub(super) more: bool,
    pub(super) text: String,
}

/// Shows the first `limit` rows; a further one says that there are more.
pub(super) fn page(mut rows: Vec<EventRow>, limit: usize, after: i64) -> Page {
    let more = rows.len() > limit;
    rows.truncate(limit);
    let next = rows.last().map_or(after, |row| row.seq);
    let events: Vec<EventView> = rows.into_iter().map(shown).collect();
    let text = events.iter().map(line).collect::<Vec<_>>().join("\n");
    Page { events, next, more, text }
}

fn shown(row: EventRow) -> EventView {
    let mut payload = serde_json::from_str(&row.payload).unwrap_or_default();
    clip_strings(&mut payload);
    EventView {
        seq: row.seq,
        turn: row.turn_id,
        item: row.item_id,
        phase: row.phase,
        kind: row.kind,
        at: row.at,
        payload,
    }
}

fn clip_strings(value: &mut Value) {
    match value {
        Value::String(text) if text.len() > STRING => *text = clip(text, STRING).0,
        Value::Array(items) => items.iter_mut().for_each(clip_strings),
        Value::Object(members) => members.values_mut().for_each(clip_strings),
        _ => {}
    }
}

fn line(event: &EventView) -> String {
    let words = ["text", "command", "message"]
        .iter()
        .find_map(|name| event.payload.get(name).and_then(Value::as_str))
        .unwrap_or_default();
    let words = words.split_whitespace().collect::<Vec<_>>().join(" ");
    format!("{} {} {} {}", event.seq, event.kind, event.phase, clip(&words, LINE).0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn row(seq: i64, payload: &Value) -> EventRow {
        EventRow {
            seq,
            turn_id: "trn".to_owned(),
            item_id: format!("i{seq}"),
            phase: "completed".to_owned(),
            kind: "agentMessage".to_owned(),
            payload: payload.to_string(),
            at: 0,
        }
    }

    #[test]
    fn a_page_says_where_to_go_on() {
        let rows = (1..=3).map(|n| row(n, &json!({ "text": "x".repeat(9_000) }))).collect();
        let first = page(rows, 2, 0);
        assert_eq!((first.events.len(), first.next, first.more), (2, 2, true));
        assert_eq!(first.events[0].payload["text"].as_str().unwrap().chars().count(), 4_001);
        let last = page(Vec::new(), 2, 3);
        assert_eq!((last.events.len(), last.next, last.more), (0, 3, false));
    }
}
