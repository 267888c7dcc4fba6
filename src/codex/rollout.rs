use serde_json::{Map, Value, json};
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

/// The token usage of a turn as codex's own record has it, in the form in which the app-server tells it.
/// The app-server keeps it for whoever listens at the time; only the record has it later (seen on
/// 0.169.0). Nothing where the record cannot be read or has none.
pub(super) async fn usage(rollout: Option<PathBuf>, turn: &str) -> Option<Value> {
    let (path, turn) = (rollout?, turn.to_owned());
    tokio::task::spawn_blocking(move || last_usage(&path, &turn)).await.ok()?
}

/// The last count that was written while the turn ran: `token_count` is what the app-server tells, and
/// comes after the commands of an answer; `token_usage_record` comes with the answer.
fn last_usage(path: &Path, turn: &str) -> Option<Value> {
    const WORDS: [&str; 3] = ["token_usage", "token_count", "task_started"];
    let (mut ours, mut window, mut usage) = (false, Value::Null, None);
    for line in BufReader::new(File::open(path).ok()?).split(b'\n') {
        let Ok(line) = line else { break };
        let text = String::from_utf8_lossy(&line);
        if !WORDS.iter().any(|word| text.contains(word)) {
            continue;
        }
        // The last line may be torn.
        let Ok(line) = serde_json::from_str::<Value>(&text) else { continue };
        let payload = &line["payload"];
        match (line["type"].as_str(), payload["type"].as_str()) {
            (_, Some("task_started")) => {
                ours = payload["turn_id"] == turn;
                if ours {
                    window = payload["model_context_window"].clone();
                }
            }
            (_, Some("token_count")) if ours => {
                let info = &payload["info"];
                let told = (camel(&info["total_token_usage"]), camel(&info["last_token_usage"]));
                usage = told.0.zip(told.1).or(usage);
            }
            (Some("token_usage_record"), _) if payload["turn_id"] == turn => {
                usage = camel(&payload["thread_token_usage"]).zip(camel(&payload["usage"]));
            }
            _ => {}
        }
    }
    let (total, last) = usage?;
    Some(json!({ "total": total, "last": last, "modelContextWindow": window }))
}

fn camel(counts: &Value) -> Option<Map<String, Value>> {
    let counts = counts.as_object()?;
    Some(counts.iter().map(|(name, count)| (camel_case(name), count.clone())).collect())
}

fn camel_case(name: &str) -> String {
    let mut words = name.split('_');
    let mut camel = words.next().unwrap_or_default().to_owned();
    for word in words {
        let mut letters = word.chars();
        camel.extend(letters.next().into_iter().flat_map(char::to_uppercase));
        camel.push_str(letters.as_str());
    }
    camel
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_last_usage_of_the_turn_counts_and_a_torn_line_does_not_matter() {
        std::fs::create_dir_all("target/tmp").unwrap();
        let dir = tempfile::tempdir_in("target/tmp").unwrap();
        let path = dir.path().join("rollout.jsonl");
        let record = |turn: &str, n: u32| {
            let counts = json!({ "input_tokens": n, "reasoning_output_tokens": 0 });
            json!({ "type": "token_usage_record", "payload": {
                "turn_id": turn, "usage": counts, "thread_token_usage": counts } })
            .to_string()
        };
        let started = |turn: &str| {
            let payload =
                json!({ "type": "task_started", "turn_id": turn, "model_context_window": 9 });
            json!({ "type": "event_msg", "payload": payload }).to_string()
        };
        let counts = json!({ "input_tokens": 2, "reasoning_output_tokens": 0 });
        let info = json!({ "total_token_usage": counts, "last_token_usage": counts });
        let told =
            json!({ "type": "event_msg", "payload": { "type": "token_count", "info": info } });
        let lines = [
            started("t1"),
            record("t1", 1),
            told.to_string(),
            started("t2"),
            told.to_string(),
            record("t2", 3),
            record("t2", 4).split_at(60).0.to_owned(),
        ];
        std::fs::write(&path, lines.join("\n")).unwrap();
        let found = usage(Some(path.clone()), "t1").await.unwrap();
        assert_eq!(found["total"], json!({ "inputTokens": 2, "reasoningOutputTokens": 0 }));
        assert_eq!(found["modelContextWindow"], 9);
        let found = usage(Some(path.clone()), "t2").await.unwrap();
        assert_eq!(found["total"]["inputTokens"], 3, "an answer whose command broke off counts");
        assert!(usage(Some(path), "t3").await.is_none());
        assert!(usage(None, "t1").await.is_none());
    }
}
