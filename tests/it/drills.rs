//! Drills: who runs the program is killed at a named place, and nothing is lost or done twice. What
//! codex itself recorded is the measure.

use crate::support::{Bed, Client, Era, Step, Victim, script};
use serde_json::{Value, json};
use std::path::Path;

const PLAIN: &str = "gpt-5.5";

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

const WORK: &[Step<'static>] = &[
    Step::Say("I begin."),
    Step::Sh("echo work > work.txt"),
    Step::Patch("*** Add File: new.txt\n+new\n"),
    Step::Sh("cat new.txt; exit 3"),
    Step::Say("All is done."),
];

/// A started server and a client of it.
async fn started(name: &str) -> (Bed, Client) {
    let mut bed = Bed::new(name).await;
    bed.start();
    let client = bed.client(Era::Modern).await;
    (bed, client)
}

/// Kills at a point, and lets whoever lives go on.
async fn kill(bed: &mut Bed, client: Client, victim: Victim, point: Option<&str>) -> Client {
    bed.kill(victim).await;
    if let Some(point) = point {
        bed.release(point);
    }
    revived(bed, client, victim).await
}

/// Starts a server where there is none any more.
async fn revived(bed: &mut Bed, client: Client, victim: Victim) -> Client {
    if !victim.has_server() {
        return client;
    }
    client.close().await;
    bed.start();
    bed.client(Era::Modern).await
}

async fn start(client: &Client, name: &str, brief: String) {
    client.ok("codex_worker_start", json!({"name": name, "brief": brief, "model": PLAIN})).await;
}

async fn ended(client: &Client, worker: &str) -> Value {
    client.until(worker, &["idle", "failed", "interrupted"]).await
}

async fn report(client: &Client, worker: &str) -> String {
    let report = client.ok("codex_worker_inspect", json!({"worker": worker})).await;
    report["report"].as_str().unwrap().to_owned()
}

