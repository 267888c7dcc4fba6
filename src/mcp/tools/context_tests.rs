//! Results and schemas of the tools that read a repository.

use super::{context, context_files, context_git};
use crate::context::testbed::Bed;
use crate::mcp::{Answer, ToolError, ToolSpec};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

fn args<A: DeserializeOwned>(value: Value) -> A {
    serde_json::from_value(value).unwrap()
}

/// Runs a tool by name, as its handler does.
async fn call(bed: &Bed, name: &str, given: Value) -> Result<Answer, ToolError> {
    let room = bed.context();
    match name {
        "codex_open_workspace" => context::open(&room, args(given)).await,
        "codex_list_workspaces" => context::list(&room, args(given)).await,
        "codex_repo_tree" => context::tree(&room, args(given)).await,
        "codex_read_file" => context_files::read(&room, args(given)).await,
        "codex_search_repo" => context_files::search(&room, args(given)).await,
        "codex_git_status" => context_git::status(&room, args(given)).await,
        "codex_git_diff" => context_git::diff(&room, args(given)).await,
        _ => context_git::changes(&room, args(given)).await,
    }
}

/// Calls that together show every member of every result.
fn calls() -> Vec<(&'static str, Value)> {
    vec![
        ("codex_open_workspace", json!({})),
        ("codex_open_workspace", json!({"include_tree": true, "max_entries": 1})),
        ("codex_list_workspaces", json!({"query": "repo"})),
        ("codex_repo_tree", json!({"path": "", "include_hidden": true})),
        ("codex_read_file", json!({"file_path": "text"})),
        ("codex_read_file", json!({"file_path": "text", "max_bytes": 1})),
        ("codex_read_file", json!({"file_path": "text", "max_bytes": 7, "start_line": 2})),
        ("codex_search_repo", json!({"query": "line", "max_results": 1})),
        ("codex_search_repo", json!({"query": "no such text"})),
        ("codex_git_status", json!({})),
        ("codex_git_diff", json!({"file_path": "text"})),
        ("codex_git_diff", json!({"staged": true})),
        ("codex_show_changes", json!({})),
        ("codex_show_changes", json!({"include_diff": false})),
    ]
}

async fn bed() -> Bed {
    let bed = Bed::new().await;
    bed.write("text", "line 1\nline 2\nline 3\n");
    bed.write("moved", "same\n".repeat(9));
    bed.commit().await;
    bed.write("text", "line 1\nline two\nline 3\n");
    bed.write("untracked", "");
    bed.write(".env", "KEY=secret");
    bed.run("mv", &["moved", "there"]).await;
    bed
}

fn spec(name: &str) -> ToolSpec {
    context::tools().into_iter().find(|tool| tool.name == name).unwrap()
}

#[tokio::test]
async fn every_result_holds_to_its_schema_and_says_the_same_in_text() {
    let bed = bed().await;
    for (name, given) in calls() {
        let answer = call(&bed, name, given.clone()).await.unwrap();
        let schema = jsonschema::validator_for(&spec(name).output).unwrap();
        let structured = Value::Object(answer.structured);
        let faults: Vec<String> = schema.iter_errors(&structured).map(|e| e.to_string()).collect();
        assert!(faults.is_empty(), "{name} {given}: {faults:?}");
        assert!(!answer.text.is_empty() && !answer.text.contains("secret"), "{name}");
        assert!(jsonschema::is_valid(&spec(name).input, &given), "{name} {given}");
    }
}

#[tokio::test]
async fn texts_are_what_a_person_needs() {
    let bed = bed().await;
    let text = |name: &'static str, given: Value| {
        let bed = &bed;
        async move { call(bed, name, given).await.unwrap().text }
    };
    let page = text("codex_read_file", json!({"file_path": "text", "max_bytes": 7})).await;
    assert_eq!(page, "text lines 1-1 of 3 (23 bytes); cut, go on with start_line=2\nline 1\n");
    let found = text("codex_search_repo", json!({"query": "two"})).await;
    assert_eq!(found, "1 matching line(s) in 3 file(s).\ntext:2: line two");
    let status = text("codex_git_status", json!({})).await;
    assert!(status.ends_with("1 staged, 1 unstaged, 2 untracked\n M text\nR  there\n?? untracked\n[1 changed path(s) are blocked and not shown]"), "{status}");
    let diff = text("codex_git_diff", json!({})).await;
    assert!(
        diff.starts_with("1 unstaged file(s), +1 -1\n") && diff.contains("+line two"),
        "{diff}"
    );
    let shown = text("codex_show_changes", json!({"include_diff": false})).await;
    assert!(shown.contains("unstaged: +1 -1") && !shown.contains("+line two"), "{shown}");
    let open = text("codex_open_workspace", json!({"include_tree": true})).await;
    assert!(open.starts_with("repo (/") && open.contains("\n  there"), "{open}");
}

#[tokio::test]
async fn refusals_carry_code_sentence_and_hint() {
    let bed = bed().await;
    for (name, given, code) in [
        ("codex_read_file", json!({"file_path": "none"}), "file_missing"),
        ("codex_read_file", json!({"file_path": ""}), "invalid_argument"),
        ("codex_read_file", json!({"file_path": "text", "start_line": 9}), "line_out_of_range"),
        ("codex_search_repo", json!({"query": "(", "regex": true}), "invalid_pattern"),
        ("codex_search_repo", json!({"query": "x", "path": "../"}), "path_escapes"),
        ("codex_repo_tree", json!({"repo_path": "/etc"}), "not_allowed"),
        ("codex_git_diff", json!({"file_path": ".env"}), "path_blocked"),
    ] {
        let refused = call(&bed, name, given).await.unwrap_err();
        assert_eq!(refused.code, code);
        assert!(!refused.message.is_empty() && !refused.hint.is_empty());
    }
}

#[test]
fn declarations_are_small_bounded_and_read_only() {
    let tools = context::tools();
    assert_eq!(tools.len(), 8);
    for tool in &tools {
        assert!(tool.hints.read_only && tool.hints.idempotent, "{}", tool.name);
        assert!(tool.invoking.len() <= 64 && tool.invoked.len() <= 64);
        let members = tool.output["properties"].as_object().unwrap().len();
        assert!(members <= 12, "{}: {members}", tool.name);
        assert_eq!(tool.input["additionalProperties"], json!(false), "{}", tool.name);
        for (name, property) in tool.input["properties"].as_object().unwrap() {
            assert!(property["description"].is_string(), "{} {name}", tool.name);
        }
    }
    assert_eq!(spec("codex_read_file").input["required"], json!(["file_path"]));
    assert_eq!(spec("codex_search_repo").input["required"], json!(["query"]));
}

#[test]
fn listing_them_is_short() {
    let size = |tool: &ToolSpec| {
        [tool.input.to_string().len(), tool.output.to_string().len(), tool.description.len()]
    };
    let sizes: Vec<_> = context::tools().iter().map(|t| (t.name, size(t))).collect();
    let sum: usize = sizes.iter().flat_map(|(_, size)| size).sum();
    assert!(sum < 12_500, "{sum}: {sizes:?}");
}
