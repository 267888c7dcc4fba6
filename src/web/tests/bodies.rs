use super::support::Live;
use serde_json::{Value, json};

#[tokio::test]
async fn a_body_that_is_no_message_is_answered_in_words() {
    let live = Live::default().await;
    let table: &[(&str, i64, Value, &str)] = &[
        ("", -32700, Value::Null, "empty"),
        ("  \n", -32700, Value::Null, "empty"),
        ("{}", -32600, Value::Null, "no JSON-RPC 2.0 message"),
        ("[]", -32600, Value::Null, "a batch"),
        (r#"[{"jsonrpc":"2.0","id":1,"method":"ping"}]"#, -32600, Value::Null, "a batch"),
        ("null", -32600, Value::Null, "no JSON-RPC 2.0 message"),
        ("\"hello\"", -32600, Value::Null, "no JSON-RPC 2.0 message"),
        (r#"{"id":7,"method":"ping"}"#, -32600, json!(7), "no JSON-RPC 2.0 message"),
        (r#"{"jsonrpc":"1.0","id":"a","method":"ping"}"#, -32600, json!("a"), "no JSON-RPC 2.0"),
        (r#"{"jsonrpc":"2.0","id":1,"#, -32700, Value::Null, "no JSON"),
    ];
    for (body, code, id, words) in table {
        for version in [None, Some("2026-07-28")] {
            let mut request = live.http.post(live.secret_url()).body(*body);
            request = request.header("content-type", "application/json; charset=utf-8");
            if let Some(version) = version {
                request = request.header("mcp-protocol-version", version);
            }
            let answer = request.send().await.unwrap();
            assert_eq!(answer.status(), 400, "{body:?}");
            let said: Value = answer.json().await.unwrap();
            assert_eq!(said["jsonrpc"], "2.0");
            assert_eq!((&said["error"]["code"], &said["id"]), (&json!(code), id), "{body:?}");
            assert!(said["error"]["message"].as_str().unwrap().contains(words), "{said}");
            assert!(!said["error"]["data"]["hint"].as_str().unwrap().is_empty(), "{said}");
        }
    }
    assert_eq!(live.call("test_say", json!({})).await["isError"], false, "the server lives");
    live.stop().await;
}
