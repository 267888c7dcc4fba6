use super::message::Message;
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// How a message begins that is sent again after an interruption.
const AGAIN: &str = "Your last turn was interrupted before its end";

/// One time that codex took a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Delivery {
    /// The thread's file.
    pub(super) file: PathBuf,
    /// Whether it says that it comes again.
    pub(super) again: bool,
    /// Whether the turn it was taken in went to its end.
    pub(super) whole: bool,
}

/// What codex wrote down of user messages since the rollouts were looked at first.
#[derive(Debug, Default)]
pub(super) struct Rollouts {
    taken: Vec<(String, Delivery)>,
}

impl Rollouts {
    /// Reads every rollout below a codex home that is not in `old`.
    pub(super) fn read(home: &Path, old: &BTreeSet<PathBuf>) -> anyhow::Result<Self> {
        let mut found = Self::default();
        for file in files(home).into_iter().filter(|file| !old.contains(file)) {
            found.taken.extend(taken(&file, &std::fs::read_to_string(&file)?));
        }
        Ok(found)
    }

    /// The deliveries of a message, in order.
    pub(super) fn of(&self, message: &Message) -> Vec<&Delivery> {
        let mark = message.mark();
        self.taken.iter().filter(|(text, _)| text.contains(&mark)).map(|(_, d)| d).collect()
    }
}

/// Every rollout below a codex home.
pub(super) fn files(home: &Path) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    walk(&home.join("sessions"), &mut found);
    walk(&home.join("archived_sessions"), &mut found);
    found
}

fn walk(dir: &Path, found: &mut BTreeSet<PathBuf>) {
    for path in std::fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path()) {
        if path.is_dir() {
            walk(&path, found);
        } else if path.extension().is_some_and(|end| end == "jsonl") {
            found.insert(path);
        }
    }
}

/// The user messages of a rollout. A line that was torn by a kill is skipped, as codex does.
fn taken(file: &Path, text: &str) -> Vec<(String, Delivery)> {
    let lines: Vec<Value> = text.lines().filter_map(|l| serde_json::from_str(l).ok()).collect();
    let whole: BTreeSet<&str> = lines
        .iter()
        .filter(|line| line["payload"]["type"] == "task_complete")
        .filter_map(|line| line["payload"]["turn_id"].as_str())
        .collect();
    let user = |line: &&Value| {
        let payload = &line["payload"];
        line["type"] == "response_item" && payload["type"] == "message" && payload["role"] == "user"
    };
    let read = |line: &Value| {
        let payload = &line["payload"];
        let parts = payload["content"].as_array().map(Vec::as_slice).unwrap_or_default();
        let text: String = parts.iter().filter_map(|part| part["text"].as_str()).collect();
        let turn = payload["internal_chat_message_metadata_passthrough"]["turn_id"].as_str();
        let delivery = Delivery {
            file: file.to_path_buf(),
            again: text.starts_with(AGAIN),
            whole: turn.is_some_and(|turn| whole.contains(turn)),
        };
        (text, delivery)
    };
    lines.iter().filter(user).map(read).collect()
}

#[cfg(test)]
mod tests {
    use super::super::message::{Kind, Name};
    use super::*;
    use serde_json::json;

    fn line(text: &str, turn: &str) -> String {
        json!({"type": "response_item", "payload": {
            "type": "message", "role": "user", "content": [{"type": "input_text", "text": text}],
            "internal_chat_message_metadata_passthrough": {"turn_id": turn},
        }})
        .to_string()
    }

    #[test]
    fn deliveries_are_read_with_their_marks() {
        let name = Name { round: 1, seat: 2 };
        let message = Message::new(&name, 3, Kind::Work, true);
        let ended =
            json!({"type": "event_msg", "payload": {"type": "task_complete", "turn_id": "b"}});
        let again = format!("{AGAIN}, not by the manager.\n\n{}", message.text());
        let text =
            [line(&message.text(), "a"), line(&again, "b"), ended.to_string(), "{torn".into()];
        let all = Rollouts { taken: taken(Path::new("f"), &text.join("\n")) };
        let found: Vec<(bool, bool)> =
            all.of(&message).iter().map(|d| (d.again, d.whole)).collect();
        assert_eq!(found, [(false, false), (true, true)]);
        assert!(all.of(&Message::new(&name, 4, Kind::Work, true)).is_empty());
    }
}
