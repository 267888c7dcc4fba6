//! A `read_only` worker changes nothing, whatever it tries.

use crate::support::{Bed, Era, Step, script};
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn a_read_only_worker_that_tries_everything_changes_no_byte() {
    let mut bed = Bed::new("read-only").await;
    bed.repo.write("dirty.txt", "not committed\n");
    bed.start();
    let client = bed.client(Era::Legacy).await;
    let outside = std::path::Path::new("/tmp").join(format!("patchbay-ro-{}", std::process::id()));
    let before = bed.repo.every_byte();
    let tmp = format!("echo x > {}; true", outside.display());
    let git = "git config core.fsmonitor 'touch ran'; git add -A; git commit -qm x; \
               echo '[core]' >> .git/config; echo x > .git/hooks/post-checkout; true";
    let all = script(
        "Try everything.",
        &[
            Step::Patch("*** Add File: patched.txt\n+x\n"),
            Step::Sh("echo x > shell.txt; echo x >> README.md; rm run.sh; true"),
            Step::Sh(git),
            Step::Sh("ln -s /etc/passwd link; mkdir -p d; chmod 777 README.md; true"),
            Step::Sh(&tmp),
            Step::Say("tried everything"),
        ],
    );
    client
        .ok(
            "codex_worker_start",
            json!({"name": "Reader", "brief": all, "workspace_mode": "read_only", "model": "gpt-5.5"}),
        )
        .await;
    let done = client.until("Reader", &["idle", "failed"]).await;
    assert_eq!(done["state"], "idle", "{done:#}");
    let report =
        client.ok("codex_worker_inspect", json!({"worker": "Reader", "view": "report"})).await;
    assert!(report["report"].as_str().unwrap().contains("tried everything"), "{report:#}");
    let after = bed.repo.every_byte();
    for (path, entry) in &before {
        assert_eq!(after.get(path), Some(entry), "{} changed", path.display());
    }
    assert_eq!(after.len(), before.len(), "something was added");
    assert!(!outside.exists(), "/tmp was written");
    let refused = client.call("codex_worker_integrate", json!({"worker": "Reader"})).await;
    assert!(refused.error, "a read-only worker has nothing to integrate: {refused:?}");
    client.close().await;
    bed.finish().await;
}
