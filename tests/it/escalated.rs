//! Commands that were let out of the sandbox. No sandbox ends with them, so patchbay has to end them:
//! after a stop, a kill and the end of the engine none of them is left.

use crate::support::{Bed, Client, Era, Step, Victim, script};
use patchbay::process::marked;
use serde_json::json;

const SLEEP: &str = "sleep 86411";

/// One command in the worker's own shell, and one in a session of its own.
const OUTSIDE: &str = "setsid sleep 86411 & sleep 86411";

/// Beside them one that has neither its session nor its environment left to be known by.
const HIDDEN: &str = "env -i setsid sleep 86411 & setsid sleep 86411 & sleep 86411";

/// A bed where workers may ask, and a turn that breaks off is not continued.
async fn bed(name: &str) -> (Bed, Client) {
    let mut bed = Bed::new(name).await;
    bed.configure("  approval_policy: on-request\nworkers:\n  resume_interrupted: ask\n");
    bed.start();
    let client = bed.client(Era::Modern).await;
    (bed, client)
}

/// How many of the commands run.
fn sleeping(bed: &Bed) -> usize {
    let is_ours = |line: &String| line.split_once(": ").is_some_and(|(_, c)| c.trim() == SLEEP);
    bed.processes().iter().filter(|line| is_ours(line)).count()
}

/// A worker whose command was let out of the sandbox and runs.
async fn let_out(bed: &Bed, client: &Client, command: &str) {
    let steps = [Step::Say("Half is known."), Step::Escalate(command), Step::Say("never said")];
    let brief = script("Ask.", &steps);
    client
        .ok("codex_worker_start", json!({"name": "Ada", "brief": brief, "model": "gpt-5.5"}))
        .await;
    let seen = client.until("Ada", &["waiting_approval", "idle", "failed"]).await;
    assert_eq!(seen["state"], "waiting_approval", "{seen:#}");
    assert_eq!(sleeping(bed), 0, "it ran before anybody agreed");
    let asked = &seen["state_details"]["approvals"][0]["approval_id"];
    let yes = json!({"worker": "Ada", "approval_id": asked, "decision": "accept"});
    client.ok("codex_worker_message", yes).await;
    let all = command.matches(SLEEP).count();
    bed.sees("the commands", || sleeping(bed) == all).await;
}

/// The turn broke off, and so did its commands.
async fn broke_off(bed: &Bed, client: &Client) {
    let seen = client.until("Ada", &["interrupted", "idle", "failed"]).await;
    assert_eq!(seen["state"], "interrupted", "{seen:#}");
    assert_eq!(sleeping(bed), 0, "{:#?}", bed.processes());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_ends_a_command_outside_of_the_sandbox() {
    let (bed, client) = bed("outside-stop").await;
    let_out(&bed, &client, HIDDEN).await;
    let stop = json!({"worker": "Ada", "force": true});
    let stopped = client.ok("codex_worker_stop", stop).await;
    assert_eq!(stopped["state"], "idle", "{stopped:#}");
    assert_eq!(marked("TMPDIR", &bed.state.join("worktrees")), [], "the stop has said it is over");
    // What cannot be known by its environment comes to the sidecar, which has a little patience.
    bed.sees("the end of an orphan", || sleeping(&bed) == 0).await;
    client.close().await;
    bed.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_codex_takes_a_command_outside_of_the_sandbox_along() {
    let (mut bed, client) = bed("outside-codex").await;
    let_out(&bed, &client, HIDDEN).await;
    bed.kill(Victim::Codex).await;
    broke_off(&bed, &client).await;
    client.close().await;
    bed.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_outside_of_the_sandbox_is_ended_at_the_start_after_all_were_killed() {
    let (mut bed, client) = bed("outside-all").await;
    let_out(&bed, &client, OUTSIDE).await;
    client.close().await;
    // Once all of them went with codex already, so that there was nothing left for the start to end (cause
    // not known); what counts is that none is left in the end.
    bed.kill(Victim::All).await;
    bed.start();
    let client = bed.client(Era::Modern).await;
    broke_off(&bed, &client).await;
    client.close().await;
    bed.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_end_of_the_engine_ends_a_command_outside_of_the_sandbox() {
    let (mut bed, client) = bed("outside-end").await;
    let_out(&bed, &client, HIDDEN).await;
    client.close().await;
    bed.stop();
    assert_eq!(bed.processes(), Vec::<String>::new());
    bed.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_end_of_the_engine_ends_it_after_a_kill_of_the_sidecar_too() {
    let (mut bed, client) = bed("outside-sidecar").await;
    let_out(&bed, &client, OUTSIDE).await;
    client.close().await;
    bed.kill(Victim::Sidecar).await;
    bed.stop();
    assert_eq!(bed.processes(), Vec::<String>::new());
    bed.finish().await;
}
