use anyhow::{Context, ensure};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// What was kept in a scenario, by name.
pub(super) type Kept = BTreeMap<String, Value>;

/// Whether a value is as expected. An object with one of these members is a question, anything else is
/// compared:
///
/// | question | holds when |
/// |---|---|
/// | `contains: text` | the text is in the string, or in one of the list |
/// | `lacks: text` | it is not |
/// | `present: bool` | there is a value that is not null, or there is none |
/// | `count: n` | the list has n members |
/// | `at_least: n` | the number is not smaller |
/// | `not: value` | it is another value |
/// | `each: pointer`, `are: list` | what the pointer names in each member is this list, in any order |
pub(super) fn holds(found: Option<&Value>, expected: &Value, kept: &Kept) -> anyhow::Result<()> {
    let expected = &filled(expected, kept)?;
    let null = Value::Null;
    let value = found.unwrap_or(&null);
    let question = expected.as_object().and_then(|object| Some((object, object.keys().next()?)));
    let right = match question.map(|(object, word)| (object, word.as_str())) {
        Some((ask, "contains")) => mentions(value, text(ask, "contains")?),
        Some((ask, "lacks")) => !mentions(value, text(ask, "lacks")?),
        Some((ask, "present")) => ask["present"] == Value::Bool(!value.is_null()),
        Some((ask, "count")) => {
            value.as_array().map(|list| list.len() as u64) == ask["count"].as_u64()
        }
        Some((ask, "at_least")) => {
            value.as_f64() >= Some(ask["at_least"].as_f64().context("no number")?)
        }
        Some((ask, "not")) => *value != ask["not"],
        Some((ask, "are" | "each")) => same_members(value, ask)?,
        _ => value == expected,
    };
    ensure!(right, "expected {expected}, found {}", short(value));
    Ok(())
}

fn text<'a>(ask: &'a Map<String, Value>, word: &str) -> anyhow::Result<&'a str> {
    ask[word].as_str().with_context(|| format!("{word} takes a text"))
}

fn mentions(value: &Value, text: &str) -> bool {
    match value {
        Value::String(found) => found.contains(text),
        Value::Array(list) => list.iter().any(|member| mentions(member, text)),
        _ => false,
    }
}

fn same_members(value: &Value, ask: &Map<String, Value>) -> anyhow::Result<bool> {
    let pointer = ask.get("each").and_then(Value::as_str).context("`each` takes a pointer")?;
    let sorted = |mut list: Vec<String>| {
        list.sort_unstable();
        list
    };
    let words = |list: &Value, pointer: &str| {
        let members = list.as_array().map(Vec::as_slice).unwrap_or_default();
        sorted(members.iter().filter_map(|m| Some(m.pointer(pointer)?.to_string())).collect())
    };
    let expected = ask.get("are").context("`each` needs `are`")?;
    Ok(value.is_array() && words(value, pointer) == words(expected, ""))
}

fn short(value: &Value) -> String {
    let text = value.to_string();
    text.chars().take(400).collect()
}

/// A value in which `${name}` stands for what was kept: the value itself where it is the whole string,
/// its text otherwise.
pub(super) fn filled(value: &Value, kept: &Kept) -> anyhow::Result<Value> {
    Ok(match value {
        Value::String(text) => filled_text(text, kept)?,
        Value::Array(list) => {
            list.iter().map(|v| filled(v, kept)).collect::<anyhow::Result<Vec<_>>>()?.into()
        }
        Value::Object(members) => {
            let fill = |(name, value): (&String, &Value)| Ok((name.clone(), filled(value, kept)?));
            Value::Object(members.iter().map(fill).collect::<anyhow::Result<Map<_, _>>>()?)
        }
        other => other.clone(),
    })
}

fn filled_text(text: &str, kept: &Kept) -> anyhow::Result<Value> {
    let get = |name: &str| kept.get(name).with_context(|| format!("nothing is kept as {name}"));
    if let Some(name) = text.strip_prefix("${").and_then(|rest| rest.strip_suffix('}')) {
        return get(name).cloned();
    }
    let (mut done, mut rest) = (String::new(), text);
    while let Some((before, after)) = rest.split_once("${") {
        let (name, after) = after.split_once('}').context("a ${ without its }")?;
        let value = get(name)?;
        done.push_str(before);
        done.push_str(&value.as_str().map_or_else(|| value.to_string(), str::to_owned));
        rest = after;
    }
    Ok(Value::String(done + rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn questions_hold_for_what_they_say_and_for_nothing_else() {
        let kept = Kept::from([("n".to_owned(), json!(7))]);
        let (list, words) = (json!([{"p": "b"}, {"p": "a"}]), json!("some words"));
        let table = [
            (&words, json!({"contains": "word"}), true),
            (&words, json!({"contains": "none"}), false),
            (&words, json!({"lacks": "none"}), true),
            (&words, json!("some words"), true),
            (&words, json!({"not": "some words"}), false),
            (&words, json!({"present": true}), true),
            (&Value::Null, json!({"present": true}), false),
            (&Value::Null, json!({"present": false}), true),
            (&list, json!({"count": 2}), true),
            (&list, json!({"count": 3}), false),
            (&list, json!({"each": "/p", "are": ["a", "b"]}), true),
            (&list, json!({"each": "/p", "are": ["a"]}), false),
            (&Value::Null, json!({"each": "/p", "are": []}), false),
            (&json!(7), json!("${n}"), true),
            (&json!("x7"), json!("x${n}"), true),
            (&json!(8), json!({"at_least": 8}), true),
            (&json!(8), json!({"at_least": 9}), false),
            (&json!("8"), json!({"at_least": 1}), false),
        ];
        for (value, expected, right) in table {
            assert_eq!(holds(Some(value), &expected, &kept).is_ok(), right, "{value} {expected}");
        }
        assert!(holds(Some(&words), &json!("${unknown}"), &kept).is_err());
    }
}
