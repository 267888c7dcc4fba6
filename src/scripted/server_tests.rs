//! The server over real HTTP.

use super::{ScriptedModel, ScriptedOptions};
use base64::Engine;
use serde_json::{Value, json};

/// A request with the tools of a dialect; outputs of tools follow the prompt.
fn body(prompt: &str, tool: &Value, outputs: usize) -> Value {
    let mut input = vec![json!({
        "type": "message", "role": "user", "content": [{"type": "input_text", "text": prompt}],
    })];
    for n in 0..outputs {
        input.push(json!({"type": "function_call_output", "output": format!("output {n}")}));
    }
    json!({"model": "m", "stream": true, "prompt_cache_key": "c", "tools": [tool], "input": input})
}

fn plain() -> Value {
    json!({"type": "function", "name": "exec_command"})
}

async fn model() -> ScriptedModel {
    ScriptedModel::start(ScriptedOptions::default()).await.unwrap()
}

async fn post(model: &ScriptedModel, body: &Value) -> reqwest::Response {
    let url = format!("{}/responses", model.base_url());
    reqwest::Client::new().post(url).bearer_auth("key").json(body).send().await.unwrap()
}

/// The events of a stream, up to where it ends.
fn events(text: &str) -> Vec<Value> {
    text.lines()
        .filter_map(|line| line.strip_prefix("data: "))
        .map(|data| serde_json::from_str(data).unwrap())
        .collect()
}

/// The items of the last event of a whole stream.
async fn items(model: &ScriptedModel, body: &Value) -> Vec<Value> {
    let text = post(model, body).await.text().await.unwrap();
    let last = events(&text).pop().unwrap();
    assert_eq!(last["type"], "response.completed", "{text}");
    last["response"]["output"].as_array().unwrap().clone()
}

