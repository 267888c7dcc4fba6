use super::support::Live;
use crate::config::Config;
use crate::mcp::testing::Bed;
use reqwest::header::{HeaderMap, HeaderValue};
use serde_json::{Value, json};
use std::io::{self, Write};
use std::sync::{Arc, Mutex};

fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
    pairs.iter().map(|(k, v)| (k.parse().unwrap(), HeaderValue::from_str(v).unwrap())).collect()
}

async fn ask(live: &Live, path: &str, extra: &[(&'static str, &str)]) -> reqwest::Response {
    live.modern(&live.url(path), "tools/list", json!({}))
        .headers(headers(extra))
        .send()
        .await
        .unwrap()
}

#[tokio::test]
async fn the_token_opens_each_door_and_nothing_else_does() {
    let live = Live::default().await;
    let token = live.bed.token.expose().to_owned();
    let wrong = "0".repeat(64);
    let bearer = |t: &str| format!("Bearer {t}");
    let table: &[(String, Option<String>, u16)] = &[
        (format!("/mcp/{token}"), None, 200),
        (format!("/mcp/{token}/"), None, 200),
        (format!("/mcp/{token}?v=2"), None, 200),
        ("/mcp".to_owned(), Some(bearer(&token)), 200),
        (format!("/mcp?patchbay_token={token}"), None, 200),
        (format!("/mcp/{wrong}"), None, 404),
        (format!("/mcp/{wrong}"), Some(bearer(&token)), 404),
        (format!("/mcp/{}", &token[..63]), None, 404),
        ("/mcp".to_owned(), None, 401),
        ("/mcp".to_owned(), Some(bearer(&wrong)), 401),
        ("/mcp".to_owned(), Some(format!("Basic {token}")), 401),
        (format!("/mcp?patchbay_token={token}"), Some(bearer(&wrong)), 401),
        (format!("/mcp?patchbay_token={wrong}"), None, 401),
        ("/".to_owned(), Some(bearer(&token)), 404),
        ("/.well-known/oauth-protected-resource".to_owned(), None, 404),
    ];
    for (path, authorization, status) in table {
        let extra: Vec<_> =
            authorization.iter().map(|value| ("authorization", value.as_str())).collect();
        let response = ask(&live, path, &extra).await;
        assert_eq!(response.status(), *status, "{path} {authorization:?}");
        if *status == 401 {
            assert_eq!(response.headers()["www-authenticate"], "Bearer");
        }
        let body = response.text().await.unwrap();
        assert!(!body.contains(&token) && !body.contains(&wrong), "{body}");
    }
    live.stop().await;
}

#[tokio::test]
async fn settings_of_the_operator_are_honoured() {
    let mut config = Config::default();
    config.auth.allow_query_token = false;
    let live = Live::start(Bed::new(config.clone()).await).await;
    let path = format!("/mcp?patchbay_token={}", live.bed.token.expose());
    assert_eq!(ask(&live, &path, &[]).await.status(), 401);
    live.stop().await;
    config.auth.enabled = false;
    let live = Live::start(Bed::new(config).await).await;
    assert_eq!(ask(&live, "/mcp", &[]).await.status(), 200);
    assert_eq!(ask(&live, "/mcp/wrong", &[]).await.status(), 404);
    live.stop().await;
}

#[tokio::test]
async fn foreign_hosts_and_pages_are_refused_on_every_route() {
    let live = Live::default().await;
    let path = format!("/mcp/{}", live.bed.token.expose());
    let own = format!("http://{}", live.address);
    for (extra, status) in [
        ([("host", "evil.example")], 403),
        ([("origin", "https://evil.example")], 403),
        ([("origin", "null")], 403),
        ([("origin", own.as_str())], 200),
    ] {
        assert_eq!(ask(&live, &path, &extra).await.status(), status, "{extra:?}");
        let health = live.http.get(live.url("/healthz")).headers(headers(&extra)).send().await;
        assert_eq!(health.unwrap().status(), status, "{extra:?}");
    }
    live.stop().await;
}

#[tokio::test]
async fn health_says_nothing_and_status_asks_for_the_token() {
    let live = Live::default().await;
    let health = live.http.get(live.url("/healthz")).send().await.unwrap();
    assert_eq!(health.text().await.unwrap(), r#"{"ok":true}"#);
    assert_eq!(live.http.get(live.url("/status")).send().await.unwrap().status(), 401);
    let token = live.bed.token.expose();
    let status = live.http.get(live.url("/status")).bearer_auth(token).send().await.unwrap();
    assert_eq!(status.headers()["cache-control"], "no-store");
    let text = status.text().await.unwrap();
    let said: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(
        (said["name"].clone(), said["tool_mode"].clone()),
        (json!("patchbay"), json!("worker"))
    );
    assert!(!text.contains(token) && !text.contains(live.bed.state.root().to_str().unwrap()));
    for path in ["/healthz", "/mcp", "/status"] {
        let head = live.http.head(live.url(path)).bearer_auth(token).send().await.unwrap();
        assert_eq!(head.status(), 405, "{path}");
    }
    live.stop().await;
}

#[tokio::test]
async fn accept_headers_of_all_hosts_are_understood() {
    let live = Live::default().await;
    let body = json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {
        "protocolVersion": "2025-11-25", "capabilities": {},
        "clientInfo": {"name": "t", "version": "1"}}});
    for accept in [None, Some("*/*"), Some("text/html, */*;q=0.8"), Some("application/*, */*")] {
        let mut request = live.http.post(live.secret_url()).json(&body);
        if let Some(accept) = accept {
            request = request.header("accept", accept);
        }
        assert_eq!(request.send().await.unwrap().status(), 200, "{accept:?}");
    }
    let picky = live.http.post(live.secret_url()).header("accept", "text/html").json(&body);
    refused(picky.send().await.unwrap(), 406, "not_acceptable").await;
    let session = live.open_session().await;
    for accept in ["*/*", "text/event-stream"] {
        let listen = live.http.get(live.secret_url()).header("accept", accept);
        let stream = listen.header("mcp-session-id", &session).send().await.unwrap();
        assert_eq!(stream.status(), 200, "{accept}");
    }
    live.stop().await;
}

#[tokio::test]
async fn bodies_are_bounded_and_must_be_json() {
    let mut config = Config::default();
    config.server.max_request_bytes = 10_000;
    let live = Live::start(Bed::new(config).await).await;
    let big = json!({"name": "test_say", "arguments": {"word": "x".repeat(20_000)}});
    let big = live.modern(&live.secret_url(), "tools/call", big).send().await.unwrap();
    assert_eq!(big.status(), 413);
    let form = live.http.post(live.secret_url()).body("a=1");
    let form = form.header("content-type", "application/x-www-form-urlencoded").send().await;
    refused(form.unwrap(), 415, "no_json").await;
    live.stop().await;
}

/// Whatever is refused says with which code, why, and what to do.
async fn refused(answer: reqwest::Response, status: u16, code: &str) {
    assert_eq!(answer.status(), status);
    let said: Value = answer.json().await.unwrap();
    assert_eq!(said["error"], code, "{said}");
    for member in ["message", "hint"] {
        assert!(!said[member].as_str().unwrap().is_empty(), "{said}");
    }
}

#[tokio::test]
async fn refusals_of_the_library_have_a_code_and_a_hint() {
    let live = Live::default().await;
    let session = live.open_session().await;
    let end = live.http.delete(live.secret_url()).header("mcp-session-id", &session);
    assert_eq!(end.send().await.unwrap().status(), 202);
    let list = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list"});
    let post = || live.http.post(live.secret_url()).json(&list);
    let gone = post().header("mcp-session-id", &session).send().await.unwrap();
    refused(gone, 404, "session_unknown").await;
    let bare = post().send().await.unwrap();
    let status = bare.status().as_u16();
    assert!((400..500).contains(&status));
    refused(bare, status, "bad_request").await;
    let odd = post().header("mcp-protocol-version", "1999-01-01").send().await.unwrap();
    refused(odd, 400, "bad_request").await;
    let put = live.http.put(live.secret_url()).json(&list).send().await.unwrap();
    assert_eq!(put.headers()["allow"], "GET, POST, DELETE");
    refused(put, 405, "method_not_allowed").await;
    live.stop().await;
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn no_log_line_holds_the_secret() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(move || writer.clone())
        .finish();
    let live = {
        let _guard = tracing::subscriber::set_default(subscriber);
        let live = Live::default().await;
        let token = live.bed.token.expose().to_owned();
        // The client of this test logs its own URL; it must not be the one that is heard.
        let request = format!(
            "POST /mcp/{token}?patchbay_token={token} HTTP/1.1\r\nhost: localhost\r\nauthorization: \
             Bearer {token}\r\ncontent-type: application/json\r\nmcp-method: tools/list\r\n\
             mcp-protocol-version: 2026-07-28\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{}",
            BODY.len(),
            BODY
        );
        let answer = raw(&live, &request).await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        let wrong = request.replacen(&token, &format!("{token}x"), 1);
        assert!(raw(&live, &wrong).await.starts_with("HTTP/1.1 404"));
        live
    };
    let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(text.contains("patchbay") || text.contains("rmcp"), "something was logged");
    assert!(!text.contains(live.bed.token.expose()), "{text}");
    live.stop().await;
}

const BODY: &str = r#"{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}}}"#;

async fn raw(live: &Live, request: &str) -> String {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut stream = tokio::net::TcpStream::connect(live.address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}
