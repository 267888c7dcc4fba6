//! What a worker asks for beyond its sandbox waits for a decision, through restarts too.

use crate::support::{Bed, Client, Era, Step, script};
use serde_json::{Value, json};
use std::path::PathBuf;

const PLAIN: &str = "gpt-5.5";
const ON_REQUEST: &str = "  approval_policy: on-request\n";

/// A worker that asks to write a file beside the state directory.
async fn asking(bed: &Bed, client: &Client, name: &str) -> (PathBuf, Value) {
    let outside = bed.dir.join(format!("{name}.txt"));
    let command = format!("echo made > {}", outside.display());
    let brief = script("Ask.", &[Step::Escalate(&command), Step::Say("asked and went on")]);
    client.ok("codex_worker_start", json!({"name": name, "brief": brief, "model": PLAIN})).await;
    let seen = client.until(name, &["waiting_approval", "idle", "failed"]).await;
    assert_eq!(seen["state"], "waiting_approval", "{seen:#}");
    let view = approvals(client, name).await;
    let proof = &seen["state_details"]["approvals"][0]["approval_id"];
    assert_eq!(*proof, view["approvals"][0]["approval_id"], "{seen:#}");
    (outside, view["approvals"][0].clone())
}

async fn approvals(client: &Client, worker: &str) -> Value {
    client.ok("codex_worker_inspect", json!({"worker": worker, "view": "approvals"})).await
}

fn answer(worker: &str, asked: &Value, decision: &str) -> Value {
    json!({"worker": worker, "approval_id": asked["approval_id"], "decision": decision})
}

