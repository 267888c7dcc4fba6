//! A store that lost something, and a second one that writes the same repository.

use crate::support::{Bed, Era, Step, script};
use patchbay::clock::Clock;
use patchbay::git::{Git, Repo as GitRepo};
use patchbay::lock::Locks;
use patchbay::paths::{Env, StateDir};
use patchbay::store::Store;
use serde_json::{Value, json};

const PLAIN: &str = "gpt-5.5";

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_was_cut_short_is_refused_and_never_begun_anew() {
    let mut bed = Bed::new("cut-short").await;
    bed.start();
    let client = bed.client(Era::Modern).await;
    client.ok("codex_worker_start", json!({"name": "Ada", "brief": "[[answer]]"})).await;
    client.until("Ada", &["idle"]).await;
    client.close().await;
    bed.stop();
    let db = bed.state.join("store.db");
    let whole = std::fs::read(&db).unwrap();
    for (length, code) in
        [(0, "store_cut_short"), (whole.len() / 2, "store_damaged"), (4096, "store_damaged")]
    {
        std::fs::write(&db, &whole[..length]).unwrap();
        let out = bed.patchbay(&["start", "--port", "0", "--json"]).output().unwrap();
        let said: Value = serde_json::from_slice(&out.stdout).unwrap();
        assert_eq!(
            (out.status.code(), &said["error"]["code"]),
            (Some(1), &json!(code)),
            "{said:#}"
        );
        assert!(
            said["error"]["hint"].as_str().unwrap().contains("Nothing was changed"),
            "{said:#}"
        );
        assert_eq!(std::fs::read(&db).unwrap(), whole[..length], "the file was written");
    }
    std::fs::write(&db, &whole).unwrap();
    bed.start();
    let client = bed.client(Era::Modern).await;
    let all = client.ok("codex_worker_list", json!({"scope": "all"})).await;
    assert_eq!(all["workers"][0]["name"], "Ada", "{all:#}");
    client.close().await;
    bed.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_state_directory_that_writes_the_repository_is_seen() {
    let mut bed = Bed::new("two-states").await;
    bed.start();
    let client = bed.client(Era::Legacy).await;
    let brief = script("Write.", &[Step::Sh("echo x > x.txt"), Step::Say("done")]);
    client.ok("codex_worker_start", json!({"name": "Ada", "brief": brief, "model": PLAIN})).await;
    client.until("Ada", &["idle"]).await;

    let other = StateDir::open(&bed.dir.join("other")).unwrap();
    let store = Store::open(&other.store_db(), Clock::system()).await.unwrap();
    let repo = GitRepo::open(&Git::new(&Env::from_process()), &bed.repo.root).await.unwrap();
    let locks = Locks::new(store.clone(), &other, Clock::system());
    let held = locks.acquire(&repo, "somebody", None, "apply").await.unwrap();

    let shown =
        client.fails("codex_worker_integrate", json!({"worker": "Ada"}), "preview_required").await;
    let apply = json!({"worker": "Ada", "preview_token": shown["preview_token"]});
    let busy = client.fails("codex_worker_integrate", apply.clone(), "repo_busy").await;
    assert!(busy["holder"].is_string() && busy["operation"] == "apply", "{busy:#}");
    assert!(!bed.repo.root.join("x.txt").exists());
    held.release().await.unwrap();
    client.ok("codex_worker_integrate", apply).await;
    assert_eq!(bed.repo.read("x.txt"), "x\n");
    store.close().await;
    client.close().await;
    bed.finish().await;
}