fn said(items: &[Value]) -> String {
    items.last().unwrap()["content"][0]["text"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_stream_is_numbered_and_its_pieces_make_the_message() {
    let model = model().await;
    let text = post(&model, &body("hello", &plain(), 0)).await.text().await.unwrap();
    let events = events(&text);
    let numbers: Vec<u64> = events.iter().map(|e| e["sequence_number"].as_u64().unwrap()).collect();
    assert_eq!(numbers, (1..=events.len() as u64).collect::<Vec<_>>());
    let pieces: String = events
        .iter()
        .filter(|e| e["type"] == "response.output_text.delta")
        .map(|e| e["delta"].as_str().unwrap())
        .collect();
    let whole = &events.last().unwrap()["response"]["output"][0]["content"][0]["text"];
    assert_eq!(whole, &json!(pieces));
    assert!(pieces.contains("hello"));
}

#[tokio::test]
async fn steps_are_played_in_the_dialect_of_the_request() {
    let model = model().await;
    let list = json!([{"sh": "echo 1"}, {"patch": "p"}, {"say": "that was it"}]).to_string();
    let b64 = base64::engine::general_purpose::STANDARD.encode(list);
    let prompt = format!("Do it. [[steps:b64={b64}]]");
    let code = json!({"type": "custom", "name": "exec"});
    for (tool, names) in [(plain(), ["exec_command", "apply_patch"]), (code, ["exec", "exec"])] {
        for (step, name) in names.iter().enumerate() {
            let items = items(&model, &body(&prompt, &tool, step)).await;
            assert_eq!(items[0]["name"], **name);
        }
        assert_eq!(said(&items(&model, &body(&prompt, &tool, 2)).await), "that was it");
    }
    let steps: Vec<usize> = model.requests().iter().map(|r| r.step).collect();
    assert_eq!(steps, [0, 1, 2, 0, 1, 2]);
}

#[tokio::test]
async fn every_scene_that_acts_ends_with_words() {
    let model = model().await;
    let acts = [
        "sh",
        "write",
        "shwrite",
        "many:n=3",
        "env",
        "plan",
        "sleep",
        "longcmd",
        "bg",
        "parallel",
        "hugeout",
        "escalate",
        "patchout",
        "badpatch",
        "badargs",
        "unknowntool",
        "tool:name=x",
    ];
    for act in acts {
        let prompt = format!("[[{act}]]");
        let first = items(&model, &body(&prompt, &plain(), 0)).await;
        assert!(first.iter().any(|i| i["call_id"].is_string()), "{act} begins with a call");
        let end = items(&model, &body(&prompt, &plain(), 3)).await;
        assert!(said(&end).contains(" DONE."), "{act} ends with words: {}", said(&end));
    }
}

#[tokio::test]
async fn errors_fail_as_often_as_asked_and_recover() {
    let model = model().await;
    for code in [400_u16, 401, 429, 500, 503] {
        let asked = body(&format!("[[err{code}:fails=2,ra=1]]"), &plain(), 0);
        for _ in 0..2 {
            let response = post(&model, &asked).await;
            assert_eq!(response.status().as_u16(), code);
            assert_eq!(response.headers()["retry-after"], "1");
        }
        assert!(said(&items(&model, &asked).await).starts_with("RECOVERED"));
    }
    let limit = post(&model, &body("[[usage_limit]]", &plain(), 0)).await;
    assert_eq!(limit.status(), 429);
    let limit: Value = limit.json().await.unwrap();
    assert_eq!(limit["error"]["type"], "usage_limit_reached");
}

#[tokio::test]
async fn a_cut_stream_breaks_once_and_then_recovers() {
    let model = model().await;
    let asked = body("[[cut]]", &plain(), 0);
    let broken = post(&model, &asked).await.text().await;
    assert!(broken.is_err(), "the connection breaks: {broken:?}");
    assert!(said(&items(&model, &asked).await).starts_with("RECOVERED"));
}

#[tokio::test]
async fn other_ends_arrive_as_events() {
    let model = model().await;
    for (scene, kind) in [
        ("ctx", "response.failed"),
        ("failed:code=x", "response.failed"),
        ("incomplete", "response.incomplete"),
    ] {
        let asked = body(&format!("[[{scene}]]"), &plain(), 0);
        let text = post(&model, &asked).await.text().await.unwrap();
        assert_eq!(events(&text).last().unwrap()["type"], kind);
    }
    let text = post(&model, &body("[[badjson]]", &plain(), 0)).await.text().await.unwrap();
    assert!(text.ends_with("data: {not json\n\n"));
}

#[tokio::test]
async fn an_answer_that_a_schema_binds_satisfies_it() {
    let model = model().await;
    let schema = json!({
        "type": "object", "required": ["ok"], "additionalProperties": false,
        "properties": {"ok": {"type": "boolean"}},
    });
    let mut asked = body("[[answer]]", &plain(), 0);
    asked["text"] = json!({"format": {"type": "json_schema", "schema": schema}});
    let answer: Value = serde_json::from_str(&said(&items(&model, &asked).await)).unwrap();
    assert!(jsonschema::is_valid(&schema, &answer));
    asked["input"][0]["content"][0]["text"] = json!("[[badschema]]");
    assert!(serde_json::from_str::<Value>(&said(&items(&model, &asked).await)).is_err());
}

#[tokio::test]
async fn a_gate_holds_the_answer_until_it_is_opened() {
    let model = model().await;
    let asked = body("[[gate:name=g]]", &plain(), 0);
    let mut response = post(&model, &asked).await;
    let first = response.chunk().await.unwrap().unwrap();
    assert!(first.starts_with(b"event: response.created"));
    model.wait_until(|requests| requests.len() == 1).await;
    model.open_gate("g");
    let mut rest = Vec::new();
    while let Some(bytes) = response.chunk().await.unwrap() {
        rest.extend_from_slice(&bytes);
    }
    assert!(String::from_utf8(rest).unwrap().contains("GATE DONE."));
}

#[tokio::test]
async fn the_log_holds_bodies_but_no_key() {
    let base = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("target/tmp");
    std::fs::create_dir_all(&base).unwrap();
    let dir = tempfile::tempdir_in(base).unwrap();
    let file = dir.path().join("requests.jsonl");
    let options = ScriptedOptions { log_file: Some(file.clone()), ..ScriptedOptions::default() };
    let model = ScriptedModel::start(options).await.unwrap();
    post(&model, &body("the brief", &plain(), 0)).await;
    let stray = reqwest::get(format!("{}/elsewhere", model.base_url())).await.unwrap();
    assert_eq!(stray.status(), 404);
    assert_eq!((model.requests().len(), model.log().len()), (1, 2));
    let text = std::fs::read_to_string(file).unwrap();
    assert_eq!(text.lines().count(), 2);
    assert!(text.contains("the brief") && !text.contains("Bearer"));
}

#[tokio::test]
async fn shutdown_breaks_streams_and_frees_the_port() {
    let model = model().await;
    let mut response = post(&model, &body("[[hang]]", &plain(), 0)).await;
    response.chunk().await.unwrap();
    model.shutdown().await;
    assert!(response.chunk().await.is_err(), "the stream broke");
    assert!(reqwest::get(format!("{}/models", model.base_url())).await.is_err());
    model.shutdown().await;
}
