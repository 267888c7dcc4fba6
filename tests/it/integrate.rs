//! Bringing work into the base, with the real codex.

use crate::support::{Bed, Era, Step, script};
use serde_json::json;

const PLAIN: &str = "gpt-5.5";

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_merges_the_conflicts_that_it_is_sent() {
    let mut bed = Bed::new("send-conflicts").await;
    bed.start();
    let client = bed.client(Era::Modern).await;
    let work = "printf 'one\\nworker\\nthree\\n' > src/lib.txt; echo new > new.txt";
    // The base's side is found where the message says that it lies; a copy shows that it was there.
    let merge = "base=$(echo $TMPDIR/conflicts-*/base) && cp $base/src/lib.txt seen.txt && \
                 printf 'one\\nbase and worker\\nthree\\n' > src/lib.txt";
    let steps = [
        Step::Sh(work),
        Step::Say("Written."),
        Step::NextMessage,
        Step::Sh(merge),
        Step::Say("Merged."),
    ];
    let start = json!({"name": "Ada", "brief": script("Work.", &steps), "model": PLAIN});
    client.ok("codex_worker_start", start).await;
    client.until("Ada", &["idle"]).await;
    bed.repo.write("src/lib.txt", "one\nbase\nthree\n");
    bed.repo.git(&["commit", "-qam", "the base's"]);
    let ada = json!({"worker": "Ada"});
    let torn = client.fails("codex_worker_integrate", ada.clone(), "not_applicable").await;
    assert_eq!(torn["conflicts"][0]["path"], "src/lib.txt", "{torn:#}");
    let send = json!({"worker": "Ada", "send_conflicts": true});
    let sent = client.ok("codex_worker_integrate", send.clone()).await;
    assert_eq!((&sent["applied"], &sent["conflicts_sent"]), (&json!(false), &json!(1)), "{sent:#}");
    let report =
        client.ok("codex_worker_inspect", json!({"worker": "Ada", "wait_seconds": 40})).await;
    assert_eq!((&report["state"], &report["turn"]["number"]), (&json!("idle"), &json!(2)));
    assert_eq!(report["report"], "Merged.", "{report:#}");
    assert_eq!(bed.repo.read("src/lib.txt"), "one\nbase\nthree\n");
    let shown = client.fails("codex_worker_integrate", ada, "preview_required").await;
    assert_eq!(shown["can_apply"], true, "{shown:#}");
    let apply = json!({"worker": "Ada", "preview_token": shown["preview_token"]});
    client.ok("codex_worker_integrate", apply).await;
    assert_eq!(bed.repo.read("src/lib.txt"), "one\nbase and worker\nthree\n");
    assert_eq!(bed.repo.read("new.txt"), "new\n");
    assert_eq!(bed.repo.read("seen.txt"), "one\nbase\nthree\n", "the worker had the base's side");
    client.fails("codex_worker_integrate", send, "no_conflicts").await;
    client.close().await;
    bed.finish().await;
}
