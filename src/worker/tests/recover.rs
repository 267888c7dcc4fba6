use super::super::fake::{Plan, Stage};
use super::*;
use crate::backend::{Ending, TurnEvent};
use crate::store::TurnState;
use serde_json::json;

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
async fn a_turn_that_the_agent_never_took_is_queued_again_however_often() {
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
    stage.run();
    let third = stage.given().await;
    assert_ne!(second.message.client_id, third.message.client_id);
    assert_eq!(
        third.message.text, first.message.text,
        "nothing was begun, so nothing is continued"
    );
    third.end(Ending::Completed).await;
    stage.until(&ada, WorkerState::Idle).await;
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
    assert!(look.report().contains("codex_worker_message"), "{}", look.report());
    assert_eq!(look.messaging(), Messaging::Ready);
    assert_eq!(look.facts.turn.unwrap().state, TurnState::Interrupted);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_turn_that_broke_off_stays_interrupted_where_the_operator_wants_to_be_asked() {
    let mut stage = Stage::new().await;
    let mut config = crate::config::Config::default();
    config.workers.resume_interrupted = crate::config::ResumeInterrupted::Ask;
    stage.config = std::sync::Arc::new(config);
    stage.crash().await;
    stage.run();
    let ada = stage.start("Ada").await;
    let first = stage.given().await;
    first.say("m1", "half of it").await;
    first.end(Ending::Interrupted).await;
    let look = stage.until(&ada, WorkerState::Interrupted).await;
    let report = look.report();
    assert!(report.contains("half of it") && report.contains("codex_worker_message"), "{report}");
    stage.send(&ada, "go on", None).await.unwrap();
    let second = stage.given().await;
    assert_eq!(second.message.text, "go on");
    second.end(Ending::Completed).await;
    stage.until(&ada, WorkerState::Idle).await;
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
