//! A manager at work: steering, queueing, stopping, cleaning up, with the real codex.

use crate::support::{Bed, Era, Step, script};
use serde_json::{Value, json};

const PLAIN: &str = "gpt-5.5";

#[tokio::test(flavor = "multi_thread")]
async fn a_busy_worker_is_steered_once_and_the_queue_waits_behind_it() {
    let mut bed = Bed::new("steer").await;
    bed.start();
    let client = bed.client(Era::Modern).await;
    let brief = script("Work.", &[Step::Sh("echo 1 > n.txt"), Step::Gate("go"), Step::Say("done")]);
    client.ok("codex_worker_start", json!({"name": "Ada", "brief": brief, "model": PLAIN})).await;
    bed.model.wait_until(|asked| asked.iter().any(|a| a.step == 1)).await;
    let steered = client
        .ok("codex_worker_message", json!({"worker": "Ada", "message": "STEERED-WORDS"}))
        .await;
    assert_eq!(steered["delivery"], "steered", "{steered:#}");
    let next = script("Next.", &[Step::Sh("echo 2 >> n.txt"), Step::Say("second done")]);
    let queued = client
        .ok("codex_worker_message", json!({"worker": "Ada", "message": next, "delivery": "queue"}))
        .await;
    assert_eq!(queued["delivery"], "queued", "{queued:#}");
    let waiting =
        client.ok("codex_worker_inspect", json!({"worker": "Ada", "view": "queue"})).await;
    assert_eq!(waiting["queue"][0]["queued_id"], queued["queued_id"], "{waiting:#}");
    let extra = json!({"worker": "Ada", "message": "[[err400:fails=9]]", "delivery": "queue"});
    let extra = client.ok("codex_worker_message", extra).await;
    let change = |action: &str| {
        json!({"worker": "Ada", "queued_id": extra["queued_id"], "queue_action": action,
               "message": "EDITED-WORDS"})
    };
    client.ok("codex_worker_message", change("edit")).await;
    let waiting =
        client.ok("codex_worker_inspect", json!({"worker": "Ada", "view": "queue"})).await;
    assert_eq!(waiting["queue"][1]["message"], "EDITED-WORDS", "{waiting:#}");
    client.ok("codex_worker_message", change("cancel")).await;
    client.fails("codex_worker_message", change("edit"), "not_queued").await;
    bed.model.open_gate("go");
    let report =
        client.ok("codex_worker_inspect", json!({"worker": "Ada", "wait_seconds": 40})).await;
    assert_eq!(report["state"], "idle", "{report:#}");
    assert!(report["report"].as_str().unwrap().contains("second done"), "{report:#}");
    assert_eq!(
        report["turn"]["number"], 2,
        "the steered words are no turn of their own: {report:#}"
    );
    let late = json!({"worker": "Ada", "message": "too late", "delivery": "steer"});
    client.fails("codex_worker_message", late, "not_steerable").await;
    let log = client
        .ok("codex_worker_inspect", json!({"worker": "Ada", "view": "log", "limit": 500}))
        .await;
    let heard = log["events"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|e| e["kind"] == "userMessage" && e["phase"] == "completed")
        .filter(|e| e["payload"].to_string().contains("STEERED-WORDS"))
        .count();
    assert_eq!(heard, 1, "the worker heard it once: {log:#}");
    client.close().await;
    bed.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_worker_keeps_its_work_and_a_cleanup_asks_first() {
    let mut bed = Bed::new("stop").await;
    bed.start();
    let client = bed.client(Era::Legacy).await;
    let brief = script(
        "Work.",
        &[
            Step::Sh("echo half > half.txt"),
            Step::Say("Half is known."),
            Step::Long("sleep 100"),
            Step::Say("never said"),
        ],
    );
    client.ok("codex_worker_start", json!({"name": "Ada", "brief": brief, "model": PLAIN})).await;
    bed.model.wait_until(|asked| asked.iter().any(|a| a.step == 1)).await;
    let asked =
        client.fails("codex_worker_stop", json!({"worker": "Ada"}), "confirmation_required").await;
    assert_eq!(asked["confirm_with"]["force"], true, "{asked:#}");
    let out = bed.patchbay(&["worker", "stop", "Ada"]).output().unwrap();
    let said = String::from_utf8_lossy(&out.stderr).into_owned();
    assert!(!out.status.success() && said.contains("--force"), "{said}");
    // What it said stands in the journal once its command does.
    let runs = |seen: &Value| seen["running_command"].as_str().unwrap_or("").contains("sleep 100");
    while !runs(&client.until("Ada", &["running"]).await) {}
    let stop = json!({"worker": "Ada", "force": true, "reason": "enough"});
    let stopped = client.call("codex_worker_stop", stop).await;
    assert!(stopped.text.contains("Half is known."), "{}", stopped.text);
    let stopped = stopped.data;
    assert_eq!(stopped["stopped"], true, "{stopped:#}");
    assert_eq!(stopped["state"], "idle", "{stopped:#}");
    let partial = stopped["report"].as_str().unwrap();
    assert!(partial.contains("enough") && partial.contains("Half is known."), "{stopped:#}");
    let changes =
        client.ok("codex_worker_inspect", json!({"worker": "Ada", "view": "changes"})).await;
    assert_eq!(changes["changed_files"][0]["path"], "half.txt", "{changes:#}");
    let clean = json!({"worker": "Ada", "cleanup_workspace": true});
    let asked = client.fails("codex_worker_stop", clean, "confirmation_required").await;
    assert_eq!(asked["unintegrated_changed_files"], json!(["half.txt"]), "{asked:#}");
    let cleaned = client
        .ok(
            "codex_worker_stop",
            json!({"worker": "Ada", "cleanup_workspace": true,
                   "discard_unintegrated_changes": true}),
        )
        .await;
    assert_eq!(cleaned["workspace_cleaned"], true, "{cleaned:#}");
    assert!(bed.worktrees_on_disk().is_empty());
    client
        .fails("codex_worker_message", json!({"worker": "Ada", "message": "?"}), "worker_archived")
        .await;
    let again = json!({"name": "ada", "brief": "[[answer]]", "model": PLAIN});
    client.ok("codex_worker_start", again).await;
    client.until("ada", &["idle"]).await;
    client.close().await;
    bed.finish().await;
}
