use super::client::Client;
use super::event;
use super::route::Route;
use super::{rollout, threads};
use crate::backend::{
    Attached, BackendError, EventSink, ItemPhase, ThreadRef, ThreadSpec, TurnEvent, TurnSpec,
};
use crate::paths::Env;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

/// How often, and how far apart, a turn that is being set up is looked at: a minute in all.
const SET_UP_READS: u32 = 300;
const SET_UP_PAUSE: Duration = Duration::from_millis(200);

/// How often a turn that is called interrupted is looked at again.
const INTERRUPTED_READS: u32 = 4;

/// Finds a turn again by the client id of its message.
///
/// A turn that runs is resumed first and read after: from then on its events come live, and what came
/// before stands in the record. Item ids are the same in both (seen), so that a journal that ignores what
/// it has already holds each event once.
pub(super) async fn attach(
    client: &Client,
    env: &Env,
    version: &str,
    thread: &ThreadRef,
    spec: &ThreadSpec,
    turn: &TurnSpec,
    sink: EventSink,
) -> Result<Attached, BackendError> {
    let mut found = read(client, thread, &turn.client_id).await?;
    // The route is there before the thread is opened: codex then sends open questions again, and one
    // without a route is declined.
    let enter = |turn: &Value| {
        let route = client.add(&thread.id, Route::attaching(sink.clone(), spec, id_of(turn)));
        Entered { client, thread, route, kept: false }
    };
    let entered = found.as_ref().map(enter);
    if !found.as_ref().is_some_and(running) {
        // After a kill the index that answers may lag behind the record, which may hold the message or
        // further items; opening the thread mends it (seen on 0.169.0).
        match threads::open(client, env, version, spec, Some(thread)).await {
            Ok(_) => found = read(client, thread, &turn.client_id).await?,
            Err(error @ BackendError::Disconnected(_)) => return Err(error),
            Err(error) => tracing::info!(%error, "a thread was read without being opened"),
        }
    }
    let Some(found) = found else { return Ok(Attached::NeverTaken) };
    let id = id_of(&found).to_owned();
    if !running(&found) {
        drop(entered);
        ended(client, &sink, thread, &id, &found).await;
        return Ok(Attached::Ended);
    }
    let mut entered = entered.unwrap_or_else(|| enter(&found));
    threads::open(client, env, version, spec, Some(thread)).await?;
    let found = read(client, thread, &turn.client_id).await?.unwrap_or_else(found_nothing);
    entered.route.reopen(open_items(&found));
    let mut missed = vec![TurnEvent::Began { backend_turn_id: id.clone() }];
    missed.extend(items(&found));
    // What a running item said until now was streamed to nobody, and is not in the record.
    missed.extend(open_items(&found).map(|item_id| TurnEvent::Delta {
        item_id,
        text: String::new(),
        gap: true,
    }));
    if running(&found) {
        entered.kept = true;
        entered.route.release(missed).await;
        return Ok(Attached::Running { backend_turn_id: id });
    }
    // It ended between the two readings; whether its end came live as well does not matter any more.
    drop(entered);
    ended(client, &sink, thread, &id, &found).await;
    Ok(Attached::Ended)
}

/// A route that goes again, unless it is kept.
struct Entered<'a> {
    client: &'a Client,
    thread: &'a ThreadRef,
    route: Arc<Route>,
    kept: bool,
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        if !self.kept {
            self.client.remove(&self.thread.id, &self.route);
        }
    }
}

fn id_of(turn: &Value) -> &str {
    turn["id"].as_str().unwrap_or_default()
}

fn found_nothing() -> Value {
    json!({ "status": "interrupted", "items": [] })
}

async fn ended(client: &Client, sink: &EventSink, thread: &ThreadRef, id: &str, turn: &Value) {
    let _ = sink.send(TurnEvent::Began { backend_turn_id: id.to_owned() }).await;
    for event in items(turn) {
        let _ = sink.send(event).await;
    }
    if let Some(usage) = rollout::usage(thread.rollout.clone(), id).await {
        let _ = sink.send(TurnEvent::Usage { usage }).await;
    }
    let mut ending = event::ending(turn);
    client.limits().date(&mut ending);
    let _ = sink.send(TurnEvent::Ended(ending)).await;
}

fn running(turn: &Value) -> bool {
    turn["status"] == "inProgress"
}

