use super::wire::{self, Incoming};
use crate::journal::keep_payload;
use crate::paths::StateDir;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

/// Messages above this are not read whole: their item goes to a payload file, and what stands for it goes on.
const LARGE: usize = 1 << 20;

/// A large notification, as far as it is read.
#[derive(Deserialize)]
struct Note<'a> {
    method: String,
    #[serde(borrow)]
    params: Params<'a>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Params<'a> {
    thread_id: String,
    turn_id: Option<String>,
    #[serde(borrow)]
    item: Option<&'a RawValue>,
    turn: Option<Turn>,
}

#[derive(Deserialize)]
struct Turn {
    id: String,
    status: Value,
    #[serde(default)]
    error: Value,
}

#[derive(Deserialize)]
struct Item {
    id: String,
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    status: Value,
}

/// Reads a message. Of a large notification only one copy is ever in memory: an item becomes its id, type
/// and status beside what the journal keeps instead of a large payload; a turn loses its list of items,
/// which were told one by one. What cannot be put into a file is read whole.
pub(super) fn read(text: &str, state: &StateDir) -> Option<Incoming> {
    if text.len() > LARGE
        && let Some(small) = small(text, state)
    {
        return Some(small);
    }
    wire::parse(text)
}

fn small(text: &str, state: &StateDir) -> Option<Incoming> {
    let Note { method, params } = serde_json::from_str(text).ok()?;
    let mut rest = json!({ "threadId": params.thread_id, "turnId": params.turn_id });
    match (params.item, params.turn) {
        (Some(item), _) => rest["item"] = Value::Object(stand_in(item, state)?),
        (None, Some(turn)) => {
            rest["turn"] = json!({ "id": turn.id, "status": turn.status, "error": turn.error });
        }
        (None, None) => return None,
    }
    Some(Incoming::Note { method, params: rest })
}

fn stand_in(item: &RawValue, state: &StateDir) -> Option<Map<String, Value>> {
    let kept = keep_payload(state, item.get()).ok()??;
    let mut kept: Map<String, Value> = serde_json::from_str(&kept).ok()?;
    let Item { id, kind, status } = serde_json::from_str(item.get()).ok()?;
    kept.insert("id".to_owned(), json!(id));
    kept.insert("type".to_owned(), json!(kind));
    if !status.is_null() {
        kept.insert("status".to_owned(), status);
    }
    Some(kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state() -> (tempfile::TempDir, StateDir) {
        std::fs::create_dir_all("target/tmp").unwrap();
        let dir = tempfile::tempdir_in("target/tmp").unwrap();
        let state = StateDir::open(&dir.path().canonicalize().unwrap().join("s")).unwrap();
        (dir, state)
    }

    #[test]
    fn a_large_item_becomes_what_the_journal_keeps_and_a_small_one_stays() {
        let (_dir, state) = state();
        let item =
            |size: usize| json!({ "type": "agentMessage", "id": "i", "text": "é\n".repeat(size) });
        let note = |size: usize| {
            json!({ "method": "item/completed",
                    "params": { "threadId": "t", "turnId": "u", "item": item(size) } })
            .to_string()
        };
        let Some(Incoming::Note { params, .. }) = read(&note(3), &state) else { panic!() };
        assert_eq!(params["item"], item(3));
        let large = note(1 << 20);
        let Some(Incoming::Note { method, params }) = read(&large, &state) else { panic!() };
        assert_eq!((method.as_str(), &params["item"]["id"]), ("item/completed", &json!("i")));
        assert!(params["item"].to_string().len() < 512, "{params}");
        let file = params["item"]["file"].as_str().unwrap();
        let path = state.root().join("artifacts/payloads").join(file);
        let kept: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        assert_eq!(kept, item(1 << 20));
    }

    #[test]
    fn a_large_end_of_a_turn_is_its_end() {
        let (_dir, state) = state();
        let text = json!({ "method": "turn/completed", "params": { "threadId": "t", "turn": {
            "id": "u", "status": "completed", "items": ["x".repeat(2 << 20)] } } })
        .to_string();
        let Some(Incoming::Note { params, .. }) = read(&text, &state) else { panic!() };
        assert_eq!(params["turn"], json!({ "id": "u", "status": "completed", "error": null }));
    }
}
