//! Failures before there is a server.

use super::{DemoOptions, run};
use crate::paths::Env;
use std::path::{Path, PathBuf};

fn options<'a>(state: &Path, json: bool, out: &'a mut Vec<u8>) -> DemoOptions<'a> {
    DemoOptions {
        json,
        keep: false,
        live: false,
        break_at: None,
        program: PathBuf::from("/nonexistent/patchbay"),
        codex: None,
        env: Env::of([("PATCHBAY_HOME", state), ("PATH", Path::new("/nonexistent"))]),
        out,
    }
}

#[tokio::test]
async fn without_a_codex_the_first_step_fails_and_nothing_stays() {
    let base = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/tmp");
    std::fs::create_dir_all(&base).unwrap();
    let dir = tempfile::tempdir_in(base).unwrap();
    let state = dir.path().join("state");
    let mut out = Vec::new();
    let outcome = run(options(&state, true, &mut out)).await;
    assert!(!outcome.ok);
    assert_eq!(outcome.failed_step, Some("prepare"));
    assert!(outcome.error.unwrap().contains("codex_missing"));
    let text = String::from_utf8(out).unwrap();
    assert_eq!(text.lines().count(), 1, "one object and nothing else: {text}");
    let object: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(object["ok"], false);
    assert_eq!(object["steps"][0]["name"], "prepare");
    let mut words = Vec::new();
    run(options(&state, false, &mut words)).await;
    assert!(String::from_utf8(words).unwrap().contains("The demo failed at prepare"));
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0, "nothing is left");
}
