//! Each state of a worker, with the fact that proves it, reached with the real codex.

use crate::support::{Bed, Client, Era, Step, Victim, script};
use serde_json::{Value, json};
use std::path::Path;

const PLAIN: &str = "gpt-5.5";

async fn start(client: &Client, name: &str, brief: &str) {
    client.ok("codex_worker_start", json!({"name": name, "brief": brief, "model": PLAIN})).await;
}

async fn inspect(client: &Client, worker: &str) -> Value {
    client.ok("codex_worker_inspect", json!({"worker": worker, "wait_seconds": 45})).await
}

/// The states that the worker's turns went through.
async fn path(client: &Client, worker: &str) -> Vec<String> {
    let log = json!({"worker": worker, "view": "log", "limit": 500});
    let log = client.ok("codex_worker_inspect", log).await;
    let events = log["events"].as_array().unwrap().iter();
    events
        .filter(|e| e["kind"] == "state")
        .map(|e| e["phase"].as_str().unwrap().to_owned())
        .collect()
}

/// A filter that lets git wait until a file exists.
fn filter(bed: &Bed, kind: &str, go: &Path) {
    let wait = format!("sh -c 'until test -e {}; do sleep 0.05; done; cat'", go.display());
    bed.repo.git(&["config", &format!("filter.hold.{kind}"), &wait]);
}

