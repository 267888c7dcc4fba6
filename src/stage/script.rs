use base64::Engine;
use serde_json::Value;

/// A brief or message: words for people, and the steps that the scripted model plays on it, as a JSON
/// list.
#[must_use]
pub fn script(words: &str, steps: &Value) -> String {
    let b64 = base64::engine::general_purpose::STANDARD.encode(steps.to_string());
    format!("{words}\n\n[[steps:b64={b64}]]")
}

/// The steps that [`script`] hid in a text: the last ones.
#[must_use]
pub fn steps_in(text: &str) -> Option<Value> {
    let (_, rest) = text.rsplit_once("[[steps:b64=")?;
    let (b64, _) = rest.split_once("]]")?;
    let bytes = base64::engine::general_purpose::STANDARD.decode(b64).ok()?;
    serde_json::from_slice(&bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn steps_come_back_from_the_text() {
        let steps = json!([{"say": "a"}]);
        assert_eq!(steps_in(&script("Do it.", &steps)), Some(steps));
        assert_eq!(steps_in("Do it."), None);
    }
}
