//! Codex, its settings or its socket change under running turns.

use crate::rig::{Rig, codex_that_says, drain, recorded, report, run, turn};
use patchbay::backend::{Attached, Backend, Ending, Sandbox, ThreadRef, ThreadSpec, TurnEvent};
use patchbay::codex::AppServer;
use patchbay::process::Identity;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use tokio::sync::mpsc;

const GATE: &str = "[[gate:name=g]]";

/// A turn that waits at the gate `g`.
struct AtGate {
    thread: ThreadRef,
    brief: patchbay::backend::TurnSpec,
    id: String,
    events: mpsc::Receiver<TurnEvent>,
}

async fn at_gate(rig: &Rig, server: &AppServer, spec: &ThreadSpec) -> AtGate {
    let asked = rig.model.requests().len();
    let thread = server.open_thread(spec, None).await.unwrap();
    let brief = turn(GATE);
    let (sink, events) = mpsc::channel(256);
    let id = server.start_turn(&thread, spec, &brief, sink).await.unwrap();
    rig.model.wait_until(|all| all.len() > asked).await;
    AtGate { thread, brief, id, events }
}

/// Opens another thread, which has to wait.
fn open_another(
    server: &Arc<AppServer>,
    spec: &ThreadSpec,
) -> tokio::task::JoinHandle<Result<ThreadRef, patchbay::backend::BackendError>> {
    let (server, spec) = (Arc::clone(server), spec.clone());
    tokio::spawn(async move { server.open_thread(&spec, None).await })
}

/// The turn at the gate goes on with its codex and can be steered, while another thread waits for the one
/// that is to be used now. Opens the gate; gives back the server, and the thread once it is open.
async fn waits_for_the_old(
    rig: &Rig,
    spec: &ThreadSpec,
    AtGate { thread, brief, id, .. }: &AtGate,
    old: &Identity,
) -> (Arc<AppServer>, ThreadRef) {
    let server = Arc::new(rig.server());
    let (sink, mut events) = mpsc::channel(256);
    let attached = server.attach(thread, spec, brief, sink).await.unwrap();
    assert_eq!(attached, Attached::Running { backend_turn_id: id.clone() });
    let another = open_another(&server, spec);
    server.steer(thread, id, "trn_steer", "STEERED").await.unwrap();
    rig.model.wait_until(|all| all.iter().any(|a| a.body.to_string().contains("STEERED"))).await;
    assert!(old.alive() && !another.is_finished(), "the new codex did not wait");
    rig.model.open_gate("g");
    let events = drain(&mut events).await;
    assert!(report(&events).contains("STEERED"), "{events:?}");
    assert!(matches!(events.last(), Some(TurnEvent::Ended(Ending::Completed))), "{events:?}");
    let another = another.await.unwrap().unwrap();
    assert!(!old.alive(), "two codex run side by side");
    (server, another)
}

#[tokio::test]
async fn new_settings_wait_until_the_turns_on_the_old_codex_are_over() {
    let mut rig = Rig::new().await;
    let spec = rig.thread(Sandbox::Worktree);
    let server = rig.server();
    let at = at_gate(&rig, &server, &spec).await;
    let old = recorded(&rig, "codex");
    drop(server);

    rig.config.reasoning_effort = Some("high".to_owned());
    let (server, another) = waits_for_the_old(&rig, &spec, &at, &old).await;
    assert_ne!(recorded(&rig, "codex"), old);
    let (sink, mut events) = mpsc::channel(64);
    server.start_turn(&another, &spec, &turn("[[answer]]"), sink).await.unwrap();
    drain(&mut events).await;
    let effort = rig.model.requests().last().unwrap().body["reasoning"]["effort"].clone();
    assert_eq!(effort, "high", "the new settings hold");
    // The thread of the old codex goes on with the new one.
    let again = server.open_thread(&spec, Some(&at.thread)).await.unwrap();
    assert_eq!(again.id, at.thread.id);
    rig.end().await;
}

