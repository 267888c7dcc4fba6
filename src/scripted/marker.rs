use super::request::{is_user, text_of};
use serde_json::Value;
use std::collections::BTreeMap;

/// Which scene a conversation asks for, and from where its steps are counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Marker {
    /// The scene's name.
    pub(super) name: String,
    /// What stands after the colon.
    pub(super) options: BTreeMap<String, String>,
    /// Index of the user message in `input` that holds the marker.
    pub(super) index: usize,
    /// The whole text of that message.
    pub(super) prompt: String,
}

impl Marker {
    /// Finds the last marker of the last user message that has one; without any, the scene is
    /// `answer` on the last message that is the user's own (codex puts context into `<…>` messages).
    pub(super) fn locate(input: &[Value]) -> Self {
        let mut own = None;
        for (index, item) in input.iter().enumerate().rev().filter(|(_, item)| is_user(item)) {
            let prompt = text_of(item);
            if let Some((name, options)) = last_marker(&prompt) {
                return Self { name, options, index, prompt };
            }
            if own.is_none() && !prompt.trim_start().starts_with('<') {
                own = Some((index, prompt));
            }
        }
        let (index, prompt) = own.unwrap_or((input.len().saturating_sub(1), String::new()));
        Self { name: "answer".to_owned(), options: BTreeMap::new(), index, prompt }
    }

    /// The option as text.
    pub(super) fn text<'a>(&'a self, key: &str, default: &'a str) -> &'a str {
        self.options.get(key).map_or(default, String::as_str)
    }

    /// The option as a number; what cannot be read counts as the default.
    pub(super) fn number<T: std::str::FromStr>(&self, key: &str, default: T) -> T {
        self.options.get(key).and_then(|v| v.parse().ok()).unwrap_or(default)
    }
}

type Found = (String, BTreeMap<String, String>);

/// The last `[[name]]` or `[[name:key=value,…]]` of a text.
fn last_marker(text: &str) -> Option<Found> {
    text.rmatch_indices("[[").find_map(|(at, _)| marker_at(&text[at + 2..]))
}

fn marker_at(rest: &str) -> Option<Found> {
    let inner = &rest[..rest.find(']')?];
    if !rest[inner.len()..].starts_with("]]") {
        return None;
    }
    let (name, options) = inner.split_once(':').unwrap_or((inner, ""));
    let named = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' || b == b'-';
    if name.is_empty() || !name.bytes().all(named) {
        return None;
    }
    let options = options
        .split(',')
        .filter_map(|pair| pair.split_once('='))
        .map(|(k, v)| (k.trim().to_owned(), v.trim().to_owned()))
        .collect();
    Some((name.to_owned(), options))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn user(text: &str) -> Value {
        json!({"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]})
    }

    #[test]
    fn the_last_marker_of_the_last_marked_message_counts() {
        let input = [
            user("[[slow]]"),
            user("a [[think:s=1]] b [[sh:b64=ZWNobw==, yield=5]] c"),
            user("go on"),
        ];
        let found = Marker::locate(&input);
        assert_eq!((found.name.as_str(), found.index), ("sh", 1));
        assert_eq!(found.text("b64", ""), "ZWNobw==");
        assert_eq!(found.number("yield", 0_u64), 5);
    }

    #[test]
    fn what_is_no_marker_is_left_alone() {
        for text in ["[[No]]", "[[a", "[[a]", "[[]]", "[[ a ]]", "if [[ -e x ]]; then"] {
            assert_eq!(last_marker(text), None, "{text}");
        }
    }

    #[test]
    fn without_a_marker_the_users_own_words_are_answered() {
        let input = [user("hello"), user("<environment_context>x</environment_context>")];
        let found = Marker::locate(&input);
        assert_eq!((found.name.as_str(), found.index), ("answer", 0));
        assert_eq!(found.prompt, "hello");
    }
}
