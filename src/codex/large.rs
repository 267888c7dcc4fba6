use super::spool::{LARGE, Message};
use super::wire::{self, Incoming};
use crate::journal::{LARGEST_PAYLOAD, keep_payload};
use crate::paths::StateDir;
use serde_json::{Map, Value};
use std::error::Error;
use std::io::Read;
use struson::reader::{JsonReader, JsonStreamReader, ReaderSettings, ValueType};

type Fault = Box<dyn Error + Send + Sync>;

/// A message that is read as it streams by.
type Stream<'a> = JsonStreamReader<Box<dyn Read + 'a>>;

/// Members of an item that stay beside what the journal keeps instead of a large one.
const STAYS: &[&str] = &["id", "type", "status", "clientId", "completedAtMs"];

/// Whether a message is large.
pub(super) fn is(message: &Message) -> bool {
    message.length() > LARGE as u64
}

/// Reads a message, a large one as [`read`] does. Nothing for what is none.
pub(super) async fn take(message: Message, state: &StateDir) -> Option<Incoming> {
    if !is(&message) {
        return wire::parse(&message.into_text().ok()?);
    }
    let state = state.clone();
    tokio::task::spawn_blocking(move || read(message, &state)).await.ok()?
}

/// Reads a large message without ever having it in memory: an item becomes some of its members beside what
/// the journal keeps instead of a large payload; a turn that ended loses its list of items, which were told
/// one by one; a piece of output becomes the word that it is missing. What cannot be put into a file is
/// read whole.
fn read(message: Message, state: &StateDir) -> Option<Incoming> {
    match (Reading { message: &message, state }).read() {
        Ok(incoming) => incoming,
        Err(error) => {
            tracing::warn!(%error, "a large message is read whole");
            wire::parse(&message.into_text().ok()?)
        }
    }
}

/// Whether a large message is an answer, by how it begins: a caller must not wait for the queue. One that
/// looks otherwise is told apart later.
pub(super) fn answers(message: &Message) -> bool {
    let mut head = Vec::new();
    if message.part(0, 64).read_to_end(&mut head).is_err() {
        return false;
    }
    let Some(rest) = head.strip_prefix(b"{\"id\":") else { return false };
    let rest = rest.trim_ascii_start();
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    [&b",\"result\":"[..], b",\"error\":"].iter().any(|next| rest[digits..].starts_with(next))
}

struct Reading<'a> {
    message: &'a Message,
    state: &'a StateDir,
}

impl Reading<'_> {
    fn read(&self) -> Result<Option<Incoming>, Fault> {
        let settings = ReaderSettings {
            track_path: false,
            restrict_number_values: false,
            ..ReaderSettings::default()
        };
        let mut json = Stream::new_custom(self.message.part(0, self.message.length()), settings);
        let message = object(&mut json, |json, name| match name {
            "params" => self.params(json).map(Some),
            "result" => Ok(Some(object(json, |json, name| match name {
                "thread" => self.thread(json).map(Some),
                _ => value(json),
            })?)),
            _ => value(json),
        })?;
        json.consume_trailing_whitespace()?;
        Ok(wire::incoming(message))
    }

    fn params(&self, json: &mut Stream<'_>) -> Result<Value, Fault> {
        let mut piece = false;
        let mut params = object(json, |json, name| match name {
            "item" => self.item(json).map(Some),
            "turn" => Ok(Some(object(json, |json, name| match name {
                "items" => skip(json),
                _ => value(json),
            })?)),
            "delta" => {
                piece = true;
                skip(json)
            }
            _ => value(json),
        })?;
        if piece {
            params["delta"] = Value::from("");
            params["gap"] = Value::from(true);
        }
        Ok(params)
    }

    fn thread(&self, json: &mut Stream<'_>) -> Result<Value, Fault> {
        object(json, |json, name| match name {
            "turns" => Ok(Some(array(json, |json| {
                object(json, |json, name| match name {
                    "items" => Ok(Some(array(json, |json| self.item(json))?)),
                    _ => value(json),
                })
            })?)),
            _ => value(json),
        })
    }

    fn item(&self, json: &mut Stream<'_>) -> Result<Value, Fault> {
        // Only then is the colon behind us.
        json.peek()?;
        let from = position(json)?;
        let members = object(json, |json, name| match STAYS.contains(&name) {
            true => value(json),
            false => skip(json),
        })?;
        let length = position(json)? - from;
        let mut item = self.message.part(from, length);
        if length <= LARGEST_PAYLOAD as u64 {
            let mut bytes = Vec::new();
            item.read_to_end(&mut bytes)?;
            return Ok(serde_json::from_slice(&bytes)?);
        }
        let mut kept = keep_payload(self.state, &mut item)?;
        if let (Value::Object(kept), Value::Object(members)) = (&mut kept, members) {
            kept.extend(members);
        }
        Ok(kept)
    }
}

/// Reads an object, each member as `member` says; nothing leaves it out. Another value is read whole.
fn object<'a>(
    json: &mut Stream<'a>,
    mut member: impl FnMut(&mut Stream<'a>, &str) -> Result<Option<Value>, Fault>,
) -> Result<Value, Fault> {
    if json.peek()? != ValueType::Object {
        return Ok(json.deserialize_next()?);
    }
    let mut members = Map::new();
    json.begin_object()?;
    while json.has_next()? {
        let name = json.next_name_owned()?;
        if let Some(value) = member(json, &name)? {
            members.insert(name, value);
        }
    }
    json.end_object()?;
    Ok(Value::Object(members))
}