/// One worker stands at each point of the way of a turn when the victim is killed. Each was started
/// before the points that it passed were held.
async fn on_the_way(victim: Victim) {
    let mut bed = Bed::new(&format!("drill-way-{victim:?}").to_lowercase()).await;
    bed.configure("  approval_policy: on-request\nserver:\n  max_concurrent_turns: 16\n");
    bed.start();
    let client = bed.client(Era::Modern).await;
    for &point in POINTS {
        stand_at(&bed, &client, point).await;
    }
    bed.kill(victim).await;
    std::fs::write(bed.dir.join("go"), "").unwrap();
    for point in POINTS.iter().filter(|point| ![COMMAND, APPROVAL].contains(point)) {
        bed.release(point);
    }
    let client = revived(&mut bed, client, victim).await;
    agree(&client, APPROVAL).await;
    assert_eq!(std::fs::read_to_string(bed.dir.join("outside")).unwrap(), "made\n");
    for &point in POINTS {
        let done = ended(&client, point).await;
        assert_eq!(done["state"], "idle", "{point}: {done:#}\n{}", bed.server_log());
        assert!(report(&client, point).await.ends_with("All is done."), "{point}");
        let view = json!({"worker": point, "view": "changes"});
        let changes = client.ok("codex_worker_inspect", view).await;
        let files = changes["changed_files"].as_array().unwrap();
        let paths: Vec<&str> = files.iter().map(|f| f["path"].as_str().unwrap()).collect();
        assert_eq!(paths, ["new.txt", "work.txt"], "{point}: {changes:#}");
        if [COMMAND, APPROVAL].contains(&point) {
            let broken = matches!(victim, Victim::Codex | Victim::All);
            assert_eq!(done["turn"]["queued_again"], broken, "{done:#}");
        }
    }
    client.close().await;
    let turns = bed.judge().await;
    assert!(turns >= POINTS.len(), "only {turns} turns were compared");
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
            start(client, point, script("Work.", WORK)).await;
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

/// Places of an apply, in order.
const APPLY: &[&str] = &["apply_journalled", "apply_moved", "apply_verified"];

async fn in_an_apply(victim: Victim) {
    let name = format!("drill-apply-{victim:?}").to_lowercase();
    let (mut bed, mut client) = started(&name).await;
    bed.repo.write("src/lib.txt", "one\ntwo\nthree, edited by the user\n");
    for &point in APPLY {
        let work = format!("mkdir {point} && cd {point} && echo 1 > a && echo 2 > b && echo 3 > c");
        start(&client, point, script("Work.", &[Step::Sh(&work), Step::Say("Done.")])).await;
    }
    for &point in APPLY {
        assert_eq!(ended(&client, point).await["state"], "idle", "{point}");
        let worker = json!({"worker": point});
        let shown = client.fails("codex_worker_integrate", worker, "preview_required").await;
        let apply = json!({"worker": point, "preview_token": shown["preview_token"],
                           "idempotency_key": "once"});
        bed.hold(point);
        let call = bed.client(Era::Modern).await.abandon("codex_worker_integrate", apply.clone());
        bed.reached(point).await;
        let there = ["a", "b", "c"].map(|file| bed.repo.root.join(point).join(file).exists());
        let half = there.iter().filter(|there| **there).count();
        assert_eq!(half, [0, 1, 3][APPLY.iter().position(|p| *p == point).unwrap()], "{point}");
        client = kill(&mut bed, client, victim, Some(point)).await;
        call.await.unwrap();
        let again = settled(&client, &apply).await;
        assert_eq!(again["idempotent_replay"], true, "{point}: {again:#}");
        for (file, text) in [("a", "1\n"), ("b", "2\n"), ("c", "3\n")] {
            assert_eq!(bed.repo.read(&format!("{point}/{file}")), text, "{point}");
        }
        assert_eq!(std::fs::read_dir(bed.repo.root.join(point)).unwrap().count(), 3, "{point}");
        assert_eq!(bed.repo.git(&["diff", "--cached", "--name-only"]), "", "{point}: index");
        let look = json!({"worker": point, "view": "integration_preview"});
        let look = client.ok("codex_worker_inspect", look).await;
        assert_eq!(look["reason"], "no_changes", "{point}: {look:#}");
    }
    assert_eq!(bed.repo.read("src/lib.txt"), "one\ntwo\nthree, edited by the user\n");
    assert_eq!(bed.repo.git(&["rev-list", "--count", "HEAD"]).trim(), "1");
    client.close().await;
    bed.judge().await;
    bed.finish().await;
}

/// Repeats a call until the base is not held by the recovery any more.
async fn settled(client: &Client, apply: &Value) -> Value {
    for _ in 0..2000 {
        let outcome = client.call("codex_worker_integrate", apply.clone()).await;
        if outcome.code() != "repo_busy" {
            assert!(!outcome.error, "{:#}", outcome.data);
            return outcome.data;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("the base stays busy");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_server_is_killed_in_an_apply() {
    in_an_apply(Victim::Server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sidecar_is_killed_in_an_apply() {
    in_an_apply(Victim::Sidecar).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn codex_is_killed_in_an_apply() {
    in_an_apply(Victim::Codex).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn all_are_killed_in_an_apply() {
    in_an_apply(Victim::All).await;
}

/// A message on its way into the running turn is heard once, whoever dies.
#[tokio::test(flavor = "multi_thread")]
async fn a_steered_message_survives_whoever_is_killed() {
    let (mut bed, mut client) = started("drill-steer").await;
    for victim in [Victim::Server, Victim::Sidecar, Victim::Codex, Victim::All] {
        let name = format!("{victim:?}");
        let brief = script("Work.", &[Step::Sh("true"), Step::Gate(&name), Step::Say("Done.")]);
        let asked = bed.model.requests().len();
        start(&client, &name, brief).await;
        bed.model.wait_until(|all| all.iter().skip(asked).any(|a| a.step == 1)).await;
        bed.hold("turn-steer");
        let message = json!({"worker": name, "message": "HEAR-THIS"});
        let call = bed.client(Era::Modern).await.abandon("codex_worker_message", message);
        bed.reached("turn-steer").await;
        client = kill(&mut bed, client, victim, Some("turn-steer")).await;
        bed.model.open_gate(&name);
        call.await.unwrap();
        let done = ended(&client, &name).await;
        assert_eq!(done["state"], "idle", "{name}: {done:#}\n{}", bed.server_log());
        let log = json!({"worker": name, "view": "log", "limit": 500});
        let log = client.ok("codex_worker_inspect", log).await;
        let heard = log["events"].as_array().unwrap().iter().filter(|e| {
            e["kind"] == "userMessage"
                && e["phase"] == "completed"
                && e["payload"].to_string().contains("HEAR-THIS")
        });
        assert_eq!(heard.count(), 1, "{name}: {log:#}");
    }
    client.close().await;
    bed.judge().await;
    bed.finish().await;
}

/// Where the operator wants to be asked, a turn that broke off waits for a message.
#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_turn_waits_for_a_message_where_the_operator_says_so() {
    let mut bed = Bed::new("drill-ask").await;
    bed.configure("workers:\n  resume_interrupted: ask\n");
    bed.start();
    let mut client = bed.client(Era::Modern).await;
    for victim in [Victim::Codex, Victim::All] {
        let name = format!("{victim:?}");
        let work = [
            Step::Say("Half of it is known."),
            Step::Sh("echo half > half.txt"),
            Step::Gate(&name),
            Step::Say("never said"),
        ];
        let asked = bed.model.requests().len();
        start(&client, &name, script("Work.", &work)).await;
        bed.model.wait_until(|all| all.iter().skip(asked).any(|a| a.step == 1)).await;
        client = kill(&mut bed, client, victim, None).await;
        let done = ended(&client, &name).await;
        assert_eq!(done["state"], "interrupted", "{done:#}");
        let words = report(&client, &name).await;
        assert!(words.contains("Half of it is known."), "{words}");
        assert!(words.contains("codex_worker_message"), "it says how to go on: {words}");
        let view = json!({"worker": name, "view": "changes"});
        let changes = client.ok("codex_worker_inspect", view).await;
        assert_eq!(changes["changed_files"][0]["path"], "half.txt", "{changes:#}");
        let go_on = script("Go on.", &[Step::Sh("cat half.txt"), Step::Say("The rest.")]);
        let message = json!({"worker": name, "message": go_on});
        client.ok("codex_worker_message", message).await;
        let done = ended(&client, &name).await;
        assert_eq!(done["state"], "idle", "{done:#}");
        assert!(report(&client, &name).await.contains("The rest."));
    }
    client.close().await;
    bed.judge().await;
    bed.finish().await;
}
