//! A codex of another version than the tested one.

use crate::rig::{Rig, codex_that_breaks, codex_that_says, drain, run, turn};
use patchbay::backend::{Backend, BackendError, Ending, Sandbox, TurnEvent};
use patchbay::codex::end_sidecar;
use patchbay::process::marked;
use std::collections::BTreeSet;
use tokio::sync::mpsc;

fn code(refused: &BackendError) -> &str {
    match refused {
        BackendError::Unavailable { code, .. } => code,
        other => panic!("{other:?}"),
    }
}

fn probed(rig: &Rig) -> Vec<serde_json::Value> {
    let Ok(dir) = std::fs::read_dir(rig.state.root().join("probed")) else { return Vec::new() };
    dir.map(|e| serde_json::from_slice(&std::fs::read(e.unwrap().path()).unwrap()).unwrap())
        .collect()
}

#[tokio::test]
async fn an_unknown_codex_is_probed_once_and_then_works() {
    let mut rig = Rig::new().await;
    let ran = rig.state.root().join("ran");
    let line = format!("echo \"$1\" >> {}", ran.display());
    let place = rig.state.root().parent().unwrap().join("vendor");
    rig.config.bin = Some(codex_that_says(&place, "0.170.0", &line));
    let started = || {
        let text = std::fs::read_to_string(&ran).unwrap();
        text.lines().filter(|l| *l == "app-server").count()
    };
    let server = rig.server();
    let (thread, events) = run(&server, &rig.thread(Sandbox::Worktree), "[[answer]]").await;
    assert!(matches!(events.last(), Some(TurnEvent::Ended(Ending::Completed))), "{events:?}");
    assert_eq!(thread.agent_version, "0.170.0");
    assert_eq!(started(), 2, "one for the probe, one for work");
    let kept = probed(&rig);
    assert_eq!((kept.len(), &kept[0]["failed"]), (1, &serde_json::Value::Null), "{kept:?}");
    assert!(!rig.state.root().join("probe").exists(), "the probe leaves nothing");
    assert_eq!(rig.model.requests().len(), 1, "the probe asks a model of its own");
    server.close(false).await;
    run(&rig.server(), &rig.thread(Sandbox::Worktree), "[[answer]]").await;
    assert_eq!(started(), 3, "it is not probed again");
    end_sidecar(&rig.state).await;

    // The version says nothing about the bytes.
    std::fs::remove_dir_all(&place).unwrap();
    codex_that_says(&place, "0.170.0", &format!("{line}\n:"));
    run(&rig.server(), &rig.thread(Sandbox::Worktree), "[[answer]]").await;
    assert_eq!(started(), 5, "other bytes of the same version are probed");
    let digests: BTreeSet<String> = probed(&rig).iter().map(|p| p["digest"].to_string()).collect();
    assert_eq!(digests.len(), 2, "{digests:?}");
    rig.end().await;
}

#[tokio::test]
async fn an_unknown_codex_that_fails_a_step_gets_no_work() {
    let mut rig = Rig::new().await;
    let place = rig.state.root().parent().unwrap().join("vendor");
    // Whatever it is asked to run in its sandbox fails; patches still work.
    let line = "if [ \"$1\" = app-server ]; then shift; set -- app-server -c features.shell_tool=false \"$@\"; fi";
    rig.config.bin = Some(codex_that_says(&place, "0.171.0", line));
    let server = rig.server();
    assert_eq!(server.version().await.unwrap(), "0.171.0", "before the probe nothing is known");
    let refused = server.open_thread(&rig.thread(Sandbox::Worktree), None).await.unwrap_err();
    assert_eq!(code(&refused), "codex_probe_failed");
    assert!(refused.to_string().contains("at step command"), "{refused}");
    let BackendError::Unavailable { hint, .. } = &refused else { unreachable!() };
    assert!(hint.contains("patchbay install-codex"), "{hint}");
    assert_eq!(probed(&rig)[0]["failed"][0], "command");
    // Known by now: no new worker is accepted, and no second probe is made.
    assert_eq!(code(&rig.server().version().await.unwrap_err()), "codex_probe_failed");
    assert!(rig.model.requests().is_empty());
    rig.end().await;
}

