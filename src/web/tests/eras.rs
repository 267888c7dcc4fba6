use super::support::Live;
use crate::config::{Config, ToolMode};
use crate::mcp::testing::Bed;
use rmcp::ServiceExt;
use rmcp::model::{CallToolRequestParams, ClientConfig, ProtocolVersion};
use serde_json::{Value, json};

#[tokio::test]
async fn the_stateless_era_lists_and_calls() {
    let mut config = Config::default();
    config.app.tool_mode = ToolMode::Standard;
    let live = Live::start(Bed::new(config).await).await;
    let discovered = live.result("server/discover", json!({})).await;
    assert!(discovered["supportedVersions"].as_array().unwrap().contains(&json!("2026-07-28")));
    assert!(discovered["instructions"].as_str().unwrap().contains("codex_worker_start"));
    let listed = live.result("tools/list", json!({})).await;
    assert_eq!(listed["cacheScope"], "private");
    let about = &listed["_meta"]["io.modelcontextprotocol/serverInfo"];
    assert_eq!(about["name"], "patchbay");
    for tool in ["codex_self_test", "codex_get_config", "codex_tool_mode_info"] {
        let spec = listed["tools"].as_array().unwrap().iter().find(|t| t["name"] == tool).unwrap();
        let result = live.call(tool, json!({})).await;
        assert_eq!(result["isError"], false, "{result}");
        jsonschema::validate(&spec["outputSchema"], &result["structuredContent"]).unwrap();
        assert!(spec["outputSchema"]["properties"].as_object().unwrap().len() <= 12);
        assert!(!result["content"][0]["text"].as_str().unwrap().is_empty());
    }
    let said = live.call("codex_self_test", json!({})).await["structuredContent"].clone();
    assert_eq!(
        (said["active_sessions"].clone(), said["recent_clients"].clone()),
        (json!(0), json!(1))
    );
    assert_eq!(said["ready"], false, "no repository is allowed here: {said}");
    live.stop().await;
}

#[tokio::test]
async fn the_legacy_era_lists_and_calls_in_each_version() {
    let live = Live::default().await;
    for version in [ProtocolVersion::V_2025_06_18, ProtocolVersion::V_2025_11_25] {
        let config = ClientConfig::default().with_protocol_version(version.clone());
        let client = config.serve(live.legacy()).await.unwrap();
        let info = client.peer_info().unwrap();
        assert_eq!(info.protocol_version, version);
        let tools = client.list_all_tools().await.unwrap();
        assert_eq!(tools[0].name, "codex_self_test");
        let result = client.call_tool(CallToolRequestParams::new("codex_self_test")).await.unwrap();
        let said = result.structured_content.unwrap();
        assert_eq!(said["active_sessions"], 1);
        assert!(said["client_ref"].as_str().unwrap().starts_with("client_"));
        client.cancel().await.unwrap();
    }
    live.stop().await;
}

#[tokio::test]
async fn what_goes_wrong_in_a_tool_is_an_answer() {
    let live = Live::default().await;
    let table: &[(&str, Value, &str, &str)] = &[
        ("test_panic", json!({}), "internal_error", "internal error"),
        ("codex_selftest", json!({}), "tool_unknown", "there is no tool"),
        ("test_full", json!({"nonsense": 1}), "tool_not_in_mode", "belongs to tool mode full"),
        ("test_say", json!({"nonsense": 1}), "invalid_argument", "unknown argument 'nonsense'"),
        ("test_say", json!({"word": "far too long"}), "invalid_argument", "at most 10 characters"),
    ];
    let client = ClientConfig::default()
        .with_protocol_version(ProtocolVersion::V_2025_11_25)
        .serve(live.legacy())
        .await
        .unwrap();
    for (tool, arguments, code, words) in table {
        let modern = live.call(tool, arguments.clone()).await;
        let mut params = CallToolRequestParams::new(*tool);
        params.arguments = arguments.as_object().cloned();
        let legacy = client.call_tool(params).await.unwrap();
        assert_eq!(legacy.is_error, Some(true));
        for said in [&modern["structuredContent"], &legacy.structured_content.unwrap()] {
            assert_eq!(said["code"], *code);
            assert!(said["message"].as_str().unwrap().contains(words), "{said}");
            assert!(!said["hint"].as_str().unwrap().is_empty());
        }
        assert_eq!(modern["isError"], true);
        assert!(modern["content"][0]["text"].as_str().unwrap().contains(code));
    }
    let unknown = live.call("codex_selftest", json!({})).await;
    let hint = unknown["structuredContent"]["hint"].as_str().unwrap().to_owned();
    assert!(hint.contains("Did you mean codex_self_test?"), "{hint}");
    client.cancel().await.unwrap();
    let bed = live.stop().await;
    let calls = bed.app.store.recent_calls(100).await.unwrap();
    assert_eq!(calls.iter().filter(|row| row.outcome == "tool_not_in_mode").count(), 2);
    assert_eq!(calls.len(), 11, "each call is in the audit");
}

#[tokio::test]
async fn a_null_argument_means_not_given_and_null_results_are_left_out() {
    let live = Live::default().await;
    let said = live.call("test_say", json!({"word": null})).await;
    assert_eq!(said["structuredContent"], json!({}));
    let said = live.call("test_say", json!({"word": "hello"})).await;
    assert_eq!(said["structuredContent"], json!({"word": "hello"}));
    live.stop().await;
}
