use super::fake::{Plan, Stage, caller, repository};
use super::*;
use crate::backend::{Ending, TurnEvent};
use crate::store::{TurnState, Verified, WorkerFilter, WorkerMode, WorkerRow, WorkerState};
use serde_json::json;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

const LONG: Duration = Duration::from_secs(20);

impl Stage {
    fn request(&self, name: &str, mode: WorkerMode) -> StartRequest {
        StartRequest {
            repo: self.repo.clone(),
            name: name.to_owned(),
            brief: format!("brief of {name}"),
            mode,
            model: None,
            effort: None,
            auto_suffix: false,
            caller: caller(),
        }
    }

    async fn start(&self, name: &str) -> WorkerRow {
        let request = self.request(name, WorkerMode::IsolatedWrite);
        self.workers.start(request).await.unwrap().worker
    }

    async fn message(&self, worker: &WorkerRow, text: &str) -> Result<Delivered, WorkerError> {
        self.send(worker, text, None).await
    }

    async fn send(
        &self,
        worker: &WorkerRow,
        text: &str,
        delivery: Option<Delivery>,
    ) -> Result<Delivered, WorkerError> {
        let text = text.to_owned();
        let request =
            MessageRequest { text, delivery, model: None, effort: None, caller: caller() };
        self.workers.message(worker, request).await
    }

    async fn until(&self, worker: &WorkerRow, state: WorkerState) -> Look {
        let mut changed = self.store.watch();
        let waiting = async {
            loop {
                changed.mark_unchanged();
                let look = self.workers.look(worker).await.unwrap();
                if look.worker().state == state {
                    return look;
                }
                changed.changed().await.unwrap();
            }
        };
        match tokio::time::timeout(LONG, waiting).await {
            Ok(look) => look,
            Err(_) => panic!("never {state:?}: {:?}", self.workers.look(worker).await.unwrap()),
        }
    }

