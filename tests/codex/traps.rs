//! Traps of codex that no other test walks into; docs/codex-traps.md lists them all.

use crate::rig::{Rig, codex, drain, link_tree, recorded, report, run, sh, turn};
use patchbay::backend::{
    Backend, BackendError, Ending, Sandbox, ThreadRef, TurnEvent, TurnFailure,
};
use std::os::unix::fs::PermissionsExt;
use tokio::sync::mpsc;

#[tokio::test]
async fn opening_a_thread_trusts_no_repository() {
    let rig = Rig::new().await;
    let server = rig.server();
    let config = rig.state.codex_home().join("config.toml");
    for sandbox in [Sandbox::Worktree, Sandbox::ReadOnly] {
        run(&server, &rig.thread(sandbox), &sh("true")).await;
        let text = std::fs::read_to_string(&config).unwrap();
        assert!(!text.contains("trust") && !text.contains("[projects"), "{text}");
    }
    assert!(!rig.tree.join("evil-ran").exists() && !rig.base.join("evil-ran").exists());
    rig.end().await;
}

#[tokio::test]
async fn a_resumed_thread_has_its_own_environment_again() {
    let rig = Rig::new().await;
    let spec = rig.thread(Sandbox::Worktree);
    let server = rig.server();
    let (thread, _) = run(&server, &spec, "[[answer]]").await;
    server.close(false).await;
    let server = rig.server();
    let thread = server.open_thread(&spec, Some(&thread)).await.unwrap();
    let (sink, mut events) = mpsc::channel(64);
    server.start_turn(&thread, &spec, &turn(&sh("env")), sink).await.unwrap();
    let said = report(&drain(&mut events).await);
    assert!(said.contains(&format!("TMPDIR={}", rig.tmp.display())), "{said}");
    for secret in ["CANARY", "SCRIPTED_KEY", "PATCHBAY_"] {
        assert!(!said.contains(secret), "{secret} in {said}");
    }
    rig.end().await;
}

#[tokio::test]
async fn a_thread_that_codex_does_not_know_is_an_error_and_no_new_one() {
    let rig = Rig::new().await;
    let spec = rig.thread(Sandbox::Worktree);
    let server = rig.server();
    let (known, _) = run(&server, &spec, "[[answer]]").await;
    let unknown = ThreadRef { id: uuid_like(), ..known };
    let refused = server.open_thread(&spec, Some(&unknown)).await.unwrap_err();
    assert!(matches!(refused, BackendError::ThreadGone(_)), "{refused:?}");
    let nonsense = ThreadRef {
        id: "not-a-thread".to_owned(),
        agent_version: "0.169.0".to_owned(),
        rollout: None,
    };
    server.open_thread(&spec, Some(&nonsense)).await.unwrap_err();
    rig.end().await;
}

fn uuid_like() -> String {
    "01900000-0000-7000-8000-000000000000".to_owned()
}

#[tokio::test]
async fn a_thread_has_one_turn_at_a_time() {
    let rig = Rig::new().await;
    let spec = rig.thread(Sandbox::Worktree);
    let server = rig.server();
    let thread = server.open_thread(&spec, None).await.unwrap();
    let (sink, mut events) = mpsc::channel(64);
    server.start_turn(&thread, &spec, &turn("[[gate:name=g]]"), sink).await.unwrap();
    rig.model.wait_until(|asked| !asked.is_empty()).await;
    let (sink, _second) = mpsc::channel(64);
    let refused = server.start_turn(&thread, &spec, &turn("[[answer]]"), sink).await.unwrap_err();
    assert!(matches!(refused, BackendError::Refused(_)), "{refused:?}");
    rig.model.open_gate("g");
    assert!(matches!(drain(&mut events).await.last(), Some(TurnEvent::Ended(Ending::Completed))));
    assert_eq!(rig.model.requests().len(), 1, "the second turn did nothing");
    rig.end().await;
}

