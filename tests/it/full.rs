//! The disk gets full while turns run: nothing is lost, and what waits says so.

use crate::support::{Bed, Client, Era, Step, script};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

const PLAIN: &str = "gpt-5.5";

/// Where a worker stands when the disk gets full, the last place of a turn first.
const POINTS: &[&str] =
    &["turn_snapshotted", "turn_ended", GATE, "turn-start", "thread_stored", "turn_claimed"];

/// No point of the program's: the model thinks until the test lets it go on.
const GATE: &str = "gate";

/// What happens before there is room again.
#[derive(Debug, PartialEq, Eq)]
enum Then {
    Nothing,
    Killed,
}

async fn a_full_disk(then: Then) {
    let mut bed = Bed::new(&format!("full-{then:?}").to_lowercase()).await;
    bed.configure("server:\n  max_concurrent_turns: 16\n");
    bed.bound();
    bed.start();
    let mut client = bed.client(Era::Modern).await;
    for &point in POINTS {
        stand_at(&bed, &client, point).await;
    }
    let stored = events(&client, GATE).await;
    bed.fill();
    bed.model.open_gate(GATE);
    POINTS.iter().filter(|point| **point != GATE).for_each(|point| bed.release(point));
    all_wait(&bed, &client).await;
    assert_eq!(events(&client, GATE).await, stored, "nothing is stored, whole or half");
    if then == Then::Killed {
        client.close().await;
        bed.kill_server();
        no_start(&bed);
        bed.free();
        bed.start();
        client = bed.client(Era::Modern).await;
    } else {
        bed.free();
    }
    for &point in POINTS {
        let done = client.until(point, &["idle", "failed", "interrupted"]).await;
        assert_eq!(done["state"], "idle", "{point}: {done:#}\n{}", bed.server_log());
        assert!(done["state_details"]["waits_for_room"].is_null(), "{point}: {done:#}");
        let report = client.ok("codex_worker_inspect", json!({"worker": point})).await;
        assert!(report["report"].as_str().unwrap().ends_with("All is done."), "{report:#}");
        let view = json!({"worker": point, "view": "changes"});
        let changes = client.ok("codex_worker_inspect", view).await;
        let files = changes["changed_files"].as_array().unwrap();
        let paths: Vec<&str> = files.iter().map(|f| f["path"].as_str().unwrap()).collect();
        assert_eq!(paths, ["new.txt", "work.txt"], "{point}: {changes:#}");
    }
    client.ok("codex_worker_start", brief("later")).await;
    client.until("later", &["idle"]).await;
    client.close().await;
    let turns = bed.judge().await;
    assert!(turns > POINTS.len(), "only {turns} turns were compared");
    bed.finish().await;
}

fn brief(name: &str) -> Value {
    let mut work = vec![Step::Say("I begin."), Step::Sh("echo work > work.txt")];
    work.extend((name == GATE).then_some(Step::Gate(GATE)));
    work.push(Step::Patch("*** Add File: new.txt\n+new\n"));
    work.push(Step::Sh("cat new.txt; exit 3"));
    work.push(Step::Say("All is done."));
    json!({"name": name, "brief": script("Work.", &work), "model": PLAIN})
}

/// Starts a worker named like the point and waits until it stands there.
async fn stand_at(bed: &Bed, client: &Client, point: &str) {
    if point == GATE {
        let asked = bed.model.requests().len();
        client.ok("codex_worker_start", brief(point)).await;
        bed.model.wait_until(|all| all.iter().skip(asked).any(|a| a.step == 1)).await;
        // What came before the gate is stored: its command was the last.
        let ran = |e: &Value| e["kind"] == "commandExecution" && e["phase"] == "completed";
        while !events(client, point).await.iter().any(ran) {
            client.ok("codex_worker_wait", json!({"wait_seconds": 1, "scope": "all"})).await;
        }
        return;
    }
    bed.hold(point);
    client.ok("codex_worker_start", brief(point)).await;
    bed.reached(point).await;
}

/// What is stored of a worker's turn.
async fn events(client: &Client, worker: &str) -> Vec<Value> {
    let log = json!({"worker": worker, "view": "log", "limit": 500});
    let log = client.ok("codex_worker_inspect", log).await;
    log["events"].as_array().unwrap().clone()
}

/// Each worker says what it waits for, reading goes on, and new work is refused with words that help.
async fn all_wait(bed: &Bed, client: &Client) {
    let refused = client.fails("codex_worker_start", brief("new"), "disk_full").await;
    assert!(refused["hint"].as_str().unwrap().contains("Free space"), "{refused:#}");
    let message = json!({"worker": GATE, "message": "More.", "delivery": "queue"});
    client.fails("codex_worker_message", message, "disk_full").await;
    for &point in POINTS {
        let end = Instant::now() + Duration::from_secs(60);
        loop {
            let status = json!({"worker": point, "view": "status"});
            let seen = client.ok("codex_worker_inspect", status).await;
            let waits = &seen["state_details"]["waits_for_room"];
            if waits["code"] == "disk_full" {
                assert!(waits["hint"].as_str().unwrap().contains("Free space"), "{seen:#}");
                break;
            }
            assert!(Instant::now() < end, "{point} does not wait: {seen:#}\n{}", bed.server_log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    let all = client.ok("codex_worker_list", json!({"scope": "all"})).await;
    assert_eq!(all["workers"].as_array().unwrap().len(), POINTS.len(), "{all:#}");
    client.ok("codex_worker_status", json!({})).await;
    let out = bed.patchbay(&["status", "--json"]).output().unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
}

/// Where nothing can be written no server starts, and it says why.
fn no_start(bed: &Bed) {
    let out = bed.patchbay(&["start", "--port", "0", "--json"]).output().unwrap();
    let said: Value = serde_json::from_slice(&out.stdout).unwrap();
    assert_eq!(said["error"]["code"], "disk_full", "{said:#}");
    assert!(said["error"]["hint"].as_str().unwrap().contains("Free space"), "{said:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn turns_wait_for_room_and_end_whole() {
    a_full_disk(Then::Nothing).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_killed_on_a_full_disk_loses_nothing() {
    a_full_disk(Then::Killed).await;
}
