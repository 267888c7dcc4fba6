use super::*;
use crate::git::testbed::write;
use crate::integration::tests::Bed;
use serde_json::json;

async fn call(bed: &Bed, args: Value) -> Result<Answer, ToolError> {
    let worker = bed.store.worker(&bed.worker).await.unwrap().unwrap();
    let args = serde_json::from_value(args).unwrap();
    integrate(&bed.integrations, &|_| false, &bed.base.repo, &worker, args).await
}

async fn with_work() -> Bed {
    let bed = Bed::new(&[("a", "1\n2\n3\n4\n5\n6\n"), ("b", "b\n")]).await;
    write(&bed.tree.path, "a", b"one\n2\n3\n4\n5\n6\n");
    write(&bed.tree.path, "new file", b"n\n");
    bed.snapshot().await;
    bed
}

#[tokio::test]
async fn without_a_token_the_answer_is_the_preview_and_its_token() {
    let bed = with_work().await;
    let error = call(&bed, json!({"worker": "w"})).await.unwrap_err();
    assert_eq!(error.code, "preview_required");
    let shown = error.to_object();
    assert_eq!((&shown["can_apply"], &shown["applied"]), (&json!(true), &json!(false)));
    assert_eq!(shown["changed_files"][1]["path"], "new file");
    assert_eq!(shown["changed_files"][1]["kind"], "added");
    assert_eq!(std::fs::read(bed.root().join("b")).unwrap(), b"b\n");
    let answer = call(&bed, json!({"worker": "w", "preview_token": shown["preview_token"]})).await;
    let answer = answer.unwrap();
    let schema = integrate_tool().output;
    jsonschema::validate(&schema, &Value::Object(answer.structured.clone())).unwrap();
    assert_eq!(answer.structured["applied"], true);
    assert!(answer.structured.len() <= 12);
    assert!(answer.text.contains("new file"), "{}", answer.text);
    assert_eq!(std::fs::read(bed.root().join("new file")).unwrap(), b"n\n");
    let again = call(&bed, json!({"worker": "w"})).await.unwrap_err();
    assert_eq!((again.code, &again.data["reason"]), ("not_applicable", &json!("no_changes")));
}

#[tokio::test]
async fn uncommitted_edits_are_named_and_need_a_yes() {
    let bed = with_work().await;
    write(bed.root(), "a", b"1\n2\n3\n4\n5\nsix\n");
    let error = call(&bed, json!({"worker": "w"})).await.unwrap_err();
    assert_eq!(error.code, "preview_required");
    assert_eq!(error.data["base_dirty_unaccepted"][0]["path"], "a");
    assert!(error.hint.contains("accepted_dirty_base"));
    let token = &error.data["preview_token"];
    let refused = call(&bed, json!({"worker": "w", "preview_token": token})).await.unwrap_err();
    assert_eq!((refused.code, &refused.data["reason"]), ("not_applicable", &json!("base_dirty")));
    let args = json!({"worker": "w", "preview_token": token, "accepted_dirty_base": ["a"]});
    call(&bed, args).await.unwrap();
    assert_eq!(std::fs::read(bed.root().join("a")).unwrap(), b"one\n2\n3\n4\n5\nsix\n");
}

#[tokio::test]
async fn a_stale_token_brings_a_fresh_preview() {
    let bed = with_work().await;
    let args = json!({"worker": "w", "preview_token": "pvt_old"});
    let error = call(&bed, args).await.unwrap_err();
    assert_eq!(error.code, "preview_stale");
    let token = error.data["preview_token"].clone();
    call(&bed, json!({"worker": "w", "preview_token": token})).await.unwrap();
}

#[tokio::test]
async fn conflicts_and_a_busy_repository_are_told_apart() {
    let bed = with_work().await;
    let args = json!({"worker": "w", "preview_token": "pvt_any"});
    let guard = bed.locks.acquire(&bed.base.repo, "trn_1", None, "a turn").await.unwrap();
    let busy = call(&bed, args.clone()).await.unwrap_err();
    assert_eq!((busy.code, &busy.data["holder"]), ("repo_busy", &json!("trn_1")));
    guard.release().await.unwrap();
    write(bed.root(), "a", b"uno\n2\n3\n4\n5\n6\n");
    bed.base.commit("the same line").await;
    let error = call(&bed, args).await.unwrap_err();
    assert_eq!((error.code, &error.data["reason"]), ("not_applicable", &json!("conflict")));
    let conflict = &error.data["conflicts"][0];
    assert_eq!(conflict["kind"], "contents");
    assert_eq!(conflict["base"]["text"], "uno\n2\n3\n4\n5\n6\n");
    assert_eq!(conflict["worker"]["text"], "one\n2\n3\n4\n5\n6\n");
    let bad = json!({"worker": "w", "accepted_dirty_base": ["[a"]});
    assert_eq!(call(&bed, bad).await.unwrap_err().code, "invalid_argument");
}

#[tokio::test]
async fn a_branch_gets_a_commit_and_an_apply_is_taken_back() {
    let bed = with_work().await;
    let onto = json!({"worker": "w", "target": "branch:topic"});
    let token = call(&bed, onto).await.unwrap_err().data["preview_token"].clone();
    let args = json!({"worker": "w", "target": "branch:topic", "preview_token": token,
        "message": "Topic", "author": "A B <a@example.org>"});
    let done = call(&bed, args).await.unwrap().structured;
    let log = bed.base.run(&["log", "-1", "--format=%H %an %s", "topic"]).await;
    assert_eq!(log, format!("{} A B Topic", done["commit"].as_str().unwrap()));
    let bad = call(&bed, json!({"worker": "w", "target": "main"})).await.unwrap_err();
    assert_eq!(bad.code, "invalid_argument");
    let taken = json!({"worker": "w", "target": "branch:main"});
    assert_eq!(call(&bed, taken).await.unwrap_err().code, "branch_checked_out");
    let none = call(&bed, json!({"worker": "w", "undo": true})).await.unwrap_err();
    assert_eq!(none.data["reason"], "nothing_to_undo");
    let token = call(&bed, json!({"worker": "w"})).await.unwrap_err().data["preview_token"].clone();
    call(&bed, json!({"worker": "w", "preview_token": token})).await.unwrap();
    let undo = call(&bed, json!({"worker": "w", "undo": true})).await.unwrap_err();
    assert_eq!(undo.code, "preview_required");
    let args = json!({"worker": "w", "undo": true, "preview_token": undo.data["preview_token"]});
    assert_eq!(call(&bed, args).await.unwrap().structured["undone"], true);
    assert_eq!(bed.base.run(&["status", "--porcelain"]).await, "");
}
