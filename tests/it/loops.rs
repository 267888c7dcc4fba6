//! The main job, end to end, through every door and in both tool dialects.

use crate::support::{Bed, Client, Era, Step, script};
use serde_json::{Value, json};

/// A model with plain tools, and one that works in code mode.
const PLAIN: &str = "gpt-5.5";
const CODE: &str = "gpt-5.6-sol";

const EDIT: &[Step<'static>] = &[
    Step::Patch("*** Update File: src/lib.txt\n@@\n one\n-two\n+TWO\n three\n"),
    Step::Sh("printf 'made by shell\\n' > made.txt && rm README.md && chmod -x run.sh"),
    Step::Say("Changed two lines, made a file, removed one."),
];

async fn play(client: &Client, model: &str) {
    let started = client
        .ok(
            "codex_worker_start",
            json!({"name": "Ada", "brief": script("Do the edit.", EDIT), "model": model}),
        )
        .await;
    assert_eq!(started["name"], "Ada");
    let done = client.until("ada", &["idle", "failed"]).await;
    assert_eq!(done["state"], "idle", "{done:#}");

    let report =
        client.ok("codex_worker_inspect", json!({"worker": "Ada", "view": "report"})).await;
    assert!(report["report"].as_str().unwrap().contains("made a file"), "{report:#}");

    let changes =
        client.ok("codex_worker_inspect", json!({"worker": "Ada", "view": "changes"})).await;
    let mut paths: Vec<&str> = changes["changed_files"]
        .as_array()
        .unwrap()
        .iter()
        .map(|f| f["path"].as_str().unwrap())
        .collect();
    paths.sort_unstable();
    assert_eq!(paths, ["README.md", "made.txt", "run.sh", "src/lib.txt"], "{changes:#}");

    let diff = client
        .ok(
            "codex_worker_inspect",
            json!({"worker": "Ada", "view": "diff", "file_path": "src/lib.txt"}),
        )
        .await;
    let text = diff["diff"].as_str().unwrap();
    assert!(text.contains("-two") && text.contains("+TWO"), "{text}");

    let file = client
        .ok(
            "codex_worker_inspect",
            json!({"worker": "Ada", "view": "file", "file_path": "made.txt"}),
        )
        .await;
    assert!(file["text"].as_str().unwrap().contains("made by shell"), "{file:#}");
}

async fn integrate(client: &Client, worker: &str) -> Value {
    let shown =
        client.fails("codex_worker_integrate", json!({"worker": worker}), "preview_required").await;
    let token = shown["preview_token"].as_str().expect("a token").to_owned();
    client.ok("codex_worker_integrate", json!({"worker": worker, "preview_token": token})).await
}

fn check_base(bed: &Bed) {
    assert_eq!(bed.repo.read("src/lib.txt"), "one\nTWO\nthree\n");
    assert_eq!(bed.repo.read("made.txt"), "made by shell\n");
    assert!(!bed.repo.root.join("README.md").exists());
    let status = bed.repo.git(&["status", "--porcelain"]);
    assert_eq!(status, " D README.md\n M run.sh\n M src/lib.txt\n?? made.txt\n");
    assert_eq!(bed.repo.git(&["rev-list", "--count", "HEAD"]).trim(), "1", "no commit in the base");
}

