use super::support::Live;

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
    assert!(!before.to_string().contains(&session), "the raw id is in no result");
    for file in ["store.db", "store.db-wal"] {
        let bytes = std::fs::read(live.bed.state.root().join(file)).unwrap();
        assert!(!bytes.windows(session.len()).any(|w| w == session.as_bytes()), "nor in {file}");
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
        .json(&serde_json::json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list"}))
        .send()
        .await
        .unwrap();
    assert_eq!(gone.status(), 404, "what the client ended does not come back");
    live.stop().await;
}
