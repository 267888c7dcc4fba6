use crate::rig::{Rig, codex, link_tree, report, run, sh};
use patchbay::backend::{Ending, Sandbox, TurnEvent};

/// What a hostile worker tries; each success says a word in capitals.
fn attempts(rig: &Rig) -> String {
    let (base, state) = (rig.base.display(), rig.state.root().display());
    format!(
        "(echo x > made.txt && echo CWD_W); (echo x > $TMPDIR/q && echo TMPDIR_W); \
         (echo x > /tmp/patchbay-probe && echo SLASHTMP_W); (echo x > {base}/z && echo BASE_W); \
         (echo x > {base}/.git/z && echo GIT_W); (git commit -q --allow-empty -m x && echo COMMIT_W); \
         cat {state}/token {state}/store.db; ls {state}; cat $HOME/.ssh/id; env; \
         (exec 3<>/dev/tcp/127.0.0.1/80 && echo NET_W); true"
    )
}

fn assert_held(said: &str, allowed: &[&str]) {
    for word in ["CWD_W", "TMPDIR_W", "SLASHTMP_W", "BASE_W", "GIT_W", "COMMIT_W", "NET_W"] {
        assert_eq!(said.contains(word), allowed.contains(&word), "{word} in:\n{said}");
    }
    assert!(!said.contains("CANARY"), "a secret was read:\n{said}");
    assert!(!said.contains("SCRIPTED_KEY") && !said.contains("PATCHBAY_"), "environment:\n{said}");
}

#[tokio::test]
async fn a_worktree_worker_writes_its_worktree_and_nothing_else() {
    let rig = Rig::new().await;
    let server = rig.server();
    let (_, events) = run(&server, &rig.thread(Sandbox::Worktree), &sh(&attempts(&rig))).await;
    assert_held(&report(&events), &["CWD_W", "TMPDIR_W"]);
    assert!(matches!(events.last(), Some(TurnEvent::Ended(Ending::Completed))));
    assert_eq!(std::fs::read_to_string(rig.tree.join("made.txt")).unwrap(), "x\n");
    assert!(!rig.tree.join("evil-ran").exists() && !rig.base.join("evil-ran").exists());
    rig.end().await;
}

#[tokio::test]
async fn a_read_only_worker_writes_its_temporary_directory_only() {
    let rig = Rig::new().await;
    let server = rig.server();
    let (_, events) = run(&server, &rig.thread(Sandbox::ReadOnly), &sh(&attempts(&rig))).await;
    assert_held(&report(&events), &["TMPDIR_W"]);
    assert!(!rig.base.join("made.txt").exists());
    rig.end().await;
}

#[tokio::test]
async fn a_later_turn_of_a_resumed_thread_is_held_as_well() {
    use patchbay::backend::Backend;
    let rig = Rig::new().await;
    let spec = rig.thread(Sandbox::ReadOnly);
    let server = rig.server();
    let (thread, _) = run(&server, &spec, "[[answer]]").await;
    server.close(false).await;
    let server = rig.server();
    let thread = server.open_thread(&spec, Some(&thread)).await.unwrap();
    let (sink, mut events) = tokio::sync::mpsc::channel(64);
    let turn = crate::rig::turn(&sh(&attempts(&rig)));
    server.start_turn(&thread, &spec, &turn, sink).await.unwrap();
    assert_held(&report(&crate::rig::drain(&mut events).await), &["TMPDIR_W"]);
    rig.end().await;
}

#[tokio::test]
async fn a_codex_inside_the_state_directory_works_and_cannot_be_changed() {
    let mut rig = Rig::new().await;
    let real = codex().canonicalize().unwrap();
    let vendor = real.parent().unwrap().parent().unwrap().to_path_buf();
    let place = rig.state.codex_bin("0.169.0").join(vendor.file_name().unwrap());
    link_tree(&vendor, &place);
    rig.config.bin = Some(place.join("bin/codex"));
    let command = format!(
        "{}; (echo x > {place}/bin/new && echo VENDOR_W); (mv {place} {place}2 && echo MOVE_W); \
         (mkdir {place}/../../9.9.9 && echo VERSION_W); true",
        attempts(&rig).trim_end_matches("; true"),
        place = place.display()
    );
    let server = rig.server();
    let (_, events) = run(&server, &rig.thread(Sandbox::Worktree), &sh(&command)).await;
    let said = report(&events);
    assert_held(&said, &["CWD_W", "TMPDIR_W"]);
    for word in ["VENDOR_W", "MOVE_W", "VERSION_W"] {
        assert!(!said.contains(word), "{word} in:\n{said}");
    }
    rig.end().await;
}
