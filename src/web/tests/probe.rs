use super::support::Live;
use serde_json::{Value, json};

/// What ChatGPT sends before anything else, with its headers.
async fn probe(live: &Live) -> Value {
    let body = json!({
        "jsonrpc": "2.0",
        "id": "openai-mcp-discover",
        "method": "server/discover",
        "params": {"_meta": {
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientInfo": {"name": "openai-mcp", "version": "1.0.0"},
            "io.modelcontextprotocol/clientCapabilities": {
                "experimental": {"openai/visibility": {"enabled": true}},
                "extensions": {"io.modelcontextprotocol/ui": {
                    "mimeTypes": ["text/html;profile=mcp-app"],
                }},
            },
        }},
    });
    let answer = live
        .http
        .post(live.secret_url())
        .header("accept", "application/json, text/event-stream")
        .header("mcp-protocol-version", "2026-07-28")
        .header("mcp-method", "server/discover")
        .header("user-agent", "openai-mcp/1.0.0")
        .json(&body)
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 200);
    assert!(!answer.headers().contains_key("mcp-session-id"), "a probe opens no session");
    let said: Value = answer.json().await.unwrap();
    assert_eq!(said["id"], "openai-mcp-discover");
    said["result"].clone()
}

#[tokio::test]
async fn the_probe_of_chatgpt_is_answered_and_what_it_says_is_so() {
    let live = Live::default().await;
    let found = probe(&live).await;
    assert_eq!(probe(&live).await, found, "twice the same");
    assert_eq!(found["resultType"], "complete");
    assert_eq!(found["_meta"]["io.modelcontextprotocol/serverInfo"]["name"], "patchbay");
    let able: Vec<&String> = found["capabilities"].as_object().unwrap().keys().collect();
    assert_eq!(able, ["tools"], "nothing that is not there");
    let versions = found["supportedVersions"].as_array().unwrap();
    assert!(versions.contains(&json!("2026-07-28")) && versions.len() > 1, "{versions:?}");
    for version in versions.iter().map(|v| v.as_str().unwrap()) {
        if version == "2026-07-28" {
            let listed = live.result("tools/list", json!({})).await;
            assert!(listed["tools"].as_array().unwrap().len() > 3);
            continue;
        }
        let params = json!({"protocolVersion": version, "capabilities": {},
                            "clientInfo": {"name": "by-hand", "version": "1"}});
        let hello = live.in_session(None, 1, "initialize", params).await.text().await.unwrap();
        let agreed = format!("\"protocolVersion\":\"{version}\"");
        assert!(hello.contains(&agreed), "{version}: {hello}");
    }
    for (method, status) in [("prompts/list", 404), ("resources/list", 404), ("ping", 404)] {
        let answer = live.modern(&live.secret_url(), method, json!({})).send().await.unwrap();
        assert_eq!(answer.status(), status, "{method} is not declared");
    }
    live.stop().await;
}

#[tokio::test]
async fn a_version_in_the_address_is_ignored() {
    let live = Live::default().await;
    let plain = live.result("tools/list", json!({})).await;
    for query in ["v=2", "v=2&x=%20y", "v", ""] {
        let url = format!("{}?{query}", live.secret_url());
        let answer = live.modern(&url, "tools/list", json!({})).send().await.unwrap();
        let said: Value = answer.json().await.unwrap();
        assert_eq!(said["result"], plain, "{query:?}");
    }
    live.stop().await;
}
