//! Repositories and workers that mean harm.

use crate::support::{Bed, Era, Step, script};
use serde_json::json;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;

#[tokio::test(flavor = "multi_thread")]
async fn a_hostile_repository_runs_nothing() {
    let mut bed = Bed::new("hostile-repo").await;
    let mark = bed.dir.join("home/ran");
    let evil = format!("#!/bin/sh\necho \"$0 $@\" >> {}\n", mark.display());
    bed.repo.write("evil.sh", &evil);
    let evil = bed.repo.root.join("evil.sh");
    std::fs::set_permissions(&evil, PermissionsExt::from_mode(0o755)).unwrap();
    let evil = evil.to_string_lossy().into_owned();
    bed.repo.write(
        ".codex/config.toml",
        &format!("[mcp_servers.evil]\ncommand = \"{evil}\"\nargs = []\n"),
    );
    bed.repo.write(".gitattributes", "*.txt diff=evil filter=evil\n");
    bed.repo.git(&["add", "-A"]);
    bed.repo.git(&["commit", "-qm", "hostile"]);
    for (key, value) in [
        ("core.fsmonitor", evil.as_str()),
        ("diff.evil.textconv", &evil),
        ("diff.external", &evil),
        ("core.pager", &evil),
        ("core.sshCommand", &evil),
        ("gpg.program", &evil),
        ("commit.gpgSign", "true"),
    ] {
        bed.repo.git(&["config", key, value]);
    }
    for hook in ["post-checkout", "pre-commit", "reference-transaction", "post-index-change"] {
        let path = bed.repo.root.join(".git/hooks").join(hook);
        std::fs::copy(&evil, &path).unwrap();
    }
    let _ = std::fs::remove_file(&mark);
    bed.start();
    let client = bed.client(Era::Modern).await;
    for tool in ["codex_open_workspace", "codex_git_status", "codex_git_diff", "codex_show_changes"]
    {
        client.ok(tool, json!({})).await;
    }
    let brief = script("Edit.", &[Step::Sh("echo y > src/new.txt"), Step::Say("done")]);
    client.ok("codex_worker_start", json!({"name": "Eve", "brief": brief})).await;
    let done = client.until("Eve", &["idle", "failed"]).await;
    assert_eq!(done["state"], "idle", "{done:#}");
    client.ok("codex_worker_inspect", json!({"worker": "Eve", "view": "changes"})).await;
    let shown =
        client.fails("codex_worker_integrate", json!({"worker": "Eve"}), "preview_required").await;
    let token = shown["preview_token"].as_str().unwrap().to_owned();
    client.ok("codex_worker_integrate", json!({"worker": "Eve", "preview_token": token})).await;
    assert_eq!(bed.repo.read("src/new.txt"), "y\n");
    assert!(
        !mark.exists(),
        "the repository ran something: {}",
        std::fs::read_to_string(&mark).unwrap_or_default()
    );
    client.close().await;
    // The harness looks at worktrees with the user's git, which would run what the user configured.
    bed.repo.git(&["config", "--unset", "core.fsmonitor"]);
    bed.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_cannot_read_the_state_directory_or_leave_its_worktree() {
    let mut bed = Bed::new("canary").await;
    bed.start();
    let canary = bed.state.join("canary");
    std::fs::write(&canary, "CANARY-7d1f").unwrap();
    std::fs::create_dir_all(bed.dir.join("home/.ssh")).unwrap();
    std::fs::write(bed.dir.join("home/.ssh/id"), "CANARY-7d1f").unwrap();
    let client = bed.client(Era::Legacy).await;
    let state = bed.state.display();
    let base = bed.repo.root.display();
    let reads = format!(
        "for f in {state}/canary {state}/token {state}/store.db {state}/config.yaml {home}/.ssh/id; do \
         cat $f && echo LEAKED; done; env | grep -E '^PATCHBAY|TOKEN|API_KEY' && echo LEAKED-ENV; true",
        home = bed.dir.join("home").display()
    );
    let writes = format!(
        "echo x > {base}/escaped.txt; echo x >> {base}/.git/config; git commit -qm x --allow-empty && echo COMMITTED; true"
    );
    let brief = script(
        "Look around.",
        &[
            Step::Sh(&reads),
            Step::Sh(&writes),
            Step::Sh("echo in > inside.txt; echo t > $TMPDIR/t && echo TMP-OK"),
            Step::Say("looked"),
        ],
    );
    let config = bed.repo.read(".git/config");
    client
        .ok("codex_worker_start", json!({"name": "Spy", "brief": brief, "model": "gpt-5.5"}))
        .await;
    let done = client.until("Spy", &["idle", "failed"]).await;
    assert_eq!(done["state"], "idle", "{done:#}");
    let seen = bed.model.requests().iter().map(|a| a.body.to_string()).collect::<String>();
    assert!(seen.contains("TMP-OK"), "the private temporary directory works");
    for leak in ["CANARY-7d1f", "LEAKED-ENV\\n", "COMMITTED\\n"] {
        let at = seen.find(leak).map(|at| seen[at.saturating_sub(300)..at + 100].to_owned());
        assert!(at.is_none(), "the worker saw or did {leak}: {at:?}");
    }
    assert!(!bed.repo.root.join("escaped.txt").exists());
    assert_eq!(bed.repo.read(".git/config"), config);
    client.close().await;
    bed.finish().await;
}

/// Tells of each path how a connection to its socket came out.
const CONNECT: &str = "\
import errno, socket, sys
for path in sys.argv[1:]:
    try:
        socket.socket(socket.AF_UNIX).connect(path)
        print('REACHED', path)
    except OSError as error:
        print(errno.errorcode[error.errno], path)
";

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_reaches_no_socket_of_a_live_server() {
    let mut bed = Bed::new("sockets").await;
    bed.start();
    let client = bed.client(Era::Modern).await;
    let first = json!({"name": "First", "brief": "[[answer]]", "model": "gpt-5.5"});
    client.ok("codex_worker_start", first).await;
    client.until("First", &["idle"]).await;
    let run = bed.state.join("run");
    let mut sockets = ["engine.sock", "sidecar.sock", "codex.sock"].map(|n| run.join(n)).to_vec();
    sockets.push(std::fs::read_link(run.join("codex.sock")).unwrap());
    for socket in &sockets {
        UnixStream::connect(socket).expect("somebody listens there");
    }
    let script_file = bed.dir.join("connect.py");
    std::fs::write(&script_file, CONNECT).unwrap();
    let paths: Vec<String> = sockets.iter().map(|path| path.display().to_string()).collect();
    let command = format!("python3 {} {}", script_file.display(), paths.join(" "));
    for mode in ["isolated_write", "read_only"] {
        let brief = script("Connect.", &[Step::Sh(&command), Step::Say("tried")]);
        let start =
            json!({"name": mode, "brief": brief, "model": "gpt-5.5", "workspace_mode": mode});
        client.ok("codex_worker_start", start).await;
        let done = client.until(mode, &["idle", "failed"]).await;
        assert_eq!(done["state"], "idle", "{done:#}");
        let heard = bed.model.requests().last().unwrap().body.to_string();
        assert!(!heard.contains("REACHED"), "{heard}");
        for path in &paths {
            // Not for want of the file: the call itself is refused.
            assert!(heard.contains(&format!("EPERM {path}")), "{path}: {heard}");
        }
    }
    client.close().await;
    bed.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rejected_configuration_runs_no_turn() {
    let mut bed = Bed::new("config-rejected").await;
    bed.configure("  extra_config: \"no_such_key = true\"\n");
    bed.start();
    let client = bed.client(Era::Legacy).await;
    client.ok("codex_worker_start", json!({"name": "Nil", "brief": "[[answer]]"})).await;
    let done = client.until("Nil", &["idle", "failed"]).await;
    assert_eq!(done["state"], "failed", "{done:#}");
    assert!(done.to_string().contains("codex_config_rejected"), "{done:#}");
    assert!(bed.model.requests().is_empty(), "the model was asked");
    client.close().await;
    bed.finish().await;
}