    async fn states(&self, worker: &WorkerRow) -> Vec<String> {
        let log = self.workers.log(worker, 0, 1000).await.unwrap();
        log.into_iter().filter(|e| e.kind == "state").map(|e| e.phase).collect()
    }
}

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
async fn a_busy_worker_is_steered_and_what_it_never_saw_is_queued() {
    let mut stage = Stage::new().await;
    let ada = stage.start("Ada").await;
    let turn = stage.given().await;
    stage.until(&ada, WorkerState::Running).await;
    for text in ["seen", "unseen"] {
        let sent = stage.message(&ada, text).await.unwrap();
        assert!(matches!(sent, Delivered::Steered { .. }), "{sent:?}");
    }
    assert_eq!(stage.fake.steered(), ["seen", "unseen"]);
    turn.item("u1", "userMessage", json!({ "content": [{ "text": "seen" }] })).await;
    stage.fake.steerable.store(false, SeqCst);
    let refused = stage.send(&ada, "late", Some(Delivery::Steer)).await;
    assert_eq!(refused.unwrap_err().code(), "not_steerable");
    let queued = stage.message(&ada, "late").await.unwrap();
    assert!(matches!(&queued, Delivered::Queued { why: Some(_), .. }), "{queued:?}");
    turn.end(Ending::Completed).await;
    let next = stage.given().await;
    assert_eq!(next.message.text, "late", "it was queued first");
    next.end(Ending::Completed).await;
    let last = stage.given().await;
    assert_eq!(last.message.text, "unseen");
    last.end(Ending::Completed).await;
    stage.until(&ada, WorkerState::Idle).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn follow_ups_inherit_model_and_effort_and_can_be_edited_while_they_wait() {
    let mut stage = Stage::new().await;
    let mut request = stage.request("Ada", WorkerMode::IsolatedWrite);
    (request.model, request.effort) = (Some("m-1".to_owned()), Some("low".to_owned()));
    let ada = stage.workers.start(request).await.unwrap().worker;
    let turn = stage.given().await;
    let mut ids = Vec::new();
    for (text, model) in [("two", None), ("three", Some("m-2")), ("four", None), ("five", None)] {
        let request = MessageRequest {
            text: text.to_owned(),
            delivery: Some(Delivery::Queue),
            model: model.map(str::to_owned),
            effort: None,
            caller: caller(),
        };
        let row = stage.workers.find("Ada", None).await.unwrap();
        match stage.workers.message(&row, request).await.unwrap() {
            Delivered::Queued { turn, .. } => ids.push(turn.id.to_string()),
            steered => panic!("{steered:?}"),
        }
    }
    stage.workers.edit_queued(&ada, &ids[2], "four, edited").await.unwrap();
    stage.workers.cancel_queued(&ada, &ids[3]).await.unwrap();
    let again = stage.workers.cancel_queued(&ada, &ids[3]).await;
    assert_eq!(again.unwrap_err().code(), "not_queued");
    turn.end(Ending::Completed).await;
    for (text, model) in [("two", "m-1"), ("three", "m-2"), ("four, edited", "m-2")] {
        let turn = stage.given().await;
        assert_eq!(turn.message.text, text);
        assert_eq!(turn.message.model.as_deref(), Some(model));
        assert_eq!(turn.message.effort.as_deref(), Some("low"));
        turn.end(Ending::Completed).await;
    }
    stage.until(&ada, WorkerState::Idle).await;
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
async fn a_young_turn_is_stopped_only_by_force_and_its_words_are_kept() {
    let mut stage = Stage::new().await;
    let ada = stage.start("Ada").await;
    let turn = stage.given().await;
    turn.say("m1", "half of it").await;
    stage.until(&ada, WorkerState::Running).await;
    stage.send(&ada, "waits", Some(Delivery::Queue)).await.unwrap();
    let refused = stage.workers.stop(&ada, StopRequest::default()).await.unwrap_err();
    assert_eq!(refused.code(), "confirmation_required");
    assert_eq!(stage.workers.look(&ada).await.unwrap().worker().state, WorkerState::Running);
    let force =
        StopRequest { force: true, reason: Some("wrong way".to_owned()), ..Default::default() };
    let stopped = stage.workers.stop(&ada, force.clone()).await.unwrap();
    assert!(stopped.stopped);
    assert_eq!(stopped.cancelled, 1);
    let look = stage.workers.look(&ada).await.unwrap();
    assert_eq!(look.worker().state, WorkerState::Idle);
    let report = look.report();
    assert!(report.contains("wrong way") && report.contains("half of it"), "{report}");
    let again = stage.workers.stop(&ada, force).await.unwrap();
    assert!(!again.stopped, "an idle worker has nothing to stop");
    stage.message(&ada, "go on").await.unwrap();
    assert_eq!(stage.given().await.message.text, "go on");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cleanup_asks_before_it_discards_and_frees_the_name() {
    let mut stage = Stage::new().await;
    let ada = stage.start("Ada").await;
    let turn = stage.given().await;
    let tree = turn.spec.cwd.clone();
    std::fs::write(tree.join("b.txt"), "new\n").unwrap();
    turn.end(Ending::Completed).await;
    let ada = stage.until(&ada, WorkerState::Idle).await.worker().clone();
    let clean = StopRequest { cleanup: true, ..Default::default() };
    let refused = stage.workers.stop(&ada, clean.clone()).await.unwrap_err();
    assert!(
        matches!(&refused, WorkerError::ConfirmDiscard { paths, .. } if paths == &["b.txt"]),
        "{refused:?}"
    );
    assert!(tree.exists());
    let discard = StopRequest { discard: true, ..clean };
    let stopped = stage.workers.stop(&ada, discard).await.unwrap();
    let kept = stopped.removed.unwrap().snapshot.unwrap();
    assert!(!tree.exists());
    let file = stage.repo.file_at(&kept.tree, &crate::git::GitPath::from("b.txt")).await.unwrap();
    assert_eq!(file.unwrap().bytes, b"new\n", "the last snapshot is kept");
    let archived = stage.workers.find("ada", None).await.unwrap();
    assert_eq!(archived.id, ada.id, "it can still be looked at");
    assert_eq!(stage.message(&archived, "hello?").await.unwrap_err().code(), "worker_archived");
    let next = stage.start("ADA").await;
    assert_eq!(stage.workers.find("ada", None).await.unwrap().id, next.id, "the live one first");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_turn_goes_on_after_the_engine_died() {
    let mut stage = Stage::new().await;
    let ada = stage.start("Ada").await;
    let turn = stage.given().await;
    turn.say("m1", "before").await;
    let mut look = stage.until(&ada, WorkerState::Running).await;
    while look.latest_message.is_none() {
        look = stage.workers.look(&ada).await.unwrap();
    }
    stage.crash().await;
    stage.fake.plan(Plan::Running);
    assert_eq!(stage.workers.recover().await.unwrap(), 1);
    let turn = stage.given().await;
    turn.say("m1", "before").await;
    turn.say("m2", "after").await;
    turn.end(Ending::Completed).await;
    let look = stage.until(&ada, WorkerState::Idle).await;
    assert_eq!(look.report(), "after");
    let log = stage.workers.log(&ada, 0, 100).await.unwrap();
    let messages: Vec<(&str, &str)> = log
        .iter()
        .filter(|e| e.kind == "agentMessage")
        .map(|e| (e.item_id.as_str(), e.phase.as_str()))
        .collect();
    assert_eq!(
        messages,
        [("m1", "started"), ("m1", "completed"), ("m2", "started"), ("m2", "completed")]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_turn_that_ended_while_nobody_looked_is_settled() {
    let mut stage = Stage::new().await;
    let ada = stage.start("Ada").await;
    let turn = stage.given().await;
    stage.until(&ada, WorkerState::Running).await;
    stage.crash().await;
    std::fs::write(turn.spec.cwd.join("b.txt"), "new\n").unwrap();
    // More events than fit into the sink: they must be taken while attach still runs.
    let mut events: Vec<TurnEvent> = (0..3000)
        .map(|n| TurnEvent::Item {
            item_id: format!("i{n}"),
            phase: crate::backend::ItemPhase::Completed,
            kind: "agentMessage".to_owned(),
            payload: json!({ "text": format!("message {n}") }),
        })
        .collect();
    events.push(TurnEvent::Ended(Ending::Completed));
    stage.fake.plan(Plan::Ended(events));
    stage.workers.recover().await.unwrap();
    let look = stage.until(&ada, WorkerState::Idle).await;
    assert_eq!(look.report(), "message 2999");
    assert!(look.has_changes());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_turn_that_the_agent_never_took_is_queued_again_once() {
    let mut stage = Stage::new().await;
    let ada = stage.start("Ada").await;
    let first = stage.given().await;
    stage.until(&ada, WorkerState::Running).await;
    stage.crash().await;
    stage.fake.plan(Plan::NeverTaken);
    stage.workers.recover().await.unwrap();
    stage.run();
    let second = stage.given().await;
    assert_ne!(first.message.client_id, second.message.client_id, "a new try has a new client id");
    assert!(second.message.text.contains("brief of Ada"));
    stage.until(&ada, WorkerState::Running).await;
    stage.crash().await;
    stage.fake.plan(Plan::NeverTaken);
    stage.workers.recover().await.unwrap();
    let look = stage.until(&ada, WorkerState::Interrupted).await;
    assert!(look.report().contains("interrupted"), "{}", look.report());
    assert_eq!(look.messaging(), Messaging::Ready);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_dies_gets_the_turn_once_more_and_is_told_so() {
    let mut stage = Stage::new().await;
    let ada = stage.start("Ada").await;
    let first = stage.given().await;
    stage.until(&ada, WorkerState::Running).await;
    first.end(Ending::Interrupted).await;
    let second = stage.given().await;
    assert!(second.message.text.starts_with("Your last turn was interrupted"));
    assert!(second.message.text.ends_with("brief of Ada"));
    second.end(Ending::Interrupted).await;
    let look = stage.until(&ada, WorkerState::Interrupted).await;
    assert_eq!(look.facts.turn.unwrap().state, TurnState::Interrupted);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_connection_is_made_again_and_a_lost_turn_is_called_interrupted() {
    let mut stage = Stage::new().await;
    let ada = stage.start("Ada").await;
    let turn = stage.given().await;
    stage.until(&ada, WorkerState::Running).await;
    stage.fake.plan(Plan::Running);
    turn.send(TurnEvent::Lost).await;
    let turn = stage.given().await;
    turn.say("m1", "still here").await;
    stage.fake.plan(Plan::Fails);
    turn.send(TurnEvent::Lost).await;
    let look = stage.until(&ada, WorkerState::Interrupted).await;
    let row = look.facts.turn.as_ref().unwrap();
    assert_eq!(row.error_code.as_deref(), Some("codex_refused"));
    assert!(look.report().contains("still here"), "{}", look.report());
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

#[tokio::test(flavor = "multi_thread")]
async fn stopping_the_engine_ends_its_turns_and_leaves_the_queue() {
    let mut stage = Stage::new().await;
    let ada = stage.start("Ada").await;
    let _turn = stage.given().await;
    stage.until(&ada, WorkerState::Running).await;
    stage.send(&ada, "later", Some(Delivery::Queue)).await.unwrap();
    stage.workers.shutdown(false).await;
    let look = stage.workers.look(&ada).await.unwrap();
    let row = look.facts.turn.as_ref().unwrap();
    assert_eq!(row.state, TurnState::Interrupted);
    assert_eq!(row.error_code.as_deref(), Some("engine_stopped"));
    assert_eq!(look.worker().queued, 1);
    stage.crash().await;
    stage.workers.recover().await.unwrap();
    stage.run();
    assert_eq!(stage.given().await.message.text, "later", "what waited runs at the next start");
}

#[tokio::test(flavor = "multi_thread")]
async fn keeping_turns_leaves_them_to_the_next_engine() {
    let mut stage = Stage::new().await;
    let ada = stage.start("Ada").await;
    let _turn = stage.given().await;
    stage.until(&ada, WorkerState::Running).await;
    stage.workers.shutdown(true).await;
    let look = stage.workers.look(&ada).await.unwrap();
    assert_eq!(look.worker().state, WorkerState::Running);
}
