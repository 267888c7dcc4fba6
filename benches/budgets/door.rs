//! What a client feels of the door: start, memory, calls, the length of the list.

use crate::Effort;
use crate::pairs::{About, Pairs};
use crate::place;
use crate::report::{Bound, Row};
use crate::served::Served;
use crate::wire::{Door, Era};
use serde_json::json;
use std::path::Path;
use std::time::{Duration, Instant};

/// Clients of the load.
const CLIENTS: usize = 16;
/// How long one round of the load takes.
const ROUND: Duration = Duration::from_millis(500);
/// Calls of one round of the latency.
const CALLS: usize = 100;

pub(crate) async fn rows(effort: Effort) -> Vec<Row> {
    let room = place::room();
    place::state_in(room.path());
    let mut rows = starts(room.path(), effort).await;
    let ours = Served::patchbay(room.path(), room.path());
    let bare = Served::bare();
    rows.push(memory(&ours, &bare).await);
    for era in [Era::Modern, Era::Legacy] {
        rows.push(latency(&ours.door, &bare.door, era, effort).await);
        rows.push(load(&ours.door, &bare.door, era, effort).await);
    }
    rows.push(list(&ours.door, &bare.door).await);
    rows
}

/// The first start makes the state directory; the others find it.
async fn starts(dir: &Path, effort: Effort) -> Vec<Row> {
    let about = About {
        key: "cold_start",
        what: "cold start to the first initialize",
        unit: "ms",
        comparator: "patchbay --version",
        limit: Some(25.0),
        bound: Bound::Below(60.0),
    };
    let (mut first, mut again) = (Pairs::default(), Pairs::default());
    Served::cold(dir).await;
    for _ in 0..effort.of(15) {
        let room = place::room();
        place::state_in(room.path());
        first.push(Served::cold(room.path()).await, process(dir));
        again.push(Served::cold(dir).await, process(dir));
    }
    let what = "the same, with a new state directory";
    vec![again.cost(about), first.cost(About { key: "first_start", what, ..about })]
}

/// Milliseconds that a process takes which does nothing.
fn process(dir: &Path) -> f64 {
    let begun = Instant::now();
    assert!(place::patchbay(dir, &["--version"]).status().unwrap().success());
    begun.elapsed().as_secs_f64() * 1e3
}

async fn memory(ours: &Served, bare: &Served) -> Row {
    for server in [ours, bare] {
        let mut wire = server.door.open(Era::Modern).await;
        let list = wire.request("tools/list", json!({}));
        wire.pass(&list).await;
    }
    // What the server finds out about codex at its start is over then.
    tokio::time::sleep(Duration::from_secs(3)).await;
    let mut pairs = Pairs::default();
    pairs.push(ours.resident(), bare.resident());
    pairs.cost(About {
        key: "memory_idle",
        what: "memory, idle",
        unit: "MB",
        comparator: "bare rmcp",
        limit: None,
        bound: Bound::Below(20.0),
    })
}

/// Times of one call after the other: the tool of ours, the tool of the bare server.
async fn latency(ours: &Door, bare: &Door, era: Era, effort: Effort) -> Row {
    let (mut ours, mut bare) = (ours.open(era).await, bare.open(era).await);
    let calls = [
        ours.request("tools/call", json!({"name": "codex_self_test", "arguments": {}})),
        bare.request("tools/call", json!({"name": "tell", "arguments": {}})),
    ];
    let mut pairs = Pairs::default();
    for _ in 0..effort.of(20) * CALLS {
        let mut took = [0.0; 2];
        for ((wire, call), took) in [&mut ours, &mut bare].into_iter().zip(&calls).zip(&mut took) {
            let begun = Instant::now();
            wire.pass(call).await;
            *took = begun.elapsed().as_secs_f64() * 1e3;
        }
        pairs.push(took[0], took[1]);
    }
    let (key, what) = match era {
        Era::Modern => ("self_test_modern", "codex_self_test, p50, 2026-07-28"),
        Era::Legacy => ("self_test_legacy", "codex_self_test, p50, in a session"),
    };
    pairs.cost(About {
        key,
        what,
        unit: "ms",
        comparator: "bare rmcp",
        limit: Some(1.6),
        bound: Bound::Below(0.3),
    })
}

async fn load(ours: &Door, bare: &Door, era: Era, effort: Effort) -> Row {
    let mut pairs = Pairs::default();
    for _ in 0..effort.of(8) {
        let ours = rate(ours, "codex_self_test", era).await;
        pairs.push(ours, rate(bare, "tell", era).await);
    }
    let (key, what) = match era {
        Era::Modern => ("load_modern", "the same, 16 clients, 2026-07-28"),
        Era::Legacy => ("load_legacy", "the same, 16 clients, in sessions"),
    };
    pairs.rate(About {
        key,
        what,
        unit: "/s",
        comparator: "bare rmcp",
        limit: Some(1.6),
        bound: Bound::Above(8000.0),
    })
}

/// Calls a second of several clients at once.
async fn rate(door: &Door, tool: &'static str, era: Era) -> f64 {
    let mut wires = Vec::new();
    for _ in 0..CLIENTS {
        wires.push(door.open(era).await);
    }
    let begun = Instant::now();
    let clients = wires.into_iter().map(|mut wire| {
        tokio::spawn(async move {
            let call = wire.request("tools/call", json!({"name": tool, "arguments": {}}));
            let mut calls = 0_u32;
            while begun.elapsed() < ROUND {
                wire.pass(&call).await;
                calls += 1;
            }
            calls
        })
    });
    let mut calls = 0;
    for client in clients.collect::<Vec<_>>() {
        calls += client.await.unwrap();
    }
    f64::from(calls) / begun.elapsed().as_secs_f64()
}

async fn list(ours: &Door, bare: &Door) -> Row {
    let mut bytes = [0.0; 2];
    for (door, bytes) in [ours, bare].into_iter().zip(&mut bytes) {
        let mut wire = door.open(Era::Modern).await;
        let list = wire.request("tools/list", json!({}));
        *bytes = wire.pass(&list).await as f64;
    }
    let mut pairs = Pairs::default();
    pairs.push(bytes[0], bytes[1]);
    pairs.cost(About {
        key: "tools_list",
        what: "tools/list, worker mode",
        unit: "bytes",
        comparator: "bare rmcp, two tools",
        limit: None,
        bound: Bound::Below(40_000.0),
    })
}