#[tokio::test]
async fn an_upgraded_codex_waits_for_the_turns_of_the_old_one_and_takes_over_its_threads() {
    let mut rig = Rig::new().await;
    let spec = rig.thread(Sandbox::Worktree);
    let server = rig.server();
    let at = at_gate(&rig, &server, &spec).await;
    assert_eq!(at.thread.agent_version, "0.169.0");
    let old = recorded(&rig, "codex");
    drop(server);

    let place = rig.state.root().parent().unwrap().join("vendor");
    rig.config.bin = Some(codex_that_says(&place, "0.170.0", ""));
    let (server, another) = waits_for_the_old(&rig, &spec, &at, &old).await;
    assert_eq!(another.agent_version, "0.170.0");
    let again = server.open_thread(&spec, Some(&at.thread)).await.unwrap();
    assert_eq!((&again.id, again.agent_version.as_str()), (&at.thread.id, "0.170.0"));
    for thread in [another, again] {
        let (sink, mut events) = mpsc::channel(256);
        server.start_turn(&thread, &spec, &turn("[[answer]]"), sink).await.unwrap();
        let events = drain(&mut events).await;
        assert!(matches!(events.last(), Some(TurnEvent::Ended(Ending::Completed))), "{events:?}");
    }
    let last = rig.model.requests().last().unwrap().body.to_string();
    assert!(last.contains("STEERED"), "the old thread has its conversation: {last}");
    rig.end().await;
}

#[tokio::test]
async fn a_deleted_socket_keeps_the_open_connection_until_its_turns_are_over() {
    let rig = Rig::new().await;
    let spec = rig.thread(Sandbox::Worktree);
    let server = Arc::new(rig.server());
    let AtGate { thread, id, mut events, .. } = at_gate(&rig, &server, &spec).await;
    let old = recorded(&rig, "codex");
    let link = rig.state.run().join("codex.sock");
    std::fs::remove_file(std::fs::read_link(&link).unwrap()).unwrap();
    std::fs::remove_file(&link).unwrap();

    let another = open_another(&server, &spec);
    server.steer(&thread, &id, "trn_steer", "STEERED").await.unwrap();
    rig.model.wait_until(|all| all.iter().any(|a| a.body.to_string().contains("STEERED"))).await;
    assert!(old.alive() && !another.is_finished());
    rig.model.open_gate("g");
    assert!(report(&drain(&mut events).await).contains("STEERED"));
    another.await.unwrap().unwrap();
    assert!(!old.alive());
    let (_, events) = run(&server, &spec, "[[answer]]").await;
    assert!(matches!(events.last(), Some(TurnEvent::Ended(Ending::Completed))), "{events:?}");
    rig.end().await;
}

#[tokio::test]
async fn a_socket_that_somebody_else_put_there_is_not_spoken_to() {
    let rig = Rig::new().await;
    let spec = rig.thread(Sandbox::Worktree);
    let server = rig.server();
    let AtGate { thread, brief, id, .. } = at_gate(&rig, &server, &spec).await;
    drop(server);
    let place = rig.state.root().join("foreign");
    std::fs::create_dir(&place).unwrap();
    std::fs::set_permissions(&place, std::fs::Permissions::from_mode(0o700)).unwrap();
    let foreign = tokio::net::UnixListener::bind(place.join("s")).unwrap();
    let link = rig.state.run().join("codex.sock");
    std::fs::remove_file(&link).unwrap();
    std::os::unix::fs::symlink(place.join("s"), &link).unwrap();

    // The turn is followed over the real socket, which the sidecar noted.
    let server = rig.server();
    let (sink, mut events) = mpsc::channel(256);
    let attached = server.attach(&thread, &spec, &brief, sink).await.unwrap();
    assert_eq!(attached, Attached::Running { backend_turn_id: id });
    let (caller, _) = foreign.accept().await.unwrap();
    let mut said = [0_u8; 1];
    caller.readable().await.unwrap();
    assert_eq!(caller.try_read(&mut said).unwrap(), 0, "the foreign socket was spoken to");
    rig.model.open_gate("g");
    assert!(matches!(drain(&mut events).await.last(), Some(TurnEvent::Ended(Ending::Completed))));
    // What begins next replaces codex, and with it the foreign link.
    let old = recorded(&rig, "codex");
    run(&server, &spec, "[[answer]]").await;
    assert!(!old.alive());
    assert_ne!(std::fs::read_link(&link).unwrap(), place.join("s"));
    rig.end().await;
}