async fn over_http(name: &str, era: Era, model: &str) {
    let mut bed = Bed::new(name).await;
    bed.start();
    let client = bed.client(era).await;
    let ready = client.ok("codex_self_test", json!({})).await;
    assert_eq!(ready["ready"], true, "{ready:#}");
    let before = bed.repo.git(&["status", "--porcelain"]);
    play(&client, model).await;
    assert_eq!(
        bed.repo.git(&["status", "--porcelain"]),
        before,
        "the base changed before the apply"
    );
    let applied = integrate(&client, "Ada").await;
    assert_eq!(applied["applied"], true, "{applied:#}");
    check_base(&bed);
    client.ok("codex_worker_stop", json!({"worker": "Ada", "cleanup_workspace": true})).await;
    assert!(bed.worktrees_on_disk().is_empty(), "the worktree is gone");
    client.close().await;
    bed.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_loop_over_http_legacy_in_code_mode() {
    over_http("loop-legacy-code", Era::Legacy, CODE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_loop_over_http_modern_in_code_mode() {
    over_http("loop-modern-code", Era::Modern, CODE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_loop_over_http_legacy_with_plain_tools() {
    over_http("loop-legacy-plain", Era::Legacy, PLAIN).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_loop_over_http_modern_with_plain_tools() {
    over_http("loop-modern-plain", Era::Modern, PLAIN).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_loop_over_stdio_as_engine() {
    let bed = Bed::new("loop-stdio").await;
    let (client, mut child) = bed.stdio().await;
    play(&client, CODE).await;
    let applied = integrate(&client, "Ada").await;
    assert_eq!(applied["applied"], true, "{applied:#}");
    check_base(&bed);
    client.close().await;
    let status = child.wait().await.unwrap();
    assert!(status.success(), "stdio ended with {status}: {}", bed.server_log());
    bed.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_loop_over_stdio_as_relay_of_a_running_engine() {
    let mut bed = Bed::new("loop-relay").await;
    bed.start();
    let (client, mut child) = bed.stdio().await;
    play(&client, PLAIN).await;
    let http = bed.client(Era::Legacy).await;
    let seen = http.ok("codex_worker_list", json!({"scope": "all"})).await;
    assert_eq!(seen["workers"][0]["name"], "Ada", "both doors lead to one engine");
    integrate(&client, "Ada").await;
    check_base(&bed);
    http.close().await;
    client.close().await;
    child.wait().await.unwrap();
    bed.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_workers_at_once_in_one_repository() {
    let mut bed = Bed::new("two-workers").await;
    bed.start();
    let client = bed.client(Era::Modern).await;
    // Both wait for one gate, which the test opens when both turns are there: they do run at once.
    let brief = |mine: &str| {
        script(
            "Write your file.",
            &[
                Step::Sh(&format!("echo {mine} > {mine}.txt")),
                Step::Gate("both"),
                Step::Sh(&format!("echo more >> {mine}.txt")),
                Step::Say(&format!("{mine} done")),
            ],
        )
    };
    for name in ["left", "right"] {
        client.ok("codex_worker_start", json!({"name": name, "brief": brief(name)})).await;
    }
    bed.model.wait_until(|asked| asked.iter().filter(|a| a.step == 1).count() >= 2).await;
    bed.model.open_gate("both");
    for name in ["left", "right"] {
        let done = client.until(name, &["idle", "failed"]).await;
        assert_eq!(done["state"], "idle", "{done:#}");
    }
    for name in ["left", "right"] {
        integrate(&client, name).await;
    }
    assert_eq!(bed.repo.read("left.txt"), "left\nmore\n");
    assert_eq!(bed.repo.read("right.txt"), "right\nmore\n");
    client.close().await;
    bed.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_follow_up_goes_on_in_the_same_conversation() {
    let mut bed = Bed::new("follow-up").await;
    bed.start();
    let client = bed.client(Era::Legacy).await;
    let first = script("First.", &[Step::Sh("echo 1 > n.txt"), Step::Say("first done")]);
    client.ok("codex_worker_start", json!({"name": "Bo", "brief": first, "model": PLAIN})).await;
    client.until("Bo", &["idle"]).await;
    integrate(&client, "Bo").await;
    let second = client
        .ok(
            "codex_worker_message",
            json!({"worker": "Bo", "message": "What was said? [[echoall]]"}),
        )
        .await;
    assert_eq!(second["accepted"], true, "{second:#}");
    client.until("Bo", &["idle", "failed"]).await;
    let report = client.ok("codex_worker_inspect", json!({"worker": "Bo", "view": "report"})).await;
    let words = report["report"].as_str().unwrap();
    assert!(words.contains("first done"), "the thread's history is there: {words}");
    assert_eq!(report["model"], PLAIN, "the model is inherited");
    let third = script("Third.", &[Step::Sh("echo 2 >> n.txt"), Step::Say("third done")]);
    client.ok("codex_worker_message", json!({"worker": "Bo", "message": third})).await;
    client.until("Bo", &["idle", "failed"]).await;
    integrate(&client, "Bo").await;
    assert_eq!(bed.repo.read("n.txt"), "1\n2\n", "the second apply brings only what is new");
    client.close().await;
    bed.finish().await;
}
