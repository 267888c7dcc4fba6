use crate::rig::{Rig, drain, recorded, run, sh, turn, until};
use patchbay::backend::{Attached, Backend, BackendError, Ending, ItemPhase, Sandbox, TurnEvent};
use rustix::process::Signal;
use std::time::Duration;
use tokio::sync::mpsc;

fn command_began(event: &TurnEvent) -> bool {
    matches!(event, TurnEvent::Item { kind, phase: ItemPhase::Started, .. } if kind == "commandExecution")
}

#[tokio::test]
async fn a_configuration_that_codex_refuses_runs_no_turn_and_leaves_nothing() {
    let mut rig = Rig::new().await;
    rig.config.reasoning_effort = Some(String::new());
    let refused = rig.server().open_thread(&rig.thread(Sandbox::Worktree), None).await;
    assert!(matches!(refused, Err(BackendError::ConfigRejected(_))), "{refused:?}");
    rig.end().await;
}

#[tokio::test]
async fn closing_ends_codex_and_every_process_of_its_session() {
    let rig = Rig::new().await;
    let server = rig.server();
    let spec = rig.thread(Sandbox::Worktree);
    let thread = server.open_thread(&spec, None).await.unwrap();
    let (sink, mut events) = mpsc::channel(64);
    server.start_turn(&thread, &spec, &turn(&sh("sleep 600")), sink).await.unwrap();
    until(&mut events, command_began).await;
    assert_eq!(rig.store.processes().await.unwrap().len(), 2);
    let (codex, sidecar) = (recorded(&rig, "codex"), recorded(&rig, "sidecar"));
    server.close(false).await;
    let last = drain(&mut events).await.pop();
    assert!(matches!(last, Some(TurnEvent::Ended(Ending::Interrupted))), "{last:?}");
    assert!(!codex.alive());
    assert!(sidecar.ended_within(Duration::from_secs(5)).await);
    assert!(rig.store.processes().await.unwrap().is_empty());
    rig.end().await;
}

#[tokio::test]
async fn a_killed_sidecar_is_replaced_and_what_it_left_is_ended() {
    let rig = Rig::new().await;
    let server = rig.server();
    let spec = rig.thread(Sandbox::Worktree);
    let thread = server.open_thread(&spec, None).await.unwrap();
    let brief = turn(&sh("sleep 600"));
    let (sink, mut events) = mpsc::channel(64);
    server.start_turn(&thread, &spec, &brief, sink).await.unwrap();
    until(&mut events, command_began).await;
    let (codex, sidecar) = (recorded(&rig, "codex"), recorded(&rig, "sidecar"));
    sidecar.signal(Signal::KILL).unwrap();
    assert!(sidecar.ended_within(Duration::from_secs(5)).await);
    drop(server);

    let server = rig.server();
    let (sink, mut events) = mpsc::channel(64);
    let attached = server.attach(&thread, &spec, &brief, sink).await.unwrap();
    assert_eq!(attached, Attached::Ended);
    let last = drain(&mut events).await.pop();
    assert!(matches!(last, Some(TurnEvent::Ended(Ending::Interrupted))), "{last:?}");
    assert!(!codex.alive());
    assert_ne!(recorded(&rig, "codex"), codex);
    rig.end().await;
}

#[tokio::test]
async fn a_killed_codex_is_noticed_and_its_turn_is_interrupted() {
    let rig = Rig::new().await;
    let server = rig.server();
    let spec = rig.thread(Sandbox::Worktree);
    let thread = server.open_thread(&spec, None).await.unwrap();
    let brief = turn(&sh("sleep 600"));
    let (sink, mut events) = mpsc::channel(64);
    server.start_turn(&thread, &spec, &brief, sink).await.unwrap();
    until(&mut events, command_began).await;
    recorded(&rig, "codex").signal(Signal::KILL).unwrap();
    assert!(matches!(drain(&mut events).await.last(), Some(TurnEvent::Lost)));
    let (sink, mut events) = mpsc::channel(64);
    let attached = server.attach(&thread, &spec, &brief, sink).await.unwrap();
    assert_eq!(attached, Attached::Ended);
    let last = drain(&mut events).await.pop();
    assert!(matches!(last, Some(TurnEvent::Ended(Ending::Interrupted))), "{last:?}");
    rig.end().await;
}

#[tokio::test]
async fn a_codex_without_server_and_turn_is_ended_after_a_while() {
    let rig = Rig::new().await;
    let server = rig.server().idle_after(1);
    run(&server, &rig.thread(Sandbox::Worktree), "[[answer]]").await;
    let (codex, sidecar) = (recorded(&rig, "codex"), recorded(&rig, "sidecar"));
    drop(server);
    assert!(codex.ended_within(Duration::from_secs(20)).await);
    assert!(sidecar.ended_within(Duration::from_secs(20)).await);
    rig.end().await;
}

#[tokio::test]
async fn a_running_turn_keeps_codex_alive_without_a_server() {
    let rig = Rig::new().await;
    let server = rig.server().idle_after(1);
    let spec = rig.thread(Sandbox::Worktree);
    let thread = server.open_thread(&spec, None).await.unwrap();
    let brief = turn(&sh("sleep 4; echo slept"));
    let (sink, mut events) = mpsc::channel(64);
    server.start_turn(&thread, &spec, &brief, sink).await.unwrap();
    until(&mut events, command_began).await;
    let codex = recorded(&rig, "codex");
    drop(server);
    assert!(!codex.ended_within(Duration::from_secs(3)).await, "codex was ended under a turn");
    let server = rig.server().idle_after(1);
    let (sink, mut events) = mpsc::channel(64);
    server.attach(&thread, &spec, &brief, sink).await.unwrap();
    let events = drain(&mut events).await;
    assert!(crate::rig::report(&events).contains("slept"), "{events:?}");
    rig.end().await;
}

#[tokio::test]
async fn two_servers_share_one_codex() {
    let rig = Rig::new().await;
    let (one, two) = (rig.server(), rig.server());
    let spec = rig.thread(Sandbox::Worktree);
    let (a, b) = tokio::join!(one.open_thread(&spec, None), two.open_thread(&spec, None));
    assert_ne!(a.unwrap().id, b.unwrap().id);
    rig.end().await;
}

#[tokio::test]
async fn what_a_killed_sidecar_left_is_ended_without_a_new_one() {
    let rig = Rig::new().await;
    let server = rig.server();
    let spec = rig.thread(Sandbox::Worktree);
    let thread = server.open_thread(&spec, None).await.unwrap();
    let (sink, mut events) = mpsc::channel(64);
    server.start_turn(&thread, &spec, &turn(&sh("sleep 600")), sink).await.unwrap();
    until(&mut events, command_began).await;
    assert_eq!(patchbay::codex::sidecar::sweep_dead(&rig.state).await, 0, "a live one is kept");
    let sidecar = recorded(&rig, "sidecar");
    sidecar.signal(Signal::KILL).unwrap();
    assert!(sidecar.ended_within(Duration::from_secs(5)).await);
    patchbay::codex::sidecar::sweep_dead(&rig.state).await;
    assert_eq!(rig.left(), []);
    assert!(matches!(drain(&mut events).await.last(), Some(TurnEvent::Lost)));
    rig.end().await;
}