/// The turn whose user message carries the client id, newest first.
///
/// A turn that codex sets up has no message yet (seen on 0.169: for seconds, when the machine is busy).
/// Sent again, the message would go into that very turn. So a thread that is at work on a turn without a
/// message is read again until it has one. And for the moment in which a turn ends codex may call it
/// interrupted (seen), so that this word is believed only when it stays.
async fn read(
    client: &Client,
    thread: &ThreadRef,
    client_id: &str,
) -> Result<Option<Value>, BackendError> {
    let params = json!({ "threadId": thread.id, "includeTurns": true });
    let mut doubts = INTERRUPTED_READS;
    for _ in 0..SET_UP_READS {
        let read = client.call("thread/read", params.clone()).await.map_err(threads::gone);
        let mut thread = match read {
            Ok(mut read) => read["thread"].take(),
            Err(BackendError::ThreadGone(_)) => return Ok(None),
            Err(error) => return Err(error),
        };
        let Value::Array(turns) = thread["turns"].take() else { return Ok(None) };
        let sets_up = sets_up(&thread["status"], &turns);
        match turns.into_iter().rev().find(|turn| carries(turn, client_id)) {
            None if sets_up => {}
            Some(turn) if turn["status"] == "interrupted" && doubts > 0 => doubts -= 1,
            found => return Ok(found),
        }
        tokio::time::sleep(SET_UP_PAUSE).await;
    }
    Ok(None)
}

/// Whether a thread is at work on a turn that has no message yet.
fn sets_up(status: &Value, turns: &[Value]) -> bool {
    let said = |turn: &Value| item_list(turn).any(|item| item["type"] == "userMessage");
    let working = turns.iter().rev().find(|turn| running(turn));
    status["type"] == "active" && !working.is_some_and(said)
}

fn item_list(turn: &Value) -> impl Iterator<Item = &Value> {
    turn["items"].as_array().into_iter().flatten()
}

fn carries(turn: &Value, client_id: &str) -> bool {
    item_list(turn).any(|item| item["type"] == "userMessage" && item["clientId"] == client_id)
}

/// A message that is being said has no status; its end has no time.
fn is_open(turn: &Value, item: &Value) -> bool {
    let unended = item.get("completedAtMs").is_some_and(Value::is_null);
    item["status"] == "inProgress" || (running(turn) && unended)
}

fn open_items(turn: &Value) -> impl Iterator<Item = String> {
    let open = item_list(turn).filter(move |item| is_open(turn, item));
    open.filter_map(|item| item["id"].as_str().map(str::to_owned))
}

/// The recorded items as the events that they were: each began, and the whole ones were completed.
fn items(turn: &Value) -> impl Iterator<Item = TurnEvent> {
    item_list(turn).flat_map(move |item| {
        let whole =
            (!is_open(turn, item)).then(|| event::item(item, ItemPhase::Completed)).flatten();
        event::item(item, ItemPhase::Started).into_iter().chain(whole)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_turn_that_has_no_message_yet_is_waited_for() {
        let message = json!({ "type": "userMessage", "id": "u", "clientId": "trn_1" });
        let turn = |status: &str, items: Value| json!({ "status": status, "items": items });
        let (active, idle) = (json!({ "type": "active" }), json!({ "type": "idle" }));
        let bare = [turn("completed", json!([message])), turn("inProgress", json!([]))];
        assert!(sets_up(&active, &bare));
        assert!(sets_up(&active, &bare[..1]), "the new turn may not be listed yet");
        assert!(!sets_up(&idle, &bare[..1]));
        assert!(!sets_up(&active, &[turn("inProgress", json!([message]))]));
    }

    #[test]
    fn a_record_gives_each_event_once() {
        let turn = json!({ "id": "t", "status": "inProgress", "items": [
            { "type": "userMessage", "id": "u", "clientId": "trn_1" },
            { "type": "commandExecution", "id": "c", "status": "inProgress" },
            { "type": "agentMessage", "id": "m", "text": "half", "completedAtMs": null },
        ] });
        assert!(carries(&turn, "trn_1"));
        assert!(!carries(&turn, "trn_2"));
        assert_eq!(items(&turn).count(), 4);
        assert_eq!(open_items(&turn).collect::<Vec<_>>(), ["c", "m"]);
    }
}
