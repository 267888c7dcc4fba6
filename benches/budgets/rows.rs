//! What the store is asked to do often: events, waiting, the look at a team with a long past.

use crate::Effort;
use crate::bare;
use crate::house::House;
use crate::pairs::{About, Pairs};
use crate::report::{Bound, Row};
use crate::wire::{Door, Era, Wire};
use patchbay::ids::{TurnId, WorkerId};
use patchbay::store::NewEvent;
use serde_json::json;
use sqlx::{Connection, QueryBuilder, Sqlite, SqliteConnection};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Notify;

/// Events of one round.
const EVENTS: usize = 10_000;
/// Rows of one statement and one transaction.
const BATCH: usize = 256;

pub(crate) async fn rows(effort: Effort) -> Vec<Row> {
    let mut rows = vec![journal(effort).await];
    rows.extend(wait(effort).await);
    rows.extend(status(effort).await);
    rows
}

fn event(turn: &TurnId, item: String, notable: bool) -> NewEvent {
    let output = "a line of output that a command has printed\n".repeat(6);
    NewEvent {
        turn: turn.clone(),
        phase: "completed".to_owned(),
        kind: "commandExecution".to_owned(),
        payload: json!({"id": item, "command": "true", "aggregatedOutput": output}).to_string(),
        item,
        at: 1,
        notable,
    }
}

fn batch(turn: &TurnId, round: usize) -> Vec<NewEvent> {
    (0..EVENTS).map(|n| event(turn, format!("item-{round}-{n}"), false)).collect()
}

async fn journal(effort: Effort) -> Row {
    let (ours, theirs) = (House::open().await, House::open().await);
    let ((_, turn), (their_worker, their_turn)) =
        (ours.worker("Ada").await, theirs.worker("Ada").await);
    let mut raw = theirs.raw().await;
    let mut pairs = Pairs::default();
    for round in 0..effort.of(9) {
        let events = batch(&turn, round);
        let begun = Instant::now();
        for event in events {
            ours.app.journal.append(event).await.unwrap();
        }
        ours.app.journal.flush().await.unwrap();
        let rate = EVENTS as f64 / begun.elapsed().as_secs_f64();
        let events = batch(&their_turn, round);
        let begun = Instant::now();
        insert(&mut raw, &their_worker, &events).await;
        pairs.push(rate, EVENTS as f64 / begun.elapsed().as_secs_f64());
    }
    raw.close().await.unwrap();
    ours.close().await;
    theirs.close().await;
    pairs.rate(About {
        key: "journal",
        what: "durable journal events, batched",
        unit: "/s",
        comparator: "INSERT of 256 rows a transaction",
        limit: Some(1.5),
        bound: Bound::Above(20_000.0),
    })
}

/// The same rows without a journal: as many a statement, one statement a transaction.
async fn insert(raw: &mut SqliteConnection, worker: &WorkerId, events: &[NewEvent]) {
    for batch in events.chunks(BATCH) {
        let mut tx = raw.begin().await.unwrap();
        let mut statement = QueryBuilder::<Sqlite>::new(
            "INSERT INTO events (worker_id, turn_id, item_id, phase, kind, payload, at) ",
        );
        statement.push_values(batch, |mut row, event| {
            row.push_bind(worker.as_str())
                .push_bind(event.turn.as_str())
                .push_bind(&event.item)
                .push_bind(&event.phase)
                .push_bind(&event.kind)
                .push_bind(&event.payload)
                .push_bind(event.at);
        });
        statement.build().execute(&mut *tx).await.unwrap();
        tx.commit().await.unwrap();
    }
}

