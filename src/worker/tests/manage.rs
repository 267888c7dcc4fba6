use super::super::fake::{Stage, caller};
use super::*;
use crate::backend::Ending;
use serde_json::json;
use std::sync::atomic::Ordering::SeqCst;

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
