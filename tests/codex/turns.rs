use crate::rig::{Rig, drain, report, run, sh, turn, until};
use patchbay::backend::{
    Attached, Backend, BackendError, Ending, ItemPhase, Sandbox, TurnEvent, TurnFailure,
};
use std::collections::BTreeMap;
use tokio::sync::mpsc;

fn command(phase: ItemPhase) -> impl Fn(&TurnEvent) -> bool {
    move |event| {
        matches!(event, TurnEvent::Item { kind, phase: p, .. }
            if kind == "commandExecution" && *p == phase)
    }
}

/// The journal keeps one of each (item, phase).
fn journal(events: &[TurnEvent]) -> BTreeMap<(String, bool), String> {
    let items = events.iter().filter_map(|event| match event {
        TurnEvent::Item { item_id, phase, kind, .. } => {
            Some(((item_id.clone(), *phase == ItemPhase::Completed), kind.clone()))
        }
        _ => None,
    });
    items.collect()
}

#[tokio::test]
async fn both_kinds_of_models_work_and_a_second_turn_knows_the_first() {
    let rig = Rig::new().await;
    let server = rig.server();
    for model in ["gpt-5.5", "gpt-6-sol"] {
        let mut spec = rig.thread(Sandbox::Worktree);
        spec.model = Some(model.to_owned());
        let (thread, events) = run(&server, &spec, &sh(&format!("echo {model} > {model}"))).await;
        assert_eq!(std::fs::read_to_string(rig.tree.join(model)).unwrap(), format!("{model}\n"));
        assert_eq!(events.iter().filter(|e| command(ItemPhase::Completed)(e)).count(), 1);
        assert_eq!(server.open_thread(&spec, Some(&thread)).await.unwrap(), thread);
        let (sink, mut rest) = mpsc::channel(64);
        server.start_turn(&thread, &spec, &turn("[[echoall]]"), sink).await.unwrap();
        let said = report(&drain(&mut rest).await);
        assert!(said.contains("[[sh:b64="), "no history in {said}");
    }
    rig.end().await;
}

#[tokio::test]
async fn the_menu_of_models_is_codexs_own() {
    let rig = Rig::new().await;
    let menu = rig.server().models().await.unwrap();
    assert_eq!(menu.agent_version, "0.169.0");
    assert!(menu.models.iter().any(|m| m.id == "gpt-5.5" && !m.efforts.is_empty()), "{menu:?}");
    rig.end().await;
}

#[tokio::test]
async fn an_interrupted_turn_leaves_no_process_and_closes_its_items() {
    let rig = Rig::new().await;
    let server = rig.server();
    let spec = rig.thread(Sandbox::Worktree);
    let thread = server.open_thread(&spec, None).await.unwrap();
    let (sink, mut events) = mpsc::channel(256);
    let id = server.start_turn(&thread, &spec, &turn(&sh("sleep 600")), sink).await.unwrap();
    until(&mut events, command(ItemPhase::Started)).await;
    server.interrupt(&thread, &id).await.unwrap();
    let rest = drain(&mut events).await;
    assert!(rest.iter().any(command(ItemPhase::Completed)), "{rest:?}");
    assert!(matches!(rest.last(), Some(TurnEvent::Ended(Ending::Interrupted))));
    assert!(events.recv().await.is_none(), "nothing follows an end");
    let again = server.interrupt(&thread, &id).await;
    assert!(matches!(again, Err(BackendError::NoActiveTurn)), "{again:?}");
    let tmp = patchbay::process::marked("TMPDIR", &rig.state.worktrees());
    assert_eq!(tmp, [], "a command is left");
    rig.end().await;
}

