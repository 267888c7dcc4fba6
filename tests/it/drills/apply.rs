//! An apply.

use super::*;

/// Places of an apply, in order.
const APPLY: &[&str] = &["apply_journalled", "apply_moved", "apply_verified"];

async fn in_an_apply(victim: Victim) {
    let name = format!("drill-apply-{victim:?}").to_lowercase();
    let (mut bed, mut client) = started(&name).await;
    bed.repo.write("src/lib.txt", "one\ntwo\nthree, edited by the user\n");
    for &point in APPLY {
        let work = format!("mkdir {point} && cd {point} && echo 1 > a && echo 2 > b && echo 3 > c");
        start(&client, point, script("Work.", &[Step::Sh(&work), Step::Say("Done.")])).await;
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
pub(super) async fn settled(client: &Client, apply: &Value) -> Value {
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