#[tokio::test]
async fn a_command_reaches_no_control_socket() {
    let rig = Rig::new().await;
    let server = rig.server();
    let spec = rig.thread(Sandbox::Worktree);
    run(&server, &spec, "[[answer]]").await;
    let run_dir = rig.state.run();
    let real = std::fs::read_link(run_dir.join("codex.sock")).unwrap();
    let outside = rig.state.root().parent().unwrap().join("outside.sock");
    let _listener = std::os::unix::net::UnixListener::bind(&outside).unwrap();
    let sockets = [run_dir.join("codex.sock"), real, run_dir.join("sidecar.sock"), outside];
    for path in &sockets {
        std::os::unix::net::UnixStream::connect(path).expect("somebody listens there");
    }
    let list: Vec<String> =
        sockets.iter().map(|p| format!("{:?}", p.display().to_string())).collect();
    std::fs::write(
        rig.tree.join("try.py"),
        format!(
            "import errno, socket\nfor path in [{}]:\n    try:\n        socket.socket(socket.AF_UNIX).connect(path)\n        print('REACHED', path)\n    except OSError as error:\n        print(errno.errorcode[error.errno], path)\n",
            list.join(", ")
        ),
    )
    .unwrap();
    let (_, events) = run(&server, &spec, &sh("python3 try.py")).await;
    let said = report(&events);
    assert!(!said.contains("REACHED"), "{said}");
    for path in &sockets {
        // Not for want of the file: the call itself is refused.
        assert!(said.contains(&format!("EPERM {}", path.display())), "{said}");
    }
    rig.end().await;
}

#[tokio::test]
async fn a_configuration_that_was_changed_on_the_disk_is_not_worked_with() {
    let rig = Rig::new().await;
    let spec = rig.thread(Sandbox::Worktree);
    let server = rig.server();
    run(&server, &spec, "[[answer]]").await;
    drop(server);
    let old = recorded(&rig, "codex");
    let file = rig.state.codex_home().join("config.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    let root = rig.base.display();
    std::fs::write(&file, format!("{text}\n[projects.\"{root}\"]\ntrust_level = \"trusted\"\n"))
        .unwrap();
    let server = rig.server();
    run(&server, &spec, "[[answer]]").await;
    assert!(!old.alive(), "codex was not replaced");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), text);
    rig.end().await;
}

#[tokio::test]
async fn a_model_that_cannot_be_reached_fails_the_turn() {
    let rig = Rig::new().await;
    let server = rig.server();
    let spec = rig.thread(Sandbox::Worktree);
    let thread = server.open_thread(&spec, None).await.unwrap();
    rig.model.shutdown().await;
    let (sink, mut events) = mpsc::channel(64);
    server.start_turn(&thread, &spec, &turn("[[answer]]"), sink).await.unwrap();
    let events = drain(&mut events).await;
    let Some(TurnEvent::Ended(Ending::Failed(TurnFailure { code, .. }))) = events.last() else {
        panic!("{events:?}");
    };
    assert_eq!(code, "stream_disconnected");
    rig.end().await;
}

#[tokio::test]
async fn without_a_sandbox_no_turn_runs() {
    let mut rig = Rig::new().await;
    let real = codex().canonicalize().unwrap();
    let place = rig.state.root().parent().unwrap().join("vendor");
    link_tree(real.parent().unwrap().parent().unwrap(), &place);
    // Neither codex's own helper works nor one of the system.
    let path = rig.state.root().parent().unwrap().join("bin");
    std::fs::create_dir(&path).unwrap();
    for bwrap in [place.join("codex-resources/bwrap"), path.join("bwrap")] {
        let _ = std::fs::remove_file(&bwrap);
        std::fs::write(&bwrap, "#!/bin/sh\necho no namespaces here >&2\nexit 1\n").unwrap();
        std::fs::set_permissions(&bwrap, PermissionsExt::from_mode(0o755)).unwrap();
    }
    rig.env[0].1 = format!("{}:{}", path.display(), rig.env[0].1);
    rig.config.bin = Some(place.join("bin/codex"));
    let refused = rig.server().open_thread(&rig.thread(Sandbox::Worktree), None).await.unwrap_err();
    let BackendError::Unavailable { code, .. } = &refused else { panic!("{refused:?}") };
    assert_eq!(*code, "sandbox_unavailable");
    assert!(rig.model.requests().is_empty());
    rig.end().await;
}

#[tokio::test]
async fn directories_that_the_sandbox_left_behind_are_removed() {
    let rig = Rig::new().await;
    let server = rig.server();
    let spec = rig.thread(Sandbox::Worktree);
    for name in [".agents", ".aws"] {
        std::fs::create_dir(rig.tree.join(name)).unwrap();
    }
    std::fs::create_dir(rig.tree.join(".codex")).unwrap_or_default();
    std::fs::write(rig.tree.join(".codex/kept"), "").unwrap();
    run(&server, &spec, &sh("true")).await;
    for name in [".agents", ".aws"] {
        assert!(!rig.tree.join(name).exists(), "{name} is left");
    }
    assert!(rig.tree.join(".codex/kept").exists(), "what holds something stays");
    rig.end().await;
}