#[tokio::test]
async fn each_step_that_an_unknown_codex_fails_is_named() {
    let mut rig = Rig::new().await;
    let vendors = rig.state.root().parent().unwrap().join("vendors");
    // Where a patch would put its file is a directory.
    let in_the_way = "if [ \"$1\" = app-server ]; then \
                      mkdir -p \"$CODEX_HOME/../worktrees/probe/tree/made.txt\"; fi";
    let broken = |step: &str| match step {
        "patch" => codex_that_says(&vendors.join(step), "0.172.0", in_the_way),
        "steer" => codex_that_breaks(&vendors.join(step), "0.172.0", "refuse", "turn/steer"),
        "interrupt" => {
            codex_that_breaks(&vendors.join(step), "0.172.0", "refuse", "turn/interrupt")
        }
        _ => codex_that_breaks(&vendors.join(step), "0.172.0", "garble", "The probe is answered."),
    };
    for step in ["patch", "steer", "answer", "interrupt"] {
        rig.config.bin = Some(broken(step));
        let server = rig.server();
        let refused = server.open_thread(&rig.thread(Sandbox::Worktree), None).await.unwrap_err();
        assert_eq!(code(&refused), "codex_probe_failed", "{step}: {refused}");
        assert!(refused.to_string().contains(&format!("at step {step}")), "{step}: {refused}");
        assert!(!rig.state.root().join("probe").exists(), "{step}: the probe leaves nothing");
        assert_eq!(marked("CODEX_HOME", &rig.state.root().join("probe/codex")), [], "{step}");
    }
    let mut failed: Vec<_> = probed(&rig).iter().map(|p| p["failed"][0].to_string()).collect();
    failed.sort();
    assert_eq!(failed, ["\"answer\"", "\"interrupt\"", "\"patch\"", "\"steer\""]);
    // With nothing in between broken, the same way in between passes.
    let whole = codex_that_breaks(&vendors.join("whole"), "0.172.0", "refuse", "no/such");
    rig.config.bin = Some(whole);
    run(&rig.server(), &rig.thread(Sandbox::Worktree), "[[answer]]").await;
    rig.end().await;
}

#[tokio::test]
async fn an_older_codex_than_the_running_one_or_the_threads_is_refused() {
    let mut rig = Rig::new().await;
    let place = rig.state.root().parent().unwrap().join("vendor");
    let pinned = rig.config.bin.replace(codex_that_says(&place, "0.170.0", ""));
    let spec = rig.thread(Sandbox::Worktree);
    let server = rig.server();
    let thread = server.open_thread(&spec, None).await.unwrap();
    let brief = turn("[[gate:name=g]]");
    let (sink, _events) = mpsc::channel(256);
    server.start_turn(&thread, &spec, &brief, sink).await.unwrap();
    rig.model.wait_until(|asked| !asked.is_empty()).await;
    drop(server);

    rig.config.bin = pinned;
    let server = rig.server();
    // What runs on the newer one is followed; nothing begins.
    let (sink, mut events) = mpsc::channel(256);
    server.attach(&thread, &spec, &brief, sink).await.unwrap();
    let refused = server.open_thread(&spec, None).await.unwrap_err();
    assert_eq!(code(&refused), "codex_downgrade");
    assert!(refused.to_string().contains("0.170.0, which is running"), "{refused}");
    rig.model.open_gate("g");
    assert!(matches!(drain(&mut events).await.last(), Some(TurnEvent::Ended(Ending::Completed))));

    // With the newer one gone new threads are made, but the old thread stays with the newer one.
    server.close(false).await;
    let server = rig.server();
    run(&server, &spec, "[[answer]]").await;
    let refused = server.open_thread(&spec, Some(&thread)).await.unwrap_err();
    assert_eq!(code(&refused), "codex_downgrade");
    assert!(refused.to_string().contains("wrote this thread"), "{refused}");
    rig.end().await;
}

#[tokio::test]
async fn a_codex_that_is_replaced_under_the_engine_is_noticed() {
    let mut rig = Rig::new().await;
    let place = rig.state.root().parent().unwrap().join("vendor");
    rig.config.bin = Some(codex_that_says(&place, "0.170.0", ""));
    let server = rig.server();
    let spec = rig.thread(Sandbox::Worktree);
    let (thread, _) = run(&server, &spec, "[[answer]]").await;
    std::fs::remove_dir_all(&place).unwrap();
    codex_that_says(&place, "0.171.0", "");
    let again = server.open_thread(&spec, Some(&thread)).await.unwrap();
    assert_eq!((again.id, again.agent_version.as_str()), (thread.id, "0.171.0"));
    assert_eq!(probed(&rig).len(), 2);
    rig.end().await;
}
