use super::hear::{Heard, public_host};
use super::{Pauses, Tunnel, TunnelError, TunnelOptions, find, guide};
use crate::mcp::{PROBE_HEADER, Reach};
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

/// A server whose health answer is ours; its address.
async fn answering(reach: Reach) -> String {
    let health = move || std::future::ready([(PROBE_HEADER, reach.probe().unwrap_or_default())]);
    let router = axum::Router::new().route("/healthz", axum::routing::get(health));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

#[tokio::test]
async fn a_tunnel_that_cannot_be_had_again_is_given_up_and_that_is_told() {
    std::fs::create_dir_all("target/tmp").unwrap();
    let dir = tempfile::tempdir_in("target/tmp").unwrap();
    let (starts, end) = (dir.path().join("starts"), dir.path().join("end"));
    let (starts, end) = (std::path::absolute(starts).unwrap(), std::path::absolute(end).unwrap());
    // The first one is up until it reads a word; those after it end at once.
    let body = format!(
        "echo x >> {0}\n[ $(wc -l < {0}) = 1 ] || exit 1\nmkfifo {1}\n\
         echo https://brief-fox.trycloudflare.com\nread word < {1}",
        starts.display(),
        end.display()
    );
    let reach = Reach::default();
    let mut options = options(script(dir.path(), &body));
    options.patience = Duration::from_secs(60);
    options.health_base = Some(answering(reach.clone()).await);
    let times = options.pauses.times as usize;
    let tunnel = Tunnel::start(options, reach.clone()).await.unwrap();
    assert_eq!(
        (reach.status()["state"].as_str(), reach.host()),
        (Some("up"), Some(tunnel.host.clone()))
    );
    tokio::task::spawn_blocking(move || std::fs::write(end, "end\n")).await.unwrap().unwrap();
    let given_up = async {
        while reach.status()["state"] != "ended" {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), given_up).await.expect("it is not given up");
    let begun = std::fs::read_to_string(starts).unwrap().lines().count();
    assert_eq!(begun, 1 + times, "it is tried again as often as is said");
    let status = reach.status();
    assert_eq!(status["detail"], "given up; start patchbay again for a new one");
    assert_eq!((status["url"].is_null(), status["restarts"].as_u64()), (true, Some(0)), "{status}");
    assert_eq!(reach.host(), None, "its host is let in no longer");
    let check = serde_json::to_value(reach.check()).unwrap();
    assert_eq!((&check["name"], &check["status"]), (&"tunnel".into(), &"warn".into()), "{check}");
    tunnel.end().await;
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
