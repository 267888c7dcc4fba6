//! Checks of a merged result, in codex's own sandbox, and what their receipts hold for.

use crate::support::{Bed, Client, Era, Step, Victim, script};
use serde_json::{Value, json};

const PLAIN: &str = "gpt-5.5";

/// SHA-256 of "seen" and a newline.
const SEEN: &str = "47a8dea66db04a6f2a18b6e27ef53a56f2122c0733e67f3908f1485fe1d4547f";

/// A started server with these checks, and a worker whose result can be applied.
async fn checked(name: &str, checks: &str) -> (Bed, Client) {
    let mut bed = Bed::new(name).await;
    bed.configure(&format!("checks:\n{checks}"));
    bed.start();
    let client = bed.client(Era::Modern).await;
    let work = script("Work.", &[Step::Sh("echo worker > new.txt"), Step::Say("Done.")]);
    client.ok("codex_worker_start", json!({"name": "Ada", "brief": work, "model": PLAIN})).await;
    client.until("Ada", &["idle"]).await;
    (bed, client)
}

fn with(checks: &[&str], token: &Value) -> Value {
    let mut args = json!({"worker": "Ada", "checks": checks});
    if !token.is_null() {
        args["preview_token"] = token.clone();
    }
    args
}

async fn receipts(client: &Client) -> Value {
    client.ok("codex_worker_inspect", json!({"worker": "Ada", "view": "receipt"})).await
}

/// Directories of checks that exist.
fn throwaways(bed: &Bed) -> Vec<String> {
    let repos = std::fs::read_dir(bed.state.join("worktrees")).into_iter().flatten().flatten();
    let inside =
        repos.flat_map(|repo| std::fs::read_dir(repo.path()).into_iter().flatten().flatten());
    let paths = inside.map(|entry| entry.path().to_string_lossy().into_owned());
    paths.filter(|path| path.contains("/rcp_")).collect()
}

