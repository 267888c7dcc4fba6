//! The way of a turn, from its claim to its end.

use super::*;
use std::path::Path;

/// Places on the way of a turn, the last one first.
const POINTS: &[&str] = &[
    "turn_snapshotted",
    "turn_ended",
    COMMAND,
    APPROVAL,
    "delta",
    "turn-start",
    "thread_stored",
    "thread-start",
    "worktree_ready",
    "worktree_empty",
    "turn_claimed",
];

/// No point of the program's: a command that runs until the test makes a file.
const COMMAND: &str = "command";
/// Nor this: a command that asks to leave the sandbox, and waits for the answer.
const APPROVAL: &str = "approval";

/// One worker stands at each point of the way of a turn when the victim is killed. Each was started
/// before the points that it passed were held.
async fn on_the_way(victim: Victim) {
    let broken = matches!(victim, Victim::Codex | Victim::All);
    let mut bed = Bed::new(&format!("drill-way-{victim:?}").to_lowercase()).await;
    bed.configure("  approval_policy: on-request\nserver:\n  max_concurrent_turns: 16\n");
    bed.start();
    let client = bed.client(Era::Modern).await;
    for &point in POINTS {
        stand_at(&bed, &client, point).await;
    }
    bed.kill(victim).await;
    std::fs::write(bed.dir.join("go"), "").unwrap();
    bed.model.open_gate("go");
    for point in POINTS.iter().filter(|point| ![COMMAND, APPROVAL].contains(point)) {
        bed.release(point);
    }
    let client = revived(&mut bed, client, victim).await;
    agree(&client, APPROVAL).await;
    assert_eq!(std::fs::read_to_string(bed.dir.join("outside")).unwrap(), "made\n");
    let mut again = 0;
    for &point in POINTS {
        let done = ended(&client, point).await;
        assert_eq!(done["state"], "idle", "{point}: {done:#}\n{}", bed.server_log());
        assert!(report(&client, point).await.ends_with("All is done."), "{point}");
        let view = json!({"worker": point, "view": "changes"});
        let changes = client.ok("codex_worker_inspect", view).await;
        let files = changes["changed_files"].as_array().unwrap();
        let paths: Vec<&str> = files.iter().map(|f| f["path"].as_str().unwrap()).collect();
        assert_eq!(paths, ["new.txt", "work.txt"], "{point}: {changes:#}");
        let queued = done["turn"]["queued_again"] == true;
        match point {
            COMMAND | APPROVAL | "delta" => assert_eq!(queued, broken, "{point}: {done:#}"),
            // What codex has not written down yet is not begun again, but sent for the first time.
            "turn-start" => assert!(broken || !queued, "{done:#}"),
            _ => assert!(!queued, "{point}: {done:#}"),
        }
        again += usize::from(queued);
    }
    // Whoever died is there again for the next turn.
    start(&client, "next", script("Next.", &[Step::Say("Next is done.")])).await;
    assert_eq!(ended(&client, "next").await["state"], "idle");
    assert!(bed.recorded("sidecar").is_some(), "no sidecar\n{}", bed.server_log());
    assert!(bed.recorded("codex").is_some());
    client.close().await;
    // What codex went on with was done once; what broke off under it was begun once more. It may
    // have written down a turn that it was only just given.
    let more = bed.judge().await - POINTS.len() - 1;
    assert!(more == again || broken && more == again + 1, "{more} turns of codex's for {again}");
    bed.finish().await;
}

/// Starts a worker named like the point and waits until it stands there.
async fn stand_at(bed: &Bed, client: &Client, point: &str) {
    match point {
        COMMAND => stand_in_a_command(bed, client).await,
        APPROVAL => {
            let ask = format!("echo made >> {}", bed.dir.join("outside").display());
            let files = Step::Sh("echo work > work.txt; echo new > new.txt");
            let steps = [files, Step::Escalate(&ask), Step::Say("All is done.")];
            start(client, point, script("Ask.", &steps)).await;
            client.until(point, &["waiting_approval"]).await;
        }
        _ => {
            bed.hold(point);
            let first = match point {
                "delta" => &[Step::SayHalf("I begin, and stop in the middle of my words.", "go")],
                "turn-start" => &[Step::Gate("go")],
                _ => &[][..],
            };
            start(client, point, script("Work.", &[first, WORK].concat())).await;
            bed.reached(point).await;
        }
    }
}

async fn stand_in_a_command(bed: &Bed, client: &Client) {
    let wait = format!(
        "echo begun > work.txt; until test -e {}; do sleep 0.05; done; echo new > new.txt",
        bed.dir.join("go").display()
    );
    let steps = [Step::Say("I wait."), Step::Long(&wait), Step::Say("All is done.")];
    start(client, COMMAND, script("Wait.", &steps)).await;
    let says = |tree: &Path| std::fs::read_to_string(tree.join("work.txt")).unwrap_or_default();
    let runs = || bed.worktrees_on_disk().iter().any(|tree| says(tree) == "begun\n");
    bed.sees("the command", runs).await;
}

/// Says yes to what the worker asks, until it is at rest.
async fn agree(client: &Client, worker: &str) {
    let ends = ["waiting_approval", "idle", "failed", "interrupted"];
    while client.until(worker, &ends).await["state"] == "waiting_approval" {
        let view = json!({"worker": worker, "view": "approvals"});
        let view = client.ok("codex_worker_inspect", view).await;
        for asked in view["approvals"].as_array().unwrap() {
            if asked["state"] == "pending" {
                let yes = json!({"worker": worker, "approval_id": asked["approval_id"],
                                 "decision": "accept"});
                client.call("codex_worker_message", yes).await;
            }
        }
        client.ok("codex_worker_wait", json!({"wait_seconds": 1, "scope": "all"})).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_server_is_killed_on_the_way_of_a_turn() {
    on_the_way(Victim::Server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sidecar_is_killed_on_the_way_of_a_turn() {
    on_the_way(Victim::Sidecar).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn codex_is_killed_on_the_way_of_a_turn() {
    on_the_way(Victim::Codex).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn all_are_killed_on_the_way_of_a_turn() {
    on_the_way(Victim::All).await;
}
