//! A call that waits is over before hosts and proxies give it up.

use crate::support::{Bed, Era, Step, script};
use serde_json::json;
use std::time::Duration;

#[tokio::test(flavor = "multi_thread")]
async fn a_wait_is_over_before_hosts_give_it_up() {
    let mut bed = Bed::new("waits").await;
    bed.configure("server:\n  longest_wait_seconds: 1\n");
    bed.start();
    let client = bed.client(Era::Modern).await;
    let brief = script("Work.", &[Step::Gate("open"), Step::Say("Done.")]);
    let start = json!({"name": "Ada", "brief": brief, "model": "gpt-5.5"});
    client.ok("codex_worker_start", start).await;
    bed.model.wait_until(|asked| !asked.is_empty()).await;
    // Nothing happens until the gate is opened, so that only the limit of the program ends these calls.
    let in_time = Duration::from_secs(120);
    let said = "wait_seconds was 600; a call waits 1 seconds at most.";
    for (tool, arguments) in [
        ("codex_worker_wait", json!({"wait_seconds": 600, "until": "idle"})),
        ("codex_worker_inspect", json!({"worker": "Ada", "wait_seconds": 600})),
        ("codex_worker_inspect", json!({"worker": "Ada", "view": "changes", "wait_seconds": 600})),
    ] {
        let call = tokio::time::timeout(in_time, client.ok(tool, arguments)).await;
        let answer = call.unwrap_or_else(|_| panic!("{tool} waits on"));
        let note = answer["note"].as_str().unwrap_or_default();
        assert!(note.starts_with(said), "{tool}: {answer:#}");
    }
    bed.model.open_gate("open");
    let wait = json!({"wait_seconds": 600, "until": "idle"});
    let mut over = client.ok("codex_worker_wait", wait.clone()).await;
    while over["changed"] == false {
        over = client.ok("codex_worker_wait", wait.clone()).await;
    }
    assert_eq!(over["active"], 0, "{over:#}");
    client.close().await;
    bed.finish().await;
}
