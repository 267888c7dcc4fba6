//! Compares what patchbay stored of every turn with what codex itself recorded.

use super::Bed;
use super::record::{Codex, rollout};
use patchbay::clock::Clock;
use patchbay::store::{EventRow, Store, TurnRow, TurnState, WorkerFilter, WorkerRow};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// What is said of one worker on both sides.
struct Case {
    worker: WorkerRow,
    events: Vec<EventRow>,
    turns: Vec<TurnRow>,
    record: Vec<Value>,
    lines: Vec<Value>,
}

impl Bed {
    /// Stops everything and fails where journal and record differ. Returns how many codex turns there
    /// were.
    pub async fn judge(&mut self) -> usize {
        self.stop();
        let store = Store::open(&self.state.join("store.db"), Clock::system()).await.unwrap();
        let mut codex = Codex::on(&self.state.join("codex"));
        let filter = WorkerFilter { archived: true, ..WorkerFilter::default() };
        let mut count = 0;
        for worker in store.list_workers(&filter, 1000).await.unwrap() {
            let case = Case::gather(&store, &mut codex, worker).await;
            case.each_event_is_there_once();
            case.items_are_equal();
            case.ends_are_equal();
            count += case.record.len();
        }
        store.close().await;
        count
    }
}

impl Case {
    async fn gather(store: &Store, codex: &mut Codex, worker: WorkerRow) -> Self {
        let events = store.events_after(&worker.id, 0, 100_000).await.unwrap();
        let mut ids: Vec<&str> = events.iter().map(|e| e.turn_id.as_str()).collect();
        ids.dedup();
        ids.sort_unstable();
        ids.dedup();
        let mut turns = Vec::new();
        for id in ids {
            turns.push(store.turn(&id.parse().unwrap()).await.unwrap().unwrap());
        }
        turns.sort_by_key(|turn| turn.position);
        let thread = store.thread(&worker.id).await.unwrap().expect("a thread");
        let record = codex.turns(&thread.thread_id);
        let lines = rollout(&thread.rollout.expect("a rollout"));
        Self { worker, events, turns, record, lines }
    }

    fn each_event_is_there_once(&self) {
        let mut seen = BTreeSet::new();
        for event in &self.events {
            let key = (&event.turn_id, &event.item_id, &event.phase);
            assert!(seen.insert(key), "{}: twice {key:?}", self.worker.name);
        }
    }

    /// Set and order of the items, and what each did.
    fn items_are_equal(&self) {
        let ours: Vec<Value> = self
            .events
            .iter()
            .filter(|event| event.phase == "completed")
            .filter(|event| !["error", "state"].contains(&event.kind.as_str()))
            .map(|event| essence(&serde_json::from_str(&event.payload).unwrap()))
            .collect();
        let theirs: Vec<Value> = self
            .record
            .iter()
            .flat_map(|turn| turn["items"].as_array().unwrap())
            .filter(|item| item["status"] != "inProgress")
            .map(essence)
            .collect();
        assert_eq!(json!(ours), json!(theirs), "items of {}", self.worker.name);
    }

    /// State, report and usage of each turn, against the codex turn that carried its last try.
    fn ends_are_equal(&self) {
        for turn in &self.turns {
            let who = format!("{} turn {}", self.worker.name, turn.position);
            let theirs = self.record.iter().rev().find(|theirs| carries(theirs, &turn.client_id));
            let theirs = theirs.unwrap_or_else(|| panic!("{who}: codex has no such turn"));
            let state = match theirs["status"].as_str().unwrap() {
                "completed" => TurnState::Completed,
                "failed" => TurnState::Failed,
                _ => TurnState::Interrupted,
            };
            // Codex knows no difference between a turn that was stopped and one that broke off.
            let ours = match turn.state {
                TurnState::Cancelled => TurnState::Interrupted,
                other => other,
            };
            assert_eq!(ours, state, "{who}: {:?}", turn.error_message);
            assert_eq!(turn.codex_turn_id.as_deref(), theirs["id"].as_str(), "{who}");
            let of_turn = |line: &&Value| line["payload"]["turn_id"] == theirs["id"];
            if state == TurnState::Completed {
                let end = self
                    .lines
                    .iter()
                    .filter(of_turn)
                    .rfind(|line| line["payload"]["type"] == "task_complete");
                let said = &end.expect("an end in the rollout")["payload"]["last_agent_message"];
                assert_eq!(turn.report.as_deref(), said.as_str(), "{who}");
            } else if let Some(said) = last_words(theirs) {
                let report = turn.report.as_deref().unwrap_or_default();
                assert!(report.contains(said), "{who}: {report} has not {said}");
            }
            let theirs = tokens(&self.lines, theirs["id"].as_str().unwrap());
            let ours = turn.usage_json.as_deref().map(|json| {
                serde_json::from_str::<Value>(json).unwrap()["total"]["totalTokens"].clone()
            });
            assert_eq!(ours.as_ref(), theirs, "tokens of {who}");
        }
    }
}

/// The tokens of the thread as they were written last while the turn ran.
fn tokens<'a>(lines: &'a [Value], turn: &str) -> Option<&'a Value> {
    let (mut ours, mut last) = (false, None);
    for line in lines {
        let payload = &line["payload"];
        if payload["type"] == "task_started" {
            ours = payload["turn_id"] == turn;
        }
        let told = match (line["type"].as_str(), payload["type"].as_str()) {
            (_, Some("token_count")) => &payload["info"]["total_token_usage"]["total_tokens"],
            (Some("token_usage_record"), _) => &payload["thread_token_usage"]["total_tokens"],
            _ => continue,
        };
        if ours && !told.is_null() {
            last = Some(told);
        }
    }
    last
}

/// What the agent said last in a turn.
fn last_words(turn: &Value) -> Option<&str> {
    let items = turn["items"].as_array()?;
    items.iter().rfind(|item| item["type"] == "agentMessage")?["text"].as_str()
}

fn carries(turn: &Value, client_id: &str) -> bool {
    let items = turn["items"].as_array().unwrap();
    items.iter().any(|item| item["clientId"] == client_id)
}

/// What must be equal of an item: which it is, what it did, how it came out.
fn essence(item: &Value) -> Value {
    let mut kept = serde_json::Map::new();
    for name in ["id", "type", "text", "content", "command", "exitCode", "status", "changes"] {
        if !item[name].is_null() {
            kept.insert(name.to_owned(), item[name].clone());
        }
    }
    Value::Object(kept)
}