async fn report(client: &Client, worker: &str) -> Value {
    client.ok("codex_worker_inspect", json!({"worker": worker, "wait_seconds": 40})).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_outside_of_the_sandbox_waits_for_a_decision() {
    let mut bed = Bed::new("approve").await;
    bed.configure(ON_REQUEST);
    bed.start();
    let client = bed.client(Era::Modern).await;
    let (outside, asked) = asking(&bed, &client, "Ada").await;
    assert_eq!((&asked["kind"], &asked["state"]), (&json!("command"), &json!("pending")));
    assert_eq!(asked["reason"], "it must be outside", "{asked:#}");
    assert!(asked["command"].as_str().unwrap().contains("echo made"), "{asked:#}");
    assert!(!outside.exists(), "it ran before anybody agreed");
    let mut other = asked.clone();
    other["approval_id"] = json!("apr_0");
    client.fails("codex_worker_message", answer("Ada", &other, "accept"), "approval_unknown").await;
    let told = client.ok("codex_worker_message", answer("Ada", &asked, "accept")).await;
    assert_eq!(told["delivered"], true, "{told:#}");
    let done = report(&client, "Ada").await;
    assert_eq!(done["state"], "idle", "{done:#}");
    assert!(done["report"].as_str().unwrap().contains("asked and went on"), "{done:#}");
    assert_eq!(std::fs::read_to_string(&outside).unwrap(), "made\n");
    client.ok("codex_worker_message", answer("Ada", &asked, "accept")).await;
    let late = answer("Ada", &asked, "decline");
    client.fails("codex_worker_message", late, "already_decided").await;
    let log = client.ok("codex_worker_inspect", json!({"worker": "Ada", "view": "log"})).await;
    let phases: Vec<&str> = log["events"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|e| e["kind"] == "approval")
        .map(|e| e["phase"].as_str().unwrap())
        .collect();
    assert_eq!(phases, ["requested", "decided", "delivered"], "{log:#}");
    client.close().await;
    bed.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_declined_turn_goes_on_and_a_cancelled_one_ends() {
    let mut bed = Bed::new("decline").await;
    bed.configure(ON_REQUEST);
    bed.start();
    let client = bed.client(Era::Legacy).await;
    let (outside, asked) = asking(&bed, &client, "Ada").await;
    client.ok("codex_worker_message", answer("Ada", &asked, "decline")).await;
    let done = report(&client, "Ada").await;
    assert!(done["report"].as_str().unwrap().contains("asked and went on"), "{done:#}");
    assert!(!outside.exists());

    let (outside, asked) = asking(&bed, &client, "Bob").await;
    client.ok("codex_worker_message", answer("Bob", &asked, "cancel")).await;
    let done = report(&client, "Bob").await;
    assert_eq!(done["state"], "idle", "{done:#}");
    assert_eq!(done["turn"]["state"], "cancelled", "it is not tried again: {done:#}");
    assert!(!outside.exists());

    let (_, asked) = asking(&bed, &client, "Eve").await;
    let stop = json!({"worker": "Eve", "force": true});
    client.ok("codex_worker_stop", stop).await;
    let view = approvals(&client, "Eve").await;
    assert_eq!(view["approvals"][0]["state"], "withdrawn", "{view:#}");
    client.fails("codex_worker_message", answer("Eve", &asked, "accept"), "already_decided").await;
    client.close().await;
    bed.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_outlives_the_kill_of_the_server_as_one_row() {
    let mut bed = Bed::new("reask").await;
    bed.configure(ON_REQUEST);
    bed.start();
    let client = bed.client(Era::Legacy).await;
    let (outside, asked) = asking(&bed, &client, "Ada").await;
    client.close().await;
    bed.kill_server();
    bed.start();
    let client = bed.client(Era::Legacy).await;
    let view = approvals(&client, "Ada").await;
    assert_eq!(view["approvals"], json!([asked]), "{view:#}");
    // It may be decided before codex has asked again: then it is told when it does.
    client.ok("codex_worker_message", answer("Ada", &asked, "accept")).await;
    let done = report(&client, "Ada").await;
    assert_eq!(done["state"], "idle", "{done:#}\n{}", bed.server_log());
    assert_eq!(std::fs::read_to_string(&outside).unwrap(), "made\n");
    let view = approvals(&client, "Ada").await;
    assert_eq!(view["approvals"].as_array().unwrap().len(), 1, "{view:#}");
    assert_eq!(view["approvals"][0]["state"], "delivered", "{view:#}");
    client.close().await;
    bed.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_patch_outside_of_the_worktree_shows_what_it_would_change() {
    let mut bed = Bed::new("patchout").await;
    bed.configure(ON_REQUEST);
    bed.start();
    let client = bed.client(Era::Modern).await;
    let outside = bed.dir.join("patched.txt");
    let patch = format!("*** Add File: {}\n+patched\n", outside.display());
    let brief = script("Patch.", &[Step::Patch(&patch), Step::Say("patched it")]);
    client.ok("codex_worker_start", json!({"name": "Ada", "brief": brief, "model": PLAIN})).await;
    client.until("Ada", &["waiting_approval", "idle", "failed"]).await;
    let view = approvals(&client, "Ada").await;
    let asked = &view["approvals"][0];
    assert_eq!(asked["kind"], "file_change", "{view:#}");
    assert_eq!(asked["changes"][0]["path"], outside.to_str().unwrap(), "{view:#}");
    client.ok("codex_worker_message", answer("Ada", asked, "accept")).await;
    let done = report(&client, "Ada").await;
    assert_eq!(done["state"], "idle", "{done:#}");
    assert_eq!(std::fs::read_to_string(&outside).unwrap(), "patched\n");
    client.close().await;
    bed.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_operators_word_and_for_readers_nothing_is_asked() {
    let mut bed = Bed::new("neverask").await;
    bed.start();
    let outside = bed.dir.join("never.txt");
    let command = format!("echo made > {}", outside.display());
    let brief = script("Ask.", &[Step::Escalate(&command), Step::Say("went on")]);
    for (era, policy, mode) in
        [(Era::Legacy, "", "isolated_write"), (Era::Modern, ON_REQUEST, "read_only")]
    {
        bed.stop();
        bed.configure(policy);
        bed.start();
        let client = bed.client(era).await;
        let start = json!({"name": mode, "brief": brief, "model": PLAIN, "workspace_mode": mode});
        client.ok("codex_worker_start", start).await;
        let done = report(&client, mode).await;
        assert_eq!(done["state"], "idle", "{done:#}");
        assert!(!outside.exists(), "{mode} left its sandbox");
        assert_eq!(approvals(&client, mode).await["approvals"], json!([]));
        client.close().await;
    }
    bed.finish().await;
}
