//! The engine is killed; the work goes on.

use crate::support::{Bed, Era, Step, script};
use serde_json::json;
use std::collections::BTreeSet;

#[tokio::test(flavor = "multi_thread")]
async fn a_turn_outlives_the_kill_of_the_server_in_the_middle_of_a_command() {
    let mut bed = Bed::new("crash").await;
    bed.start();
    let client = bed.client(Era::Legacy).await;
    // The command runs until the test makes the file, so the kill is in its middle, not by luck.
    let go = bed.dir.join("go");
    let command = format!(
        "echo begun > begun.txt; until test -e {}; do sleep 0.05; done; echo ended >> begun.txt",
        go.display()
    );
    let brief = script("Wait.", &[Step::Long(&command), Step::Say("outlived it")]);
    let started = client
        .ok("codex_worker_start", json!({"name": "Phoenix", "brief": brief, "model": "gpt-5.5"}))
        .await;
    client.until("Phoenix", &["running"]).await;
    let worker = started["worker_id"].as_str().unwrap().to_owned();
    let begun = || bed.worktrees_on_disk().iter().any(|tree| tree.join("begun.txt").exists());
    while !begun() {
        tokio::task::yield_now().await;
    }
    client.close().await;
    bed.kill_server();
    std::fs::write(&go, "").unwrap();
    bed.start();
    let client = bed.client(Era::Legacy).await;
    let done = client.until(&worker, &["idle", "failed", "interrupted"]).await;
    assert_eq!(done["state"], "idle", "{done:#}\n{}", bed.server_log());
    let report =
        client.ok("codex_worker_inspect", json!({"worker": worker, "view": "report"})).await;
    assert!(report["report"].as_str().unwrap().contains("outlived it"), "{report:#}");
    let log = client.ok("codex_worker_inspect", json!({"worker": worker, "view": "log"})).await;
    let events = log["events"].as_array().unwrap();
    let keys: Vec<String> =
        events.iter().map(|e| format!("{} {} {}", e["turn"], e["item"], e["phase"])).collect();
    assert_eq!(keys.iter().collect::<BTreeSet<_>>().len(), keys.len(), "an event is there twice");
    let commands = events
        .iter()
        .filter(|e| e["kind"] == "commandExecution" && e["phase"] == "completed")
        .count();
    assert_eq!(commands, 1, "the command ended once: {log:#}");
    let file = client
        .ok(
            "codex_worker_inspect",
            json!({"worker": worker, "view": "file", "file_path": "begun.txt"}),
        )
        .await;
    assert!(file["text"].as_str().unwrap().contains("ended"), "{file:#}");
    assert_eq!(bed.model.requests().len(), 2, "the model was asked once a step");
    client.close().await;
    bed.finish().await;
}
