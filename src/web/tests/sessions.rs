use super::support::{Live, ended};
use crate::config::Config;
use crate::mcp::testing::Bed;
use serde_json::json;

#[tokio::test]
async fn a_session_outlives_the_server() {
    let live = Live::default().await;
    let session = live.open_session().await;
    let before = live.self_test_in(&session).await;
    let bed = live.stop().await;
    let live = Live::start(bed).await;
    let after = live.self_test_in(&session).await;
    assert_eq!(before["client_ref"], after["client_ref"]);
    assert_eq!(after["active_sessions"], 1);
    let raw = session.split('.').next().unwrap();
    assert!(!before.to_string().contains(raw), "the raw id is in no result");
    for file in ["store.db", "store.db-wal"] {
        let bytes = std::fs::read(live.bed.state.root().join(file)).unwrap();
        let raw = session.split('.').next().unwrap();
        assert!(!bytes.windows(raw.len()).any(|w| w == raw.as_bytes()), "nor in {file}");
    }
    let ended = live
        .http
        .delete(live.secret_url())
        .header("mcp-session-id", &session)
        .send()
        .await
        .unwrap();
    assert_eq!(ended.status(), 202);
    let gone = live
        .http
        .post(live.secret_url())
        .header("accept", "*/*")
        .header("mcp-session-id", &session)
        .json(&json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list"}))
        .send()
        .await
        .unwrap();
    assert_eq!(gone.status(), 404, "what the client ended does not come back");
    live.stop().await;
}

#[tokio::test]
async fn an_idle_session_leaves_memory_and_comes_back() {
    let mut config = Config::default();
    config.server.session_idle_seconds = 1;
    let live = Live::start(Bed::new(config).await).await;
    let session = live.open_session().await;
    let before = live.self_test_in(&session).await;
    ended(&live, 0).await;
    let after = live.self_test_in(&session).await;
    assert_eq!(before["client_ref"], after["client_ref"]);
    assert_eq!(after["active_sessions"], 1);
    live.stop().await;
}

#[tokio::test]
async fn an_open_stream_keeps_its_session_in_memory() {
    let mut config = Config::default();
    config.server.session_idle_seconds = 1;
    let live = Live::start(Bed::new(config).await).await;
    let (session, _other) = (live.open_session().await, live.open_session().await);
    let listen = live.http.get(live.secret_url()).header("accept", "text/event-stream");
    let stream = listen.header("mcp-session-id", &session).send().await.unwrap();
    assert_eq!(stream.status(), 200);
    ended(&live, 1).await;
    assert_eq!(live.self_test_in(&session).await["active_sessions"], 1);
    drop(stream);
    ended(&live, 0).await;
    live.stop().await;
}

#[tokio::test]
async fn sessions_are_bounded_and_those_let_go_come_back() {
    let mut config = Config::default();
    config.server.max_sessions = 3;
    let live = Live::start(Bed::new(config).await).await;
    let mut sessions = Vec::new();
    for _ in 0..12 {
        sessions.push(live.open_session().await);
    }
    let open = || live.server.facts().presence.open_sessions();
    assert_eq!(open(), 3);
    // Each of them is still one for its client, whichever order they are used in.
    let mut clients = std::collections::BTreeSet::new();
    for session in sessions.iter().chain(sessions.iter().rev()) {
        let said = live.self_test_in(session).await;
        clients.insert(said["client_ref"].to_string());
        assert_eq!(open(), 3);
    }
    assert_eq!(clients.len(), 12);
    live.stop().await;
}

#[tokio::test]
async fn a_session_id_is_no_key_and_holds_for_its_connector_only() {
    let mut config = Config::default();
    config.auth.enabled = false;
    let live = Live::start(Bed::new(config).await).await;
    let session = live.open_session().await;
    let post = |url: String, session: String| {
        let request = live.http.post(url).header("mcp-session-id", session);
        request.json(&json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list"})).send()
    };
    let own = post(live.secret_url(), session.clone()).await.unwrap();
    assert_eq!(own.status(), 200);
    // The same server, reached as another connector.
    let other = post(live.url("/mcp"), session.clone()).await.unwrap();
    assert_eq!(other.status(), 404);
    let said: serde_json::Value = other.json().await.unwrap();
    assert_eq!(said["error"], "session_unknown");
    assert!(said["hint"].as_str().unwrap().contains("initialize"));
    let bare = session.split('.').next().unwrap().to_owned();
    assert_eq!(post(live.secret_url(), bare).await.unwrap().status(), 404);
    let ended = live.http.delete(live.url("/mcp")).header("mcp-session-id", &session);
    assert_eq!(ended.send().await.unwrap().status(), 404);
    let own = post(live.secret_url(), session).await.unwrap();
    assert_eq!(own.status(), 200, "nobody else could end it");
    live.stop().await;
    // Where a token is asked for, a session does not replace it.
    let live = Live::default().await;
    let session = live.open_session().await;
    for (path, status) in [("/mcp", 401), ("/mcp/wrong", 404)] {
        let request = live.http.post(live.url(path)).header("mcp-session-id", &session);
        let body = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list"});
        assert_eq!(request.json(&body).send().await.unwrap().status(), status, "{path}");
    }
    live.stop().await;
}
