//! Ends and changes of the engine under a running turn.

use crate::support::{Bed, Client, Era, Step, script};
use serde_json::json;

const PLAIN: &str = "gpt-5.5";

/// A worker whose turn has written a file and waits at the gate `go`.
async fn at_gate(bed: &Bed, client: &Client, name: &str) {
    let steps = [Step::Sh("echo begun > begun.txt"), Step::Gate("go"), Step::Say("lived on")];
    let brief = script("Begin.", &steps);
    client.ok("codex_worker_start", json!({"name": name, "brief": brief, "model": PLAIN})).await;
    bed.model.wait_until(|asked| asked.iter().any(|a| a.step == 1)).await;
}

/// The turn ends well, and its work was done once.
async fn ends_well(bed: &Bed, client: &Client, name: &str) {
    client.until(name, &["running"]).await;
    bed.model.open_gate("go");
    let done = client.until(name, &["idle", "failed", "interrupted"]).await;
    assert_eq!(done["state"], "idle", "{done:#}\n{}", bed.server_log());
    let report = client.ok("codex_worker_inspect", json!({"worker": name, "view": "report"})).await;
    assert!(report["report"].as_str().unwrap().contains("lived on"), "{report:#}");
    assert_eq!(bed.model.requests().len(), 2, "the model was asked once a step");
}

fn sidecar(bed: &Bed) -> i64 {
    let json = std::fs::read(bed.state.join("run/sidecar.json")).unwrap();
    let json: serde_json::Value = serde_json::from_slice(&json).unwrap();
    json["sidecar"]["pid"].as_i64().unwrap()
}

/// A turn goes on, under the same sidecar, when its engine is ended by `end` and another starts.
async fn outlives(name: &str, era: Era, end: impl FnOnce(&mut Bed)) {
    let mut bed = Bed::new(name).await;
    bed.start();
    let client = bed.client(era).await;
    at_gate(&bed, &client, "Ada").await;
    let before = sidecar(&bed);
    client.close().await;
    end(&mut bed);
    bed.start();
    let client = bed.client(era).await;
    ends_well(&bed, &client, "Ada").await;
    assert_eq!(sidecar(&bed), before, "codex was left alone");
    client.close().await;
    bed.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_turn_outlives_the_sigterm_of_its_engine() {
    outlives("sigterm", Era::Legacy, Bed::terminate).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn stop_with_keep_turns_leaves_the_turn_to_the_next_engine() {
    outlives("keep-turns", Era::Modern, |bed| bed.stop_with(&["--keep-turns"])).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn stop_interrupts_the_turn_keeps_its_work_and_leaves_no_process() {
    let mut bed = Bed::new("stop-engine").await;
    bed.start();
    let client = bed.client(Era::Legacy).await;
    at_gate(&bed, &client, "Ada").await;
    client.close().await;
    bed.stop();
    assert_eq!(bed.processes(), Vec::<String>::new());
    bed.start();
    let client = bed.client(Era::Legacy).await;
    let seen = client.until("Ada", &["interrupted"]).await;
    assert!(seen.to_string().contains("engine_stopped"), "{seen:#}");
    let changes =
        client.ok("codex_worker_inspect", json!({"worker": "Ada", "view": "changes"})).await;
    assert_eq!(changes["changed_files"][0]["path"], "begun.txt", "{changes:#}");
    let more = script("Go on.", &[Step::Sh("cat begun.txt"), Step::Say("went on")]);
    client.ok("codex_worker_message", json!({"worker": "Ada", "message": more})).await;
    client.until("Ada", &["idle"]).await;
    let report =
        client.ok("codex_worker_inspect", json!({"worker": "Ada", "view": "report"})).await;
    assert!(report["report"].as_str().unwrap().contains("went on"), "{report:#}");
    client.close().await;
    bed.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_patchbay_takes_over_a_running_turn_and_then_replaces_the_sidecar() {
    let mut bed = Bed::new("upgrade").await;
    bed.start();
    let client = bed.client(Era::Legacy).await;
    at_gate(&bed, &client, "Ada").await;
    let before = sidecar(&bed);
    client.close().await;
    bed.terminate();
    let new = bed.dir.join("patchbay-new");
    std::fs::copy(bed.program(), &new).unwrap();
    bed.use_program(new.clone());
    // A new version writes other settings for codex as well.
    bed.configure("  reasoning_effort: high\n");
    bed.start();
    let client = bed.client(Era::Legacy).await;
    ends_well(&bed, &client, "Ada").await;
    assert_eq!(sidecar(&bed), before, "the sidecar of the older build goes on working");
    let more = script("Go on.", &[Step::Say("on the new one")]);
    client.ok("codex_worker_message", json!({"worker": "Ada", "message": more})).await;
    client.until("Ada", &["idle"]).await;
    let after = sidecar(&bed);
    assert_ne!(after, before, "the settings of the new version hold for the next turn");
    assert_eq!(std::fs::read_link(format!("/proc/{after}/exe")).unwrap(), new);
    client.close().await;
    bed.finish().await;
}
