use super::super::fake::{Plan, Stage};
use super::*;
use crate::backend::{Ask, AskKind, Ending, TurnEvent, TurnFailure, Verdict};
use crate::ids::WorkerId;
use crate::store::{Decision, TurnState};
use serde_json::json;

fn failed(code: &str, resets_at: Option<i64>) -> Ending {
    let (code, message) = (code.to_owned(), format!("codex says {code}"));
    Ending::Failed(TurnFailure { code, message, resets_at })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_used_up_limit_holds_everybody_until_its_time_and_the_turn_goes_on() {
    let mut stage = Stage::timed().await;
    let ada = stage.start("Ada").await;
    let turn = stage.given().await;
    turn.say("m1", "half of it").await;
    turn.end(failed("usage_limit", Some(stage.clock.now_ms() + 60_000))).await;
    let look = stage.until(&ada, WorkerState::WaitingLimit).await;
    let hold = look.hold.clone().unwrap();
    assert!(hold.known && hold.until.is_some(), "{hold:?}");
    assert!(look.report().contains("half of it"), "{}", look.report());
    assert!(look.report().contains("codex says usage_limit"), "{}", look.report());
    let bob = stage.start("Bob").await;
    let look = stage.until(&bob, WorkerState::WaitingLimit).await;
    assert_eq!(look.hold.unwrap().until, hold.until, "the account's limit is Bob's too");
    let queued = stage.workers.queue(&bob).await.unwrap();
    assert_eq!(queued.len(), 1, "what has not begun can still be edited: {queued:?}");
    stage.workers.edit_queued(&bob, queued[0].id.as_str(), "other words").await.unwrap();
    stage.crash().await;
    assert_eq!(stage.workers.recover().await.unwrap(), 0, "a held turn is nobody's");
    stage.run();
    assert_eq!(stage.workers.look(&ada).await.unwrap().worker().state, WorkerState::WaitingLimit);
    stage.clock.advance(60_000);
    let (mut again, mut next) = (stage.given().await, stage.given().await);
    if again.spec.worker != ada.id {
        std::mem::swap(&mut again, &mut next);
    }
    assert!(again.message.text.contains("usage limit"), "{}", again.message.text);
    assert!(!again.message.text.contains("brief of Ada"), "it is not told its task twice");
    assert_ne!(again.message.client_id, turn.message.client_id);
    assert_eq!((&next.spec.worker, next.message.text.as_str()), (&bob.id, "other words"));
    again.say("m2", "all of it").await;
    again.end(Ending::Completed).await;
    let look = stage.until(&ada, WorkerState::Idle).await;
    assert_eq!(look.report(), "all of it");
    assert_eq!(look.facts.turn.as_ref().unwrap().error_code, None);
    next.end(Ending::Completed).await;
    stage.until(&bob, WorkerState::Idle).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_without_a_time_is_tried_again_after_the_operators_wait() {
    let mut stage = Stage::timed().await;
    let ada = stage.start("Ada").await;
    // A time that has passed is as good as none: trying at once would burn tries.
    for resets_at in [None, Some(stage.clock.now_ms() - 1), Some(i64::MAX)] {
        stage.given().await.end(failed("usage_limit", resets_at)).await;
        let hold = stage.until(&ada, WorkerState::WaitingLimit).await.hold.unwrap();
        assert!(!hold.known);
        assert_eq!(hold.until.unwrap() - hold.since, 600_000, "{hold:?}");
        stage.clock.advance(600_000);
    }
    stage.given().await.end(Ending::Completed).await;
    stage.until(&ada, WorkerState::Idle).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_login_waits_for_another_one_or_a_message() {
    let mut stage = Stage::timed().await;
    let ada = stage.start("Ada").await;
    stage.given().await.end(failed("unauthorized", None)).await;
    let look = stage.until(&ada, WorkerState::NeedsLogin).await;
    assert_eq!(look.login_file.as_deref(), Some(std::path::Path::new("/home/auth.json")));
    assert!(look.report().contains("codex login"), "{}", look.report());
    let bob = stage.start("Bob").await;
    stage.until(&bob, WorkerState::NeedsLogin).await;
    assert_eq!(stage.renewed(), 0);
    *stage.fake.login.lock().unwrap() = "two".to_owned();
    let (mut again, mut other) = (stage.given().await, stage.given().await);
    if again.spec.worker != ada.id {
        std::mem::swap(&mut again, &mut other);
    }
    assert_eq!(stage.renewed(), 1, "the agent reads the login when it starts");
    assert!(again.message.text.contains("log in"), "{}", again.message.text);
    other.end(Ending::Completed).await;
    stage.until(&bob, WorkerState::Idle).await;
    again.end(failed("unauthorized", None)).await;
    stage.until(&ada, WorkerState::NeedsLogin).await;
    stage.send(&ada, "try it", Some(Delivery::Queue)).await.unwrap();
    stage.given().await.end(Ending::Completed).await;
    assert_eq!(stage.renewed(), 2);
    assert_eq!(stage.given().await.message.text, "try it");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_held_turn_is_stopped_without_a_question() {
    let mut stage = Stage::timed().await;
    let ada = stage.start("Ada").await;
    let turn = stage.given().await;
    turn.say("m1", "half of it").await;
    turn.end(failed("usage_limit", None)).await;
    stage.until(&ada, WorkerState::WaitingLimit).await;
    let stopped = stage.workers.stop(&ada, StopRequest::default()).await.unwrap();
    assert!(stopped.stopped);
    let look = stage.workers.look(&ada).await.unwrap();
    assert_eq!(look.worker().state, WorkerState::Idle);
    assert!(look.report().contains("half of it"), "{}", look.report());
}

#[tokio::test(flavor = "multi_thread")]
async fn only_a_turn_that_is_silent_for_long_is_stopped_without_a_question() {
    let mut stage = Stage::timed().await;
    let ada = stage.start("Ada").await;
    let turn = stage.given().await;
    stage.until(&ada, WorkerState::Running).await;
    stage.clock.advance(400_000);
    let (item_id, text) = ("c1".to_owned(), "tick".to_owned());
    turn.send(TurnEvent::Delta { item_id, text, gap: false }).await;
    turn.say("m1", "still here").await;
    while stage.workers.look(&ada).await.unwrap().latest_message.is_none() {
        tokio::task::yield_now().await;
    }
    let asked = stage.workers.stop(&ada, StopRequest::default()).await.unwrap_err();
    assert!(
        matches!(&asked, WorkerError::ConfirmStop { elapsed_s: 400.., quiet_s: 0..300, .. }),
        "it is old, but not silent: {asked:?}"
    );
    stage.clock.advance(400_000);
    let stopped = stage.workers.stop(&ada, StopRequest::default()).await.unwrap();
    assert!(stopped.stopped);
}

fn ask(key: &str) -> TurnEvent {
    TurnEvent::Ask(Ask {
        key: key.to_owned(),
        item_id: "i1".to_owned(),
        kind: AskKind::Command,
        payload: json!({ "command": "rm -r /", "reason": "why not" }),
    })
}

impl Stage {
    fn renewed(&self) -> usize {
        self.fake.renewed.load(std::sync::atomic::Ordering::SeqCst)
    }

    fn waits_for(&self, key: &str) {
        self.fake.asks.lock().unwrap().push((key.to_owned(), None));
    }

    fn told(&self) -> Vec<Option<Verdict>> {
        self.fake.asks.lock().unwrap().iter().map(|(_, told)| *told).collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_decision_that_cannot_be_told_now_is_told_when_it_is_asked_again() {
    let mut stage = Stage::timed().await;
    let ada = stage.start("Ada").await;
    let turn = stage.given().await;
    turn.send(ask("k1")).await;
    stage.until(&ada, WorkerState::WaitingApproval).await;
    let asked = stage.workers.approvals(&ada).await.unwrap();
    let id = asked[0].id.to_string();
    let (yes, no) = (Decision::Accept, Decision::Decline);
    let decided = stage.workers.decide(&ada, &id, yes, &super::super::fake::caller()).await;
    assert!(!decided.unwrap().delivered, "the connection is gone");
    stage.fake.plan(Plan::Running);
    turn.send(TurnEvent::Lost).await;
    let turn = stage.given().await;
    stage.waits_for("k1");
    turn.send(ask("k1")).await;
    stage.until(&ada, WorkerState::Running).await;
    assert_eq!(stage.told(), [Some(Verdict::Accept)]);
    // The answer was lost on the way: the same question gets the same answer.
    stage.waits_for("k1");
    turn.send(ask("k1")).await;
    stage.waits_for("k2");
    turn.send(ask("k2")).await;
    let look = stage.until(&ada, WorkerState::WaitingApproval).await;
    assert_eq!(stage.told(), [Some(Verdict::Accept), Some(Verdict::Accept), None]);
    assert_eq!(look.open_approvals.len(), 1, "another question of the item has its own row");
    let again = stage.workers.decide(&ada, &id, no, &super::super::fake::caller()).await;
    assert_eq!(again.unwrap_err().code(), "already_decided");
    let bob = WorkerId::mint(&stage.clock);
    let foreign = crate::store::WorkerRow { id: bob, ..ada.clone() };
    let other = stage.workers.decide(&foreign, &id, yes, &super::super::fake::caller()).await;
    assert_eq!(other.unwrap_err().code(), "approval_unknown");
    turn.send(TurnEvent::Declined { request: "item/tool/requestUserInput".to_owned() }).await;
    turn.send(TurnEvent::Unasked { key: "k2".to_owned() }).await;
    stage.until(&ada, WorkerState::Running).await;
    turn.end(Ending::Completed).await;
    let look = stage.until(&ada, WorkerState::Idle).await;
    assert_eq!(look.facts.turn.unwrap().state, TurnState::Completed);
    let log = stage.workers.log(&ada, 0, 1000).await.unwrap();
    let mut phases: Vec<&str> =
        log.iter().filter(|e| e.kind == "approval").map(|e| e.phase.as_str()).collect();
    // It goes another way than the rows.
    let noted = phases.iter().position(|phase| *phase == "declined").map(|at| phases.remove(at));
    assert_eq!(noted, Some("declined"));
    assert_eq!(phases, ["requested", "decided", "delivered", "requested", "withdrawn"]);
}
