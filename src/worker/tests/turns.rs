use super::super::fake::{Stage, repository};
use super::*;
use crate::backend::Ending;
use crate::store::{Verified, WorkerFilter};
use std::sync::atomic::Ordering::SeqCst;

#[tokio::test(flavor = "multi_thread")]
async fn a_turn_goes_from_brief_to_report_and_snapshot() {
    let mut stage = Stage::new().await;
    std::fs::write(stage.repo.root.join("dirty.txt"), "x").unwrap();
    let request = stage.request("Ada", WorkerMode::IsolatedWrite);
    let started = stage.workers.start(request).await.unwrap();
    assert_eq!(started.base_dirty, Some(1));
    assert_eq!(started.worker.state, WorkerState::Queued);
    let turn = stage.given().await;
    assert_eq!(turn.message.text, "brief of Ada");
    assert!(turn.spec.cwd.starts_with(stage.state.root()));
    assert!(!turn.spec.cwd.join("dirty.txt").exists(), "uncommitted edits are not seen");
    let look = stage.until(&started.worker, WorkerState::Running).await;
    assert_eq!(look.messaging(), Messaging::Steers);
    std::fs::write(turn.spec.cwd.join("a.txt"), "two\n").unwrap();
    std::fs::write(turn.spec.cwd.join("b.txt"), "new\n").unwrap();
    turn.say("m1", "first words").await;
    turn.say("m2", "the report").await;
    turn.end(Ending::Completed).await;
    let look = stage.until(&started.worker, WorkerState::Idle).await;
    assert_eq!(look.report(), "the report");
    assert!(look.has_changes(), "the snapshot is there when the state is");
    assert_eq!(look.integration(), IntegrationState::NotIntegrated);
    let changes = stage.workers.changes(look.worker(), ChangeBase::Integrated).await.unwrap();
    let paths: Vec<String> = changes.list.iter().map(|c| c.path.lossy()).collect();
    assert_eq!(paths, ["a.txt", "b.txt"]);
    let diff = changes.diff(&[&changes.list[0]], 10_000).await.unwrap();
    assert!(String::from_utf8(diff.text).unwrap().contains("+two"));
    assert_eq!(
        stage.states(&started.worker).await,
        ["queued", "preparing", "running", "completed"]
    );
    assert_eq!(std::fs::read_to_string(stage.repo.root.join("a.txt")).unwrap(), "one\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn names_are_unique_in_a_repository_whatever_their_case() {
    let stage = Stage::new().await;
    let ada = stage.start("Ada").await;
    let clash = stage.workers.start(stage.request(" ADA ", WorkerMode::ReadOnly)).await;
    assert!(matches!(&clash, Err(WorkerError::NameTaken(row)) if row.id == ada.id), "{clash:?}");
    let mut request = stage.request("ada", WorkerMode::ReadOnly);
    request.auto_suffix = true;
    let second = stage.workers.start(request).await.unwrap().worker;
    assert!(second.name.starts_with("ada 20"), "{}", second.name);
    let other =
        repository(&stage.git, stage.dir.path().canonicalize().unwrap().join("other")).await;
    let mut request = stage.request("Ada", WorkerMode::ReadOnly);
    request.repo = other.clone();
    let third = stage.workers.start(request).await.unwrap().worker;
    let found = stage.workers.find("aDa", None).await;
    assert!(matches!(found, Err(WorkerError::Ambiguous { .. })), "{found:?}");
    assert_eq!(stage.workers.find("aDa", Some(&other.key)).await.unwrap().id, third.id);
    assert_eq!(stage.workers.find(ada.id.as_str(), Some(&other.key)).await.unwrap().id, ada.id);
    assert_eq!(stage.workers.find("Bo", None).await.unwrap_err().code(), "worker_unknown");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repository_without_a_commit_is_refused() {
    let stage = Stage::new().await;
    let root = stage.dir.path().canonicalize().unwrap().join("empty");
    std::fs::create_dir_all(&root).unwrap();
    stage.git.run(&root, "init").arg("-q").ok().await.unwrap();
    let mut request = stage.request("Ada", WorkerMode::IsolatedWrite);
    request.repo = crate::git::Repo::open(&stage.git, &root).await.unwrap();
    assert_eq!(stage.workers.start(request).await.unwrap_err().code(), "no_commit");
    let all = stage.workers.list(&WorkerFilter::default(), 10).await.unwrap();
    assert!(all.is_empty(), "nothing was stored");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_more_turns_run_at_once_than_the_operator_says() {
    let mut stage = Stage::new().await;
    let most = stage.config.server.max_concurrent_turns as usize;
    let mut workers = Vec::new();
    for n in 0..=most {
        workers.push(stage.start(&format!("w{n}")).await);
    }
    let mut turns = Vec::new();
    for worker in &workers[..most] {
        turns.push(stage.given().await);
        stage.until(worker, WorkerState::Running).await;
    }
    let last = stage.workers.look(&workers[most]).await.unwrap();
    assert_eq!(last.worker().state, WorkerState::Queued);
    turns[0].end(Ending::Completed).await;
    assert_eq!(stage.given().await.message.text, format!("brief of w{most}"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rejected_configuration_runs_no_turn() {
    let stage = Stage::new().await;
    stage.fake.broken.store(true, SeqCst);
    let ada = stage.start("Ada").await;
    let look = stage.until(&ada, WorkerState::Failed).await;
    let row = look.facts.turn.as_ref().unwrap();
    assert_eq!(row.error_code.as_deref(), Some("codex_config_rejected"));
    assert!(look.report().contains("a key is missing"), "{}", look.report());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_works_in_the_base_and_what_changes_there_is_seen() {
    let mut stage = Stage::new().await;
    let mut verified = Vec::new();
    for (name, touch) in [("calm", false), ("storm", true)] {
        let request = stage.request(name, WorkerMode::ReadOnly);
        let worker = stage.workers.start(request).await.unwrap().worker;
        let turn = stage.given().await;
        assert_eq!(turn.spec.cwd, stage.repo.root);
        if touch {
            std::fs::write(stage.repo.root.join("a.txt"), "changed\n").unwrap();
        }
        turn.end(Ending::Completed).await;
        let look = stage.until(&worker, WorkerState::Idle).await;
        verified.push(look.facts.turn.as_ref().unwrap().verified);
        assert_eq!(look.integration(), IntegrationState::NothingToIntegrate);
        let none = stage.workers.changes(look.worker(), ChangeBase::Start).await;
        assert_eq!(none.unwrap_err().code(), "no_snapshot");
    }
    assert_eq!(verified, [Some(Verified::Unchanged), Some(Verified::Changed)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wait_returns_with_the_change() {
    let mut stage = Stage::new().await;
    let nobody = stage.workers.wait(&WaitQuery::default(), LONG).await.unwrap();
    assert!(!nobody.happened && nobody.took < Duration::from_secs(5), "{nobody:?}");
    let ada = stage.start("Ada").await;
    let turn = stage.given().await;
    stage.until(&ada, WorkerState::Running).await;
    let from = stage.workers.revision();
    let query = WaitQuery { since: Some(from), ..WaitQuery::default() };
    let short = Duration::from_millis(50);
    let nothing = stage.workers.wait(&query, short).await.unwrap();
    assert!(!nothing.happened && nothing.took >= short, "{nothing:?}");
    let (waited, ()) = tokio::join!(stage.workers.wait(&query, LONG), turn.say("m", "news"));
    let waited = waited.unwrap();
    assert!(waited.happened && waited.took < LONG / 2, "{waited:?}");
    let again = stage.workers.wait(&query, LONG).await.unwrap();
    assert!(again.took < LONG / 2, "what happened before the call counts");
    let idle = WaitQuery { until: Until::Idle, ..WaitQuery::default() };
    let (idle, ()) = tokio::join!(stage.workers.wait(&idle, LONG), turn.end(Ending::Completed));
    let idle = idle.unwrap();
    assert!(idle.happened && idle.active == 0, "{idle:?}");
}