#[tokio::test(flavor = "multi_thread")]
async fn queued_preparing_running_stopping_and_idle() {
    let mut bed = Bed::new("states").await;
    bed.configure("server:\n  max_concurrent_turns: 1\n");
    bed.repo.write(".gitattributes", "held.txt filter=hold\n");
    bed.repo.write("held.txt", "held\n");
    bed.repo.git(&["add", "-A"]);
    bed.repo.git(&["commit", "-q", "-m", "held"]);
    let (made, ended) = (bed.dir.join("made"), bed.dir.join("ended"));
    filter(&bed, "smudge", &made);
    bed.start();
    let client = bed.client(Era::Modern).await;
    let brief = script(
        "Work.",
        &[Step::Sh("echo half >> held.txt"), Step::Long("sleep 100"), Step::Say("never")],
    );
    start(&client, "Ada", &brief).await;
    // Its worktree cannot be made before the test says so.
    let seen = client.until("Ada", &["preparing"]).await;
    assert!(seen["state_details"]["since"].is_u64(), "{seen:#}");
    assert_eq!(seen["state_details"]["prepares"], "the worktree", "{seen:#}");
    start(&client, "Bob", "[[answer]]").await;
    let seen = client.until("Bob", &["queued"]).await;
    assert_eq!(seen["state_details"]["max_concurrent_turns"], 1, "{seen:#}");
    std::fs::write(&made, "").unwrap();
    client.until("Ada", &["running"]).await;
    bed.model.wait_until(|asked| asked.iter().any(|a| a.step == 1)).await;
    let running = async {
        loop {
            let seen = client.until("Ada", &["running"]).await;
            if seen["state_details"]["running_command"].is_string() {
                return seen;
            }
        }
    };
    let seen = running.await;
    let command = seen["state_details"]["running_command"].as_str().unwrap();
    assert!(command.contains("sleep 100"), "{seen:#}");
    // What it left cannot be recorded before the test says so.
    filter(&bed, "clean", &ended);
    let stop = json!({"worker": "Ada", "force": true, "reason": "enough"});
    let stopping = async {
        let seen = client.until("Ada", &["stopping"]).await;
        std::fs::write(&ended, "").unwrap();
        seen
    };
    let (stopped, seen) = tokio::join!(client.ok("codex_worker_stop", stop), stopping);
    assert_eq!(seen["state_details"]["reason"], "enough", "{seen:#}");
    assert_eq!(stopped["state"], "idle", "{stopped:#}");
    let last = &stopped["state_details"]["last_turn"];
    assert_eq!((&last["number"], &last["state"]), (&json!(1), &json!("cancelled")), "{stopped:#}");
    assert!(stopped["stopped_command"].as_str().unwrap().contains("sleep 100"), "{stopped:#}");
    assert_eq!(patchbay::process::marked("TMPDIR", &bed.state.join("worktrees")), []);
    let done = inspect(&client, "Bob").await;
    assert_eq!(done["state"], "idle", "{done:#}");
    assert!(done["state_details"]["since"].is_u64(), "{done:#}");
    let last = &done["state_details"]["last_turn"];
    assert_eq!(last["turn_id"], done["turn"]["turn_id"], "{done:#}");
    assert_eq!(last["state"], "completed", "{done:#}");
    assert_eq!(path(&client, "Bob").await, ["queued", "preparing", "running", "completed"]);
    client.close().await;
    bed.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_reaches_the_chat_in_codexs_words_and_an_end_of_the_server_is_told() {
    let mut bed = Bed::new("failed").await;
    bed.start();
    let client = bed.client(Era::Legacy).await;
    start(&client, "Ada", "[[err400:fails=9,code=bad_thing]]").await;
    let seen = client.until("Ada", &["failed"]).await;
    let words = "scripted 400 (attempt 1)";
    let said = seen["state_details"]["error_message"].as_str().unwrap();
    assert!(said.contains(words), "{seen:#}");
    let report = inspect(&client, "Ada").await;
    assert!(report["report"].as_str().unwrap().contains(words), "{report:#}");
    let team = client.call("codex_worker_status", json!({"scope": "all"})).await;
    assert!(team.text.contains(words), "{}", team.text);
    let team = client.call("codex_worker_wait", json!({"scope": "all", "wait_seconds": 0})).await;
    assert!(team.data.to_string().contains(words), "{:#}", team.data);
    let brief = script("Work.", &[Step::Sh("echo half > half.txt"), Step::Gate("never")]);
    start(&client, "Bob", &brief).await;
    bed.model.wait_until(|asked| asked.iter().any(|a| a.step == 1)).await;
    client.close().await;
    bed.stop();
    bed.start();
    let client = bed.client(Era::Legacy).await;
    let seen = client.until("Bob", &["interrupted"]).await;
    assert_eq!(seen["state_details"]["error_code"], "engine_stopped", "{seen:#}");
    assert_eq!(seen["has_changes"], true, "what it did is kept: {seen:#}");
    client.close().await;
    bed.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_used_up_limit_is_waited_for_and_the_turn_goes_on_where_it_stopped() {
    let mut bed = Bed::new("limit").await;
    bed.configure("server:\n  max_concurrent_turns: 1\n");
    bed.start();
    let client = bed.client(Era::Modern).await;
    let brief = script(
        "Work.",
        &[
            Step::Sh("echo one >> n.txt"),
            Step::Limit(2),
            Step::Sh("echo two >> n.txt"),
            Step::Say("both done"),
        ],
    );
    start(&client, "Ada", &brief).await;
    start(&client, "Bob", "[[answer]]").await;
    for worker in ["Ada", "Bob"] {
        let done = inspect(&client, worker).await;
        assert_eq!(done["state"], "idle", "{done:#}\n{}", bed.server_log());
    }
    let ada = path(&client, "Ada").await;
    let waited = ["running", "waiting_limit", "queued", "preparing", "running", "completed"];
    assert_eq!(ada[2..], waited, "{ada:?}");
    let bob = path(&client, "Bob").await;
    assert_eq!(bob[..3], ["queued", "waiting_limit", "queued"], "{bob:?}");
    let file = json!({"worker": "Ada", "view": "file", "file_path": "n.txt"});
    let file = client.ok("codex_worker_inspect", file).await;
    assert_eq!(file["text"], "one\ntwo\n", "nothing was done twice");
    let asked = bed.model.requests();
    let refused = asked.iter().position(|a| a.step == 1).unwrap();
    assert!(
        asked[refused + 1].at_ms / 1000 >= asked[refused].at_ms / 1000 + 2,
        "nobody asked before the reset"
    );
    assert_eq!(asked.len(), 5, "each step once, the refused one twice, and Bob's");
    client.close().await;
    bed.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_limit_shows_its_reset_outlives_a_restart_and_can_be_stopped() {
    let mut bed = Bed::new("longlimit").await;
    bed.start();
    let client = bed.client(Era::Legacy).await;
    let brief = script("Work.", &[Step::Sh("echo one >> n.txt"), Step::Limit(3000)]);
    start(&client, "Ada", &brief).await;
    let first = client.until("Ada", &["waiting_limit", "failed", "idle"]).await;
    let refused = bed.model.requests().last().unwrap().at_ms / 1000;
    assert_eq!(first["state_details"]["resets_at"], refused + 3000, "{first:#}");
    assert_eq!(first["state_details"]["reset_named_by_codex"], true, "{first:#}");
    let said = first["state_details"]["codex_said"].as_str().unwrap();
    assert!(said.contains("usage limit"), "{first:#}");
    assert_eq!(first["has_changes"], true, "what it did is kept: {first:#}");
    start(&client, "Bob", "[[answer]]").await;
    let bob = client.until("Bob", &["waiting_limit", "running", "idle"]).await;
    assert_eq!(bob["state_details"]["resets_at"], refused + 3000, "{bob:#}");
    client.close().await;
    bed.kill_server();
    bed.start();
    let client = bed.client(Era::Modern).await;
    let again = client.until("Ada", &["waiting_limit", "running", "interrupted", "idle"]).await;
    assert_eq!(again["state_details"], first["state_details"], "{again:#}");
    let out = bed.patchbay(&["worker", "stop", "Ada", "--json"]).output().unwrap();
    let said = String::from_utf8_lossy(&out.stdout).into_owned();
    assert!(out.status.success(), "{said}{}", String::from_utf8_lossy(&out.stderr));
    let stopped: Value = serde_json::from_str(&said).unwrap();
    assert_eq!((&stopped["stopped"], &stopped["state"]), (&json!(true), &json!("idle")));
    client.ok("codex_worker_stop", json!({"worker": "Bob"})).await;
    assert_eq!(bed.model.requests().len(), 2, "nobody burnt a try");
    client.close().await;
    bed.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_used_up_limit_is_waited_for_through_a_kill_of_all() {
    let mut bed = Bed::new("killedlimit").await;
    bed.start();
    let client = bed.client(Era::Modern).await;
    let first = Step::Sh("echo one >> n.txt");
    let second = Step::Sh("echo two >> n.txt");
    let brief = script("Work.", &[first, Step::Limit(10), second, Step::Say("both done")]);
    start(&client, "Ada", &brief).await;
    client.until("Ada", &["waiting_limit", "failed", "idle"]).await;
    client.close().await;
    bed.kill(Victim::All).await;
    assert_eq!(bed.model.requests().len(), 2, "it went on before anybody was killed");
    bed.start();
    let client = bed.client(Era::Legacy).await;
    let done = client.until("Ada", &["idle", "failed", "interrupted"]).await;
    assert_eq!(done["state"], "idle", "{done:#}\n{}", bed.server_log());
    let ada = path(&client, "Ada").await;
    let waited = ["running", "waiting_limit", "queued", "preparing", "running", "completed"];
    assert_eq!(ada[2..], waited, "{ada:?}");
    let report = inspect(&client, "Ada").await;
    assert!(report["report"].as_str().unwrap().contains("both done"), "{report:#}");
    let file = json!({"worker": "Ada", "view": "file", "file_path": "n.txt"});
    let file = client.ok("codex_worker_inspect", file).await;
    assert_eq!(file["text"], "one\ntwo\n", "nothing was done twice");
    let asked = bed.model.requests();
    assert!(asked[2].at_ms / 1000 >= asked[1].at_ms / 1000 + 10, "it asked before the reset");
    assert_eq!(asked.len(), 4, "each step once, the refused one twice");
    client.close().await;
    bed.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_login_says_where_it_is_and_goes_on_with_another_one() {
    let mut bed = Bed::new("login").await;
    let auth = bed.dir.join("home/.codex/auth.json");
    std::fs::create_dir_all(auth.parent().unwrap()).unwrap();
    let log_in = |key: &str| {
        let new = auth.with_extension("new");
        std::fs::write(&new, json!({ "OPENAI_API_KEY": key }).to_string()).unwrap();
        std::fs::rename(&new, &auth).unwrap();
    };
    log_in("sk-old");
    bed.model.accept_only("sk-new");
    let provider = format!(
        "codex:\n  extra_config: |\n    model_provider = \"mock\"\n    [model_providers.mock]\n    \
         name = \"mock\"\n    base_url = \"{}\"\n    wire_api = \"responses\"\n    \
         requires_openai_auth = true\n    supports_websockets = false\n    \
         request_max_retries = 1\n    stream_max_retries = 1\n",
        bed.model.base_url()
    );
    std::fs::write(bed.state.join("config.yaml"), provider).unwrap();
    bed.start();
    let client = bed.client(Era::Modern).await;
    start(&client, "Ada", "[[answer]] I need an account.").await;
    let seen = client.until("Ada", &["needs_login", "failed", "idle"]).await;
    let details = &seen["state_details"];
    assert_eq!(seen["state"], "needs_login", "{seen:#}\n{}", bed.server_log());
    assert_eq!(details["login_file"], auth.to_str().unwrap(), "{seen:#}");
    assert!(details["what_to_do"].as_str().unwrap().contains("codex login"), "{seen:#}");
    assert!(details["codex_said"].as_str().unwrap().contains("Incorrect API key"), "{seen:#}");
    start(&client, "Bob", "[[answer]] Me too.").await;
    client.until("Bob", &["needs_login"]).await;
    let tries = bed.model.requests().len();
    client.ok("codex_worker_message", json!({"worker": "Bob", "message": "[[answer]]?"})).await;
    bed.model.wait_until(|asked| asked.len() > tries).await;
    log_in("sk-new");
    for worker in ["Ada", "Bob"] {
        let done = client.until(worker, &["idle", "failed", "interrupted"]).await;
        assert_eq!(done["state"], "idle", "{done:#}\n{}", bed.server_log());
    }
    client.close().await;
    bed.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_turn_that_waits_for_another_codex_says_so() {
    let mut bed = Bed::new("states-drain").await;
    bed.start();
    let client = bed.client(Era::Modern).await;
    let brief = script("Work.", &[Step::Sh("true"), Step::Gate("old"), Step::Say("done")]);
    start(&client, "Ada", &brief).await;
    bed.model.wait_until(|asked| asked.iter().any(|a| a.step == 1)).await;
    client.close().await;
    bed.terminate();
    bed.configure("  reasoning_effort: high\n");
    bed.start();
    let client = bed.client(Era::Modern).await;
    start(&client, "Bob", "[[answer]]").await;
    let seen = loop {
        let seen = client.until("Bob", &["preparing"]).await;
        if seen["state_details"]["waits_for"].is_string() {
            break seen;
        }
    };
    assert!(seen["state_details"]["waits_for"].as_str().unwrap().contains("earlier settings"));
    bed.model.open_gate("old");
    for worker in ["Ada", "Bob"] {
        let done = client.until(worker, &["idle", "failed", "interrupted"]).await;
        assert_eq!(done["state"], "idle", "{done:#}");
        assert!(done["state_details"]["waits_for"].is_null(), "{done:#}");
    }
    client.close().await;
    bed.finish().await;
}