fn worktrees(bed: &Bed) -> usize {
    bed.repo.git(&["worktree", "list"]).lines().count()
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_applied_without_a_green_receipt_of_exactly_this() {
    let checks = "  commands:\n    good: test \"$(cat new.txt base.txt)\" = \"$(printf 'worker\\nbase')\"\n    \
                  bad: echo seen; echo wrong >&2; exit 3\n  require_checks: [good]\n";
    let (bed, client) = checked("receipts", checks).await;
    let ada = json!({"worker": "Ada"});
    let shown = client.fails("codex_worker_integrate", ada.clone(), "preview_required").await;
    let token = &shown["preview_token"];
    let bare = client.fails("codex_worker_integrate", with(&[], token), "checks_required").await;
    assert_eq!(bare["missing_checks"], json!(["good"]), "{bare:#}");
    let unknown = with(&["echo pwned"], &Value::Null);
    let unknown = client.fails("codex_worker_integrate", unknown, "unknown_check").await;
    assert_eq!(unknown["checks"], json!(["bad", "good"]), "{unknown:#}");
    let red =
        client.fails("codex_worker_integrate", with(&["bad", "good"], token), "checks_failed");
    let red = red.await["receipt"].clone();
    assert_eq!((&red["state"], &red["checks"][0]["exit_code"]), (&json!("red"), &json!(3)));
    assert_eq!(red["checks"][0]["output"], "seen\nwrong\n", "{red:#}");
    assert_eq!(red["checks"][1]["outcome"], "failed", "the base has no base.txt yet: {red:#}");
    assert_eq!(red["checks"][0]["stdout_sha256"], SEEN, "{red:#}");
    bed.repo.write("base.txt", "base\n");
    let good = with(&["good"], &Value::Null);
    let green = client.fails("codex_worker_integrate", good.clone(), "preview_required").await;
    assert_eq!(green["receipts"][0]["state"], "green", "{green:#}");
    assert_eq!(green["receipts"].as_array().unwrap().len(), 1, "the red one was of another base");
    // What is asked for again is known already.
    let again = client.fails("codex_worker_integrate", good, "preview_required").await;
    assert_eq!(again["receipts"], green["receipts"]);
    bed.repo.write("base.txt", "base moved\n");
    let stale = with(&[], &green["preview_token"]);
    client.fails("codex_worker_integrate", stale.clone(), "checks_required").await;
    let failed = with(&["good"], &green["preview_token"]);
    client.fails("codex_worker_integrate", failed, "checks_failed").await;
    assert!(!bed.repo.root.join("new.txt").exists());
    bed.repo.write("base.txt", "base\n");
    let applied = client.ok("codex_worker_integrate", stale).await;
    assert_eq!(applied["receipts"], green["receipts"]);
    assert_eq!(applied["tree_after"], applied["receipts"][0]["merged_tree"], "{applied:#}");
    assert_eq!(applied["tree_before"], applied["receipts"][0]["base_tree"]);
    assert_eq!(bed.repo.read("new.txt"), "worker\n");
    let all = receipts(&client).await;
    let states: Vec<&Value> =
        all["receipts"].as_array().unwrap().iter().map(|receipt| &receipt["state"]).collect();
    assert_eq!(states, ["red", "green", "red"], "{all:#}");
    assert_eq!((throwaways(&bed), worktrees(&bed)), (vec![], 2));
    client.close().await;
    bed.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_writes_nothing_but_its_worktree_and_knows_no_secret() {
    let escape = "  commands:\n    escape: (echo x > $BASE/escaped); (echo x > $HOME/escaped);
      (echo x > /tmp/patchbay-escaped); (echo x > $BASE/.git/escaped); cat $BASE/../state/token;
      (exec 3<>/dev/tcp/127.0.0.1/80) ; env; echo x > inside && echo x > $TMPDIR/inside && rm .git &&
      git init -q . && echo all\n";
    let base = Bed::new("receipts-escape").await;
    let root = base.repo.root.to_string_lossy().into_owned();
    base.finish().await;
    let (bed, client) = checked("receipts-escape", &escape.replace("$BASE", &root)).await;
    let done = with(&["escape"], &Value::Null);
    let done = client.fails("codex_worker_integrate", done, "preview_required").await;
    let check = &done["receipts"][0]["checks"][0];
    let said = check["output"].as_str().unwrap();
    assert!(said.contains("\nall\n") || said.contains("all\n"), "{said}");
    for secret in [bed.token().as_str(), "PATCHBAY_", "SCRIPTED_KEY"] {
        assert!(!said.contains(secret), "{secret}: {said}");
    }
    assert!(!said.contains("/rcp_"), "{said}");
    for place in [bed.repo.root.clone(), bed.repo.root.join(".git"), bed.dir.join("home")] {
        assert!(!place.join("escaped").exists(), "{place:?}");
    }
    assert!(!std::path::Path::new("/tmp/patchbay-escaped").exists());
    assert_eq!((throwaways(&bed), worktrees(&bed)), (vec![], 2));
    client.close().await;
    bed.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_that_takes_too_long_is_ended_with_all_that_it_started() {
    let checks = "  timeout_seconds: 1\n  commands:\n    slow: setsid sleep 600 & sleep 600\n";
    let (bed, client) = checked("receipts-slow", checks).await;
    let slow = with(&["slow"], &Value::Null);
    let red = client.fails("codex_worker_integrate", slow, "checks_failed").await;
    assert_eq!(red["receipt"]["checks"][0]["outcome"], "timed_out", "{red:#}");
    bed.sees("the end of its processes", || {
        !bed.processes().iter().any(|process| process.contains("sleep 600"))
    })
    .await;
    assert_eq!((throwaways(&bed), worktrees(&bed)), (vec![], 2));
    client.close().await;
    bed.finish().await;
}

const ENDLESS: &str = "  commands:\n    endless: touch begun; sleep 600\n    good: cat new.txt\n";

/// Begins a check that does not end, and waits until it runs.
async fn endless(bed: &Bed) {
    let call = with(&["endless"], &Value::Null);
    drop(bed.client(Era::Modern).await.abandon("codex_worker_integrate", call));
    bed.sees("the check at work", || {
        throwaways(bed).iter().any(|dir| std::path::Path::new(dir).join("tree/begun").exists())
    })
    .await;
}

async fn killed(victim: Victim) {
    let name = format!("receipts-{victim:?}").to_lowercase();
    let (mut bed, client) = checked(&name, ENDLESS).await;
    client.close().await;
    endless(&bed).await;
    bed.kill(victim).await;
    bed.sees("the end of its processes", || {
        !bed.processes().iter().any(|process| process.contains("sleep 600"))
    })
    .await;
    if victim.has_server() {
        bed.start();
    }
    bed.sees("the end of its worktree", || throwaways(&bed).is_empty()).await;
    let client = bed.client(Era::Modern).await;
    let mut broken = receipts(&client).await;
    while broken["receipts"][0]["state"] == "running" {
        broken = receipts(&client).await;
    }
    assert_eq!(broken["receipts"][0]["state"], "broken", "{broken:#}");
    assert_eq!(worktrees(&bed), 2);
    let good = with(&["good"], &Value::Null);
    let good = client.fails("codex_worker_integrate", good, "preview_required").await;
    assert_eq!(good["receipts"][0]["checks"][0]["output"], "worker\n", "{good:#}");
    client.close().await;
    bed.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_dies_with_the_server_and_leaves_nothing() {
    killed(Victim::Server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_dies_with_codex_and_leaves_nothing() {
    killed(Victim::Codex).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_ends_with_the_program() {
    let (mut bed, client) = checked("receipts-stop", ENDLESS).await;
    client.close().await;
    endless(&bed).await;
    bed.stop();
    assert_eq!((throwaways(&bed), worktrees(&bed)), (vec![], 2));
    bed.finish().await;
}
