//! What a client sees of the transport itself.

use crate::support::{Bed, Era};
use serde_json::{Value, json};

/// A request of the legacy era, as any HTTP client would send it.
async fn post(url: &str, session: Option<&str>, body: &Value) -> reqwest::Response {
    let mut request = reqwest::Client::new()
        .post(url)
        .header("Accept", "application/json, text/event-stream")
        .header("MCP-Protocol-Version", "2025-11-25")
        .json(body);
    if let Some(session) = session {
        request = request.header("Mcp-Session-Id", session);
    }
    request.send().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn no_result_and_no_log_holds_the_id_of_a_session() {
    let mut bed = Bed::new("session-id").await;
    bed.start();
    let url = format!("{}/mcp/{}", bed.origin(), bed.token());
    let hello = json!({
        "jsonrpc": "2.0", "id": 1, "method": "initialize",
        "params": {
            "protocolVersion": "2025-11-25",
            "capabilities": {},
            "clientInfo": {"name": "raw", "version": "1"},
        },
    });
    let opened = post(&url, None, &hello).await;
    let session = opened.headers()["mcp-session-id"].to_str().unwrap().to_owned();
    let raw = session.split('.').next().unwrap();
    opened.text().await.unwrap();
    let ready = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
    post(&url, Some(&session), &ready).await;
    for (id, tool) in
        ["codex_self_test", "codex_worker_list", "codex_open_workspace"].iter().enumerate()
    {
        let call = json!({
            "jsonrpc": "2.0", "id": id + 2, "method": "tools/call",
            "params": {"name": tool, "arguments": {}},
        });
        let answer = post(&url, Some(&session), &call).await.text().await.unwrap();
        assert!(answer.contains("structuredContent"), "{answer}");
        assert!(!answer.contains(raw), "{tool} shows the session's id: {answer}");
    }
    assert!(!bed.server_log().contains(raw), "the log shows the session's id");
    assert!(!bed.server_log().contains(&bed.token()), "the log shows the token");
    bed.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_secret_opens_nothing() {
    let mut bed = Bed::new("wrong-secret").await;
    bed.start();
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list"});
    let wrong = format!("{}/mcp/{}", bed.origin(), "0".repeat(64));
    assert_eq!(post(&wrong, None, &body).await.status(), 404);
    let none = format!("{}/mcp", bed.origin());
    assert_eq!(post(&none, None, &body).await.status(), 401);
    let health = reqwest::get(format!("{}/healthz", bed.origin())).await.unwrap();
    assert_eq!(health.text().await.unwrap(), r#"{"ok":true}"#);
    let status = reqwest::get(format!("{}/status", bed.origin())).await.unwrap();
    assert_eq!(status.status(), 401);
    let client = bed.client(Era::Modern).await;
    client.ok("codex_self_test", json!({})).await;
    client.close().await;
    bed.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_leave_no_line_of_the_library_in_the_log() {
    let mut bed = Bed::new("quiet-log").await;
    bed.start();
    for era in [Era::Modern, Era::Legacy] {
        let client = bed.client(era).await;
        client.ok("codex_self_test", json!({})).await;
        client.close().await;
    }
    let log = bed.server_log();
    for line in log.lines().filter(|line| line.contains("INFO") || line.contains("DEBUG")) {
        assert!(!line.contains("rmcp"), "{line}");
    }
    assert!(!log.contains("Service initialized"), "{log}");
    bed.finish().await;
}
