//! A commit on a branch, and taking an apply back.

use super::apply::settled;
use super::*;

async fn with_workers(name: &str, victim: Victim, points: &[&str]) -> (Bed, Client) {
    let (bed, client) = started(&format!("{name}-{victim:?}").to_lowercase()).await;
    for point in points {
        let work = format!("mkdir {point} && cd {point} && echo 1 > a && echo 2 > b && echo 3 > c");
        start(&client, point, script("Work.", &[Step::Sh(&work), Step::Say("Done.")])).await;
    }
    for point in points {
        assert_eq!(ended(&client, point).await["state"], "idle", "{point}");
    }
    (bed, client)
}

/// Makes a call that halts at a point, kills there, and repeats it.
async fn killed_in(
    bed: &mut Bed,
    client: Client,
    victim: Victim,
    point: &str,
    args: &Value,
) -> (Client, Value) {
    // With the last victims went whoever does the work.
    let up = format!("before-{point}");
    start(&client, &up, script("Up.", &[Step::Say("Up.")])).await;
    assert_eq!(ended(&client, &up).await["state"], "idle");
    let shown = client.fails("codex_worker_integrate", args.clone(), "preview_required").await;
    let mut args = args.clone();
    args["preview_token"] = shown["preview_token"].clone();
    args["idempotency_key"] = json!(format!("once at {point}"));
    bed.hold(point);
    let call = bed.client(Era::Modern).await.abandon("codex_worker_integrate", args.clone());
    bed.reached(point).await;
    let client = kill(bed, client, victim, Some(point)).await;
    call.await.unwrap();
    let again = settled(&client, &args).await;
    (client, again)
}

async fn in_a_commit(victim: Victim) {
    let points = ["apply_journalled", "branch_moved"];
    let (mut bed, mut client) = with_workers("drill-branch", victim, &points).await;
    let (head, files) = (bed.repo.git(&["rev-parse", "HEAD"]), bed.repo.git(&["status", "-s"]));
    for (n, point) in points.into_iter().enumerate() {
        let args = json!({"worker": point, "target": format!("branch:{point}")});
        let done;
        (client, done) = killed_in(&mut bed, client, victim, point, &args).await;
        let tip = bed.repo.git(&["rev-parse", point]);
        assert_eq!(done["commit"], tip.trim(), "{point}: {done:#}");
        // Only a server that dies before the branch is moved has not done it.
        let replay = n == 1 || !victim.has_server();
        assert_eq!(done["idempotent_replay"], replay, "{point}: {done:#}");
        assert_eq!(bed.repo.git(&["rev-parse", &format!("{point}^")]), head, "{point}");
        assert_eq!(bed.repo.git(&["show", &format!("{point}:{point}/b")]), "2\n");
    }
    assert_eq!(bed.repo.git(&["rev-parse", "HEAD"]), head);
    assert_eq!(bed.repo.git(&["status", "-s"]), files);
    client.close().await;
    bed.judge().await;
    bed.finish().await;
}

async fn in_an_undo(victim: Victim) {
    let points = ["apply_journalled", "apply_moved", "apply_verified"];
    let (mut bed, mut client) = with_workers("drill-undo", victim, &points).await;
    for point in points {
        let worker = json!({"worker": point});
        let shown = client.fails("codex_worker_integrate", worker, "preview_required").await;
        let apply = json!({"worker": point, "preview_token": shown["preview_token"]});
        client.ok("codex_worker_integrate", apply).await;
        assert_eq!(bed.repo.read(&format!("{point}/b")), "2\n", "{point}");
        let args = json!({"worker": point, "undo": true});
        let done;
        (client, done) = killed_in(&mut bed, client, victim, point, &args).await;
        assert_eq!(done["idempotent_replay"], true, "{point}: {done:#}");
        assert!(!bed.repo.root.join(point).exists(), "{point}");
        let nothing = client.fails("codex_worker_integrate", args, "not_applicable").await;
        assert_eq!(nothing["reason"], "nothing_to_undo", "{point}");
        let look = json!({"worker": point, "view": "integration_preview"});
        let look = client.ok("codex_worker_inspect", look).await;
        assert_eq!((&look["can_apply"], &look["change_count"]), (&json!(true), &json!(3)));
    }
    assert_eq!(bed.repo.git(&["status", "-s"]), "");
    client.close().await;
    bed.judge().await;
    bed.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_server_is_killed_in_a_commit() {
    in_a_commit(Victim::Server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn all_are_killed_in_a_commit() {
    in_a_commit(Victim::All).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_server_is_killed_in_an_undo() {
    in_an_undo(Victim::Server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn all_are_killed_in_an_undo() {
    in_an_undo(Victim::All).await;
}