/// From the change to the answer that a client gets, beside a bare server that a bell wakes.
async fn wait(effort: Effort) -> Vec<Row> {
    let house = House::open().await;
    let (worker, turn) = house.worker("Ada").await;
    let bell = Arc::new(Notify::new());
    let bare = Door { address: bare::within(bell.clone()).await, path: bare::PATH.to_owned() };
    let mut ours = house.door.open(Era::Modern).await;
    let mut bare = bare.open(Era::Modern).await;
    let bare_call = bare.request("tools/call", json!({"name": "wait", "arguments": {}}));
    let (mut states, mut words) = (Pairs::default(), Pairs::default());
    for round in 0..effort.of(30) {
        let id = TurnId::mint(&house.app.clock);
        let next = house.turn(&worker, id.clone());
        let state = woken(&house, &mut ours, async {
            house.app.store.enqueue_turn(&next).await.unwrap();
        });
        states.push(state.await, rung(&bell, &mut bare, &bare_call).await);
        house.app.store.cancel_queued(&id, "measured").await.unwrap();
        let word = woken(&house, &mut ours, async {
            let event = event(&turn, format!("item-{round}"), true);
            house.app.journal.append(event).await.unwrap();
        });
        words.push(word.await, rung(&bell, &mut bare, &bare_call).await);
    }
    house.close().await;
    let about = About {
        key: "wait_state",
        what: "wait after a change of state",
        unit: "ms",
        comparator: "bare rmcp woken by a bell",
        limit: Some(100.0),
        bound: Bound::Below(50.0),
    };
    let what = "wait after a worker's message, journal and all";
    vec![states.cost(about), words.cost(About { key: "wait_message", what, ..about })]
}

/// Milliseconds from the begin of the change to the end of a wait that was there before.
async fn woken(house: &House, wire: &mut Wire, change: impl Future<Output = ()>) -> f64 {
    let since = house.app.workers.revision();
    let arguments = json!({"wait_seconds": 20, "since_revision": since});
    let call =
        wire.request("tools/call", json!({"name": "codex_worker_wait", "arguments": arguments}));
    after(wire, &call, change).await
}

async fn rung(bell: &Notify, wire: &mut Wire, call: &[u8]) -> f64 {
    after(wire, call, async { bell.notify_one() }).await
}

async fn after(wire: &mut Wire, call: &[u8], change: impl Future<Output = ()>) -> f64 {
    let changed = async {
        // The call is waiting by then.
        tokio::time::sleep(Duration::from_millis(10)).await;
        let begun = Instant::now();
        change.await;
        begun
    };
    let (begun, _) = tokio::join!(changed, wire.pass(call));
    begun.elapsed().as_secs_f64() * 1e3
}

/// The status of a team with ten past workers and with ten thousand.
async fn status(effort: Effort) -> Vec<Row> {
    let about = About {
        key: "status_archived",
        what: "status with 10,000 archived workers",
        unit: "ms",
        comparator: "the same with 10",
        limit: Some(2.0),
        bound: Bound::Below(10.0),
    };
    // Those at rest are counted, so the call is dearer; the limit is the budget by what ten take.
    let resting = About {
        key: "status_resting",
        what: "status with 10,000 workers at rest",
        limit: Some(10.0),
        ..about
    };
    let mut rows = Vec::new();
    for (about, archived) in [(about, true), (resting, false)] {
        let (many, few) = (House::open().await, House::open().await);
        for house in [&many, &few] {
            for n in 0..10 {
                house.past(&format!("worker {n}"), archived).await;
            }
        }
        many.multiply(999).await;
        let (mut ours, mut theirs) =
            (many.door.open(Era::Modern).await, few.door.open(Era::Modern).await);
        let call =
            ours.request("tools/call", json!({"name": "codex_worker_status", "arguments": {}}));
        let few_call =
            theirs.request("tools/call", json!({"name": "codex_worker_status", "arguments": {}}));
        let mut pairs = Pairs::default();
        for _ in 0..effort.of(100) {
            pairs.push(timed(&mut ours, &call).await, timed(&mut theirs, &few_call).await);
        }
        rows.push(pairs.cost(about));
        many.close().await;
        few.close().await;
    }
    rows
}

async fn timed(wire: &mut Wire, call: &[u8]) -> f64 {
    let begun = Instant::now();
    wire.pass(call).await;
    begun.elapsed().as_secs_f64() * 1e3
}