#[tokio::test]
async fn a_steered_message_reaches_the_running_turn() {
    let rig = Rig::new().await;
    let server = rig.server();
    let spec = rig.thread(Sandbox::Worktree);
    let thread = server.open_thread(&spec, None).await.unwrap();
    let (sink, mut events) = mpsc::channel(256);
    let id = server.start_turn(&thread, &spec, &turn("[[gate:name=g]]"), sink).await.unwrap();
    rig.model.wait_until(|asked| !asked.is_empty()).await;
    server.steer(&thread, &id, "trn_steer", "and this").await.unwrap();
    rig.model.open_gate("g");
    let said = report(&drain(&mut events).await);
    assert!(said.contains("and this"), "{said}");
    let late = server.steer(&thread, &id, "trn_late", "too late").await;
    assert!(matches!(late, Err(BackendError::NoActiveTurn)), "{late:?}");
    rig.end().await;
}

#[tokio::test]
async fn a_failed_turn_says_its_class() {
    let rig = Rig::new().await;
    let server = rig.server();
    let (_, events) = run(&server, &rig.thread(Sandbox::Worktree), "[[usage_limit]]").await;
    let Some(TurnEvent::Ended(Ending::Failed(TurnFailure { code, .. }))) = events.last() else {
        panic!("{events:?}");
    };
    assert_eq!(code, "usage_limit");
    rig.end().await;
}

#[tokio::test]
async fn a_turn_is_found_again_by_another_server_with_each_event_once() {
    let rig = Rig::new().await;
    let spec = rig.thread(Sandbox::Worktree);
    let server = rig.server();
    let thread = server.open_thread(&spec, None).await.unwrap();
    let brief = turn("[[many:n=6,sl=0.3]]");
    let (sink, mut events) = mpsc::channel(256);
    server.start_turn(&thread, &spec, &brief, sink).await.unwrap();
    let mut seen = until(&mut events, command(ItemPhase::Completed)).await;
    drop(server);

    let server = rig.server();
    let (sink, mut events) = mpsc::channel(256);
    let attached = server.attach(&thread, &spec, &brief, sink).await.unwrap();
    assert!(matches!(attached, Attached::Running { .. }), "{attached:?}");
    seen.extend(drain(&mut events).await);
    assert!(matches!(seen.last(), Some(TurnEvent::Ended(Ending::Completed))));

    let (sink, mut events) = mpsc::channel(256);
    let attached = server.attach(&thread, &spec, &brief, sink).await.unwrap();
    assert_eq!(attached, Attached::Ended);
    let record = journal(&drain(&mut events).await);
    assert_eq!(journal(&seen), record);
    assert_eq!(record.iter().filter(|(k, v)| k.1 && *v == "commandExecution").count(), 6);

    let (sink, _events) = mpsc::channel(4);
    let never = server.attach(&thread, &spec, &turn("[[answer]]"), sink).await.unwrap();
    assert_eq!(never, Attached::NeverTaken);
    rig.end().await;
}

#[tokio::test]
async fn after_a_lost_connection_a_running_message_is_marked_as_having_a_gap() {
    let rig = Rig::new().await;
    let spec = rig.thread(Sandbox::Worktree);
    let server = rig.server();
    let thread = server.open_thread(&spec, None).await.unwrap();
    let brief = turn("[[slow:words=40,d=0.1]]");
    let (sink, mut events) = mpsc::channel(256);
    server.start_turn(&thread, &spec, &brief, sink).await.unwrap();
    let is_piece = |event: &TurnEvent| matches!(event, TurnEvent::Delta { .. });
    let seen = until(&mut events, is_piece).await;
    assert!(matches!(seen.last(), Some(TurnEvent::Delta { gap: false, .. })), "{seen:?}");
    drop(server);

    let server = rig.server();
    let (sink, mut events) = mpsc::channel(256);
    server.attach(&thread, &spec, &brief, sink).await.unwrap();
    let rest = drain(&mut events).await;
    let gaps = rest.iter().filter_map(|event| match event {
        TurnEvent::Delta { gap, .. } => Some(*gap),
        _ => None,
    });
    let gaps: Vec<bool> = gaps.collect();
    assert_eq!(gaps.iter().filter(|gap| **gap).count(), 1, "{gaps:?}");
    assert!(gaps[0], "the first piece tells of the gap: {gaps:?}");
    assert!(report(&rest).starts_with("word word"), "the whole message replaces the pieces");
    rig.end().await;
}