/// Reads an array, each element as `element` says. Another value is read whole.
fn array<'a>(
    json: &mut Stream<'a>,
    mut element: impl FnMut(&mut Stream<'a>) -> Result<Value, Fault>,
) -> Result<Value, Fault> {
    if json.peek()? != ValueType::Array {
        return Ok(json.deserialize_next()?);
    }
    let mut elements = Vec::new();
    json.begin_array()?;
    while json.has_next()? {
        elements.push(element(json)?);
    }
    json.end_array()?;
    Ok(Value::Array(elements))
}

fn value(json: &mut Stream<'_>) -> Result<Option<Value>, Fault> {
    Ok(Some(json.deserialize_next()?))
}

fn skip(json: &mut Stream<'_>) -> Result<Option<Value>, Fault> {
    json.skip_value()?;
    Ok(None)
}

/// Where the next value begins, or the last one ended.
fn position(json: &Stream<'_>) -> Result<u64, Fault> {
    json.current_position(false).data_pos.ok_or_else(|| "no position".into())
}

#[cfg(test)]
mod tests {
    use super::super::spool::{Coming, Spool};
    use super::*;
    use serde_json::json;

    fn state() -> (tempfile::TempDir, StateDir) {
        std::fs::create_dir_all("target/tmp").unwrap();
        let dir = tempfile::tempdir_in("target/tmp").unwrap();
        let state = StateDir::open(&dir.path().canonicalize().unwrap().join("s")).unwrap();
        (dir, state)
    }

    /// The message as it would lie in the spool.
    fn stored(message: &Value, state: &StateDir) -> Message {
        let spool = Spool::new(1 << 20, state.root().join("spool"));
        let mut coming = Coming::default();
        for part in message.to_string().as_bytes().chunks(64 << 10) {
            spool.add(&mut coming, part).unwrap();
        }
        coming.whole().unwrap()
    }

    fn item(size: usize) -> Value {
        json!({ "type": "agentMessage", "id": "i", "text": "é\n".repeat(size) })
    }

    fn file(item: &Value, state: &StateDir) -> Value {
        let path = state.root().join("artifacts/payloads").join(item["file"].as_str().unwrap());
        serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
    }

    #[test]
    fn a_large_item_becomes_what_the_journal_keeps_and_a_small_one_stays() {
        let (_dir, state) = state();
        let note = |size: usize| {
            json!({ "method": "item/completed",
                    "params": { "threadId": "t", "turnId": "u", "item": item(size) } })
        };
        let small = Message::Text(note(3).to_string());
        let Some(Incoming::Note { params, .. }) = read(small, &state) else { panic!() };
        assert_eq!(params["item"], item(3));
        let large = stored(&note(1 << 20), &state);
        assert!(matches!(large, Message::Stored(_)) && !answers(&large));
        let Some(Incoming::Note { method, params }) = read(large, &state) else { panic!() };
        assert_eq!((method.as_str(), &params["item"]["id"]), ("item/completed", &json!("i")));
        assert!(params["item"].to_string().len() < 512, "{params}");
        assert_eq!(file(&params["item"], &state), item(1 << 20));
    }

    #[test]
    fn a_large_end_of_a_turn_is_its_end() {
        let (_dir, state) = state();
        let note = json!({ "method": "turn/completed", "params": { "threadId": "t", "turn": {
            "id": "u", "items": ["x".repeat(2 << 20)], "status": "completed", "error": null } } });
        let read = read(stored(&note, &state), &state);
        let Some(Incoming::Note { params, .. }) = read else { panic!() };
        assert_eq!(params["turn"], json!({ "id": "u", "status": "completed", "error": null }));
    }

    #[test]
    fn a_large_answer_keeps_its_small_items_and_cuts_the_large_ones() {
        let (_dir, state) = state();
        let turn = json!({ "id": "u", "items": [item(2), item(1 << 20)], "status": "completed" });
        let answer = json!({ "id": 7, "result": { "thread": { "id": "t", "turns": [turn] } } });
        let answer = stored(&answer, &state);
        assert!(answers(&answer));
        let read = read(answer, &state);
        let Some(Incoming::Answer { id: 7, outcome: Ok(result) }) = read else { panic!() };
        let turn = &result["thread"]["turns"][0];
        assert_eq!((&turn["status"], &turn["items"][0]), (&json!("completed"), &item(2)));
        assert_eq!(file(&turn["items"][1], &state), item(1 << 20));
    }

    #[test]
    fn a_large_piece_is_told_as_missing() {
        let (_dir, state) = state();
        let note = json!({ "method": "item/agentMessage/delta", "params": {
            "threadId": "t", "itemId": "i", "delta": "x".repeat(2 << 20) } });
        let read = read(stored(&note, &state), &state);
        let Some(Incoming::Note { params, .. }) = read else { panic!() };
        let wanted = json!({ "threadId": "t", "itemId": "i", "delta": "", "gap": true });
        assert_eq!(params, wanted);
    }

    #[test]
    fn an_item_that_gets_no_file_is_read_whole() {
        let (_dir, state) = state();
        std::fs::write(state.root().join("artifacts"), "in the way").unwrap();
        let note = json!({ "method": "item/completed", "params": { "item": item(1 << 20) } });
        let read = read(stored(&note, &state), &state);
        let Some(Incoming::Note { params, .. }) = read else { panic!() };
        assert_eq!(params["item"], item(1 << 20));
    }
}
