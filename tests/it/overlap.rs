//! Who touches the same files, while turns run.

use crate::support::{Bed, Client, Era, Step, script};
use serde_json::{Value, json};

const PLAIN: &str = "gpt-5.5";

async fn start(client: &Client, name: &str, steps: &[Step<'_>]) -> Value {
    let brief = script("Work.", steps);
    client.ok("codex_worker_start", json!({"name": name, "brief": brief, "model": PLAIN})).await
}

/// With whom a worker of the team shares which files.
fn shared(team: &Value, name: &str) -> Vec<(String, Value)> {
    let workers = team["workers"].as_array().unwrap();
    let worker = workers.iter().find(|worker| worker["name"] == name).unwrap();
    let others = worker["overlaps"].as_array().cloned().unwrap_or_default();
    let pair = |o: &Value| (o["name"].as_str().unwrap().to_owned(), o["paths"].clone());
    others.iter().map(pair).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_files_are_named_while_a_turn_writes_them() {
    let mut bed = Bed::new("overlap").await;
    bed.start();
    let client = bed.client(Era::Modern).await;
    let ada = [Step::Sh("echo ada >> src/lib.txt; echo ada > new.txt"), Step::Say("Done.")];
    start(&client, "Ada", &ada).await;
    client.until("Ada", &["idle"]).await;
    let carl = [Step::Sh("echo carl > carl.txt"), Step::Say("Done.")];
    start(&client, "Carl", &carl).await;
    client.until("Carl", &["idle"]).await;
    let bob = [
        Step::Sh("echo bob > bob.txt"),
        Step::Gate("first"),
        Step::Sh("echo bob >> src/lib.txt; rm README.md"),
        Step::Gate("second"),
        Step::Say("Done."),
    ];
    let started = start(&client, "Bob", &bob).await;
    let others = started["touched_by_others"].as_array().unwrap();
    let named: Vec<&Value> = others.iter().map(|other| &other["name"]).collect();
    assert_eq!(named, ["Carl", "Ada"], "{started:#}");
    assert_eq!(others[1]["paths"], json!(["new.txt", "src/lib.txt"]));
    bed.model.wait_until(|asked| asked.iter().filter(|a| a.step == 1).count() == 3).await;
    let team = client.ok("codex_worker_status", json!({})).await;
    assert_eq!(shared(&team, "Bob"), [], "{team:#}");
    bed.model.open_gate("first");
    bed.model.wait_until(|asked| asked.iter().any(|a| a.step == 2)).await;
    let both = |name: &str| vec![(name.to_owned(), json!(["src/lib.txt"]))];
    let mut team = client.ok("codex_worker_status", json!({})).await;
    while shared(&team, "Bob").is_empty() {
        // What was seen of a running turn is two seconds old at most.
        team = client.ok("codex_worker_status", json!({})).await;
    }
    assert_eq!((shared(&team, "Bob"), shared(&team, "Ada")), (both("Ada"), both("Bob")));
    assert_eq!(shared(&team, "Carl"), []);
    let list = client.ok("codex_worker_list", json!({})).await;
    assert_eq!(shared(&list, "Ada"), both("Bob"), "{list:#}");
    bed.model.open_gate("second");
    client.until("Bob", &["idle"]).await;
    let team = client.ok("codex_worker_status", json!({})).await;
    assert_eq!((shared(&team, "Bob"), shared(&team, "Ada")), (both("Ada"), both("Bob")));
    // What is in the base is in nobody's way.
    let worker = json!({"worker": "Ada"});
    let shown = client.fails("codex_worker_integrate", worker, "preview_required").await;
    let apply = json!({"worker": "Ada", "preview_token": shown["preview_token"]});
    client.ok("codex_worker_integrate", apply).await;
    let team = client.ok("codex_worker_status", json!({})).await;
    assert_eq!(shared(&team, "Bob"), [], "{team:#}");
    client.close().await;
    bed.finish().await;
}
