//! Two engines with a state directory each, and one repository.

use crate::support::{Bed, Client, Era, Repo, Step, script};
use serde_json::{Value, json};

/// A started server with one worker that has done this.
async fn with_worker(bed: &mut Bed, name: &str, work: &str) -> Client {
    bed.start();
    let client = bed.client(Era::Modern).await;
    let brief = script("Work.", &[Step::Sh(work), Step::Say("Done.")]);
    client
        .ok("codex_worker_start", json!({"name": name, "brief": brief, "model": "gpt-5.5"}))
        .await;
    assert_eq!(client.until(name, &["idle", "failed"]).await["state"], "idle");
    client
}

/// The arguments that apply what a worker did, over whatever the base holds.
async fn agreed(client: &Client, name: &str) -> Value {
    let ask = json!({"worker": name, "accepted_dirty_base": ["*"]});
    let shown = client.fails("codex_worker_integrate", ask, "preview_required").await;
    json!({"worker": name, "preview_token": shown["preview_token"], "accepted_dirty_base": ["*"],
           "idempotency_key": "once"})
}

/// Repeats a call until the base is not held by the recovery any more; the code of its error.
async fn refused(client: &Client, apply: &Value) -> String {
    for _ in 0..2000 {
        let outcome = client.call("codex_worker_integrate", apply.clone()).await;
        if outcome.code() != "repo_busy" {
            assert!(outcome.error, "{:#}", outcome.data);
            return outcome.code().to_owned();
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("the base stays busy");
}

/// Repeats a call until it is this one who holds the base, and not what the caller itself left.
async fn waits_for(client: &Client, apply: &Value, holder: &str) {
    for _ in 0..2000 {
        let busy = client.fails("codex_worker_integrate", apply.clone(), "repo_busy").await;
        if busy["holder"] == holder {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("never told of {holder}");
}

fn applies(bed: &Bed) -> String {
    format!("codex_worker_integrate of another patchbay (pid {})", bed.engine())
}

async fn remove(client: Client, name: &str) {
    let all = json!({"worker": name, "cleanup_workspace": true,
                     "discard_unintegrated_changes": true});
    client.ok("codex_worker_stop", all).await;
    client.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_neighbour_is_waited_for_and_outlived_and_its_recovery_harms_nobody() {
    let (mut first, mut second) = (Bed::new("neighbour-a").await, Bed::new("neighbour-b").await);
    second.repo = Repo { root: first.repo.root.clone() };
    let lib = |line: &str| format!("sed -i s/{line}/{}/ src/lib.txt", line.to_uppercase());
    let ada = with_worker(&mut first, "Ada", &format!("{}; echo a > a.txt", lib("one"))).await;
    let bob = with_worker(&mut second, "Bob", &format!("{}; echo b > b.txt", lib("three"))).await;
    let (by_ada, by_bob) = (agreed(&ada, "Ada").await, agreed(&bob, "Bob").await);

    // While the first one applies, the second one is told who does.
    first.hold("apply_journalled");
    let call = ada.abandon("codex_worker_integrate", by_ada.clone());
    first.reached("apply_journalled").await;
    let busy = bob.fails("codex_worker_integrate", by_bob.clone(), "repo_busy").await;
    assert_eq!(busy["holder"], applies(&first).as_str(), "{busy:#}");
    assert_eq!(busy["operation"], "apply a worker's result", "{busy:#}");

    // It dies in the middle; the second one goes on, and the first one comes back meanwhile.
    first.kill_server();
    call.await.unwrap();
    first.release("apply_journalled");
    second.hold("apply_journalled");
    let (applied, ada) = tokio::join!(bob.ok("codex_worker_integrate", by_bob.clone()), async {
        second.reached("apply_journalled").await;
        first.start();
        let ada = first.client(Era::Modern).await;
        waits_for(&ada, &by_ada, &applies(&second)).await;
        second.release("apply_journalled");
        ada
    });
    assert_eq!(applied["applied"], true, "{applied:#}");

    // What the first one had begun is taken back, since its file is another one now; then it is agreed to anew.
    assert_eq!(refused(&ada, &by_ada).await, "preview_stale");
    let held = |path: &str| first.repo.root.join(path).exists();
    assert_eq!(first.repo.read("src/lib.txt"), "one\ntwo\nTHREE\n");
    assert_eq!((first.repo.read("b.txt").as_str(), held("a.txt")), ("b\n", false));
    let mut anew = agreed(&ada, "Ada").await;
    anew["idempotency_key"] = json!("again");
    ada.ok("codex_worker_integrate", anew).await;
    assert_eq!(first.repo.read("src/lib.txt"), "ONE\ntwo\nTHREE\n");
    assert_eq!((first.repo.read("a.txt"), first.repo.read("b.txt")), ("a\n".into(), "b\n".into()));
    let again = bob.ok("codex_worker_integrate", by_bob).await;
    assert_eq!(again["idempotent_replay"], true, "{again:#}");
    assert_eq!(first.repo.git(&["diff", "--cached", "--name-only"]), "", "the index");
    remove(ada, "Ada").await;
    remove(bob, "Bob").await;
    second.finish().await;
    first.finish().await;
}
