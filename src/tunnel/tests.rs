use super::hear::{Heard, public_host};
use super::{Pauses, Tunnel, TunnelError, TunnelOptions, find, guide};
use crate::mcp::Reach;
use crate::paths::Env;
use crate::secret::Secret;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

#[test]
fn the_address_is_found_and_nothing_else_is_taken_for_it() {
    let line = "2026 INF |  https://quick-fox.trycloudflare.com   |";
    assert_eq!(public_host(line), Some("quick-fox.trycloudflare.com"));
    for line in [
        r#"failed to request quick Tunnel: Post "https://api.trycloudflare.com/tunnel""#,
        "see https://developers.cloudflare.com/x and https://www.cloudflare.com",
        "https://quick.trycloudflare.com.evil.example",
        "https://.trycloudflare.com https://a.b.trycloudflare.com",
        "http://quick-fox.trycloudflare.com",
    ] {
        assert_eq!(public_host(line), None, "{line}");
    }
    assert_eq!(
        public_host("see https://www.cloudflare.com or https://a-1.trycloudflare.com/x"),
        Some("a-1.trycloudflare.com")
    );
}

#[tokio::test]
async fn a_flood_is_read_and_a_little_of_it_is_kept() {
    let heard = Heard::new();
    let mut flood = "z".repeat(10 << 20).into_bytes();
    flood.extend(b"\n\xff\x1b[31mred\nhttps://late-fox.trycloudflare.com\n");
    flood.extend("tail\n".repeat(1000).into_bytes());
    heard.listen(&flood[..]).await;
    assert_eq!(heard.host().await, "late-fox.trycloudflare.com");
    let words = heard.last_words();
    assert!(words.len() < 4000 && words.ends_with("tail"), "{words}");
    assert!(!words.contains('\x1b'));
}

fn script(dir: &Path, body: &str) -> PathBuf {
    let file = dir.join("cloudflared");
    std::fs::write(&file, format!("#!/bin/sh\n{body}\n")).unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).unwrap();
    file
}

fn options(program: PathBuf) -> TunnelOptions {
    TunnelOptions {
        program,
        leash: None,
        bound: "127.0.0.1:1".parse().unwrap(),
        env: Env::of([("PATH", "/usr/bin:/bin")]),
        token: Secret::generate().unwrap(),
        patience: Duration::from_millis(300),
        health_base: Some("http://127.0.0.1:1".to_owned()),
        pauses: Pauses { first: Duration::from_millis(1), times: 3 },
    }
}

#[tokio::test]
async fn a_tunnel_that_says_nothing_or_leads_nowhere_is_no_tunnel() {
    std::fs::create_dir_all("target/tmp").unwrap();
    let dir = tempfile::tempdir_in("target/tmp").unwrap();
    let reach = Reach::default();
    let silent = options(script(dir.path(), "exec sleep 600"));
    let refused = Tunnel::start(silent, reach.clone()).await.err();
    assert!(matches!(refused, Some(TunnelError::Silent { .. })), "{refused:?}");
    let body = "echo https://lost-fox.trycloudflare.com; exec sleep 600";
    let lost = options(script(dir.path(), body));
    let refused = Tunnel::start(lost, reach.clone()).await.err();
    assert!(matches!(refused, Some(TunnelError::Unhealthy { .. })), "{refused:?}");
    assert_eq!(reach.host(), None, "its host is let in no longer");
    assert_eq!(reach.status()["state"], "down");
}

#[test]
fn a_program_is_named_or_on_the_path() {
    std::fs::create_dir_all("target/tmp").unwrap();
    let dir = tempfile::tempdir_in("target/tmp").unwrap();
    let file = script(&dir.path().canonicalize().unwrap(), "exit 0");
    let env = Env::of([("PATH", file.parent().unwrap())]);
    assert_eq!(find(None, &env).unwrap(), file);
    assert_eq!(find(Some(&file), &Env::default()).unwrap(), file);
    let missing = find(Some(Path::new("/nonexistent")), &env).unwrap_err();
    assert_eq!(missing.code(), "tunnel_program_missing");
    assert!(find(None, &Env::default()).is_err());
}

#[test]
fn the_guide_shows_the_address_as_given() {
    let text = guide("https://x.trycloudflare.com/mcp/[redacted]", false);
    assert!(text.contains("https://x.trycloudflare.com/mcp/[redacted]"));
    assert!(text.contains("Developer mode") && text.contains("--reveal-token"));
    assert!(!guide("https://x", true).contains("--reveal-token"));
}
