//! Arguments against the schema that the tool shows: what is wrong is said in words a model can act on.

use super::ToolError;
use serde_json::{Map, Value};

/// Arguments whose upper bound is not enforced here: their handlers clamp them and say so, because a
/// host that asks for a longer wait is better served by a shorter one than by an error.
const CLAMPED: [&str; 1] = ["wait_seconds"];

/// Checks a call's arguments; `null` for an optional argument means "not given".
///
/// # Errors
/// `invalid_argument` with the member `argument`, for the first thing that is wrong: missing, unknown,
/// type, words allowed, bounds.
pub(crate) fn check(
    schema: &Map<String, Value>,
    arguments: Option<Map<String, Value>>,
) -> Result<Map<String, Value>, ToolError> {
    let mut arguments = arguments.unwrap_or_default();
    let required = names(schema.get("required"));
    arguments.retain(|name, value| !value.is_null() || required.contains(&name.as_str()));
    object(schema, &arguments, "")?;
    Ok(arguments)
}

fn object(
    schema: &Map<String, Value>,
    members: &Map<String, Value>,
    path: &str,
) -> Result<(), ToolError> {
    let properties = schema.get("properties").and_then(Value::as_object);
    if let Some(name) = names(schema.get("required")).iter().find(|n| !members.contains_key(**n)) {
        let name = join(path, name);
        return Err(refuse(&name, format!("missing required argument '{name}'")));
    }
    let open = schema.get("additionalProperties").is_none_or(|v| v != false);
    for (name, value) in members {
        let full = join(path, name);
        match properties.and_then(|p| p.get(name)).and_then(Value::as_object) {
            Some(schema) => any_value(schema, value, &full)?,
            None if open => {}
            None => {
                let known: Vec<&str> =
                    properties.into_iter().flat_map(Map::keys).map(String::as_str).collect();
                let mut error = refuse(&full, format!("unknown argument '{full}'"));
                error.hint = format!("Known here: {}.", known.join(", "));
                return Err(error);
            }
        }
    }
    Ok(())
}

fn any_value(schema: &Map<String, Value>, value: &Value, path: &str) -> Result<(), ToolError> {
    for key in ["anyOf", "oneOf"] {
        if let Some(list) = schema.get(key).and_then(Value::as_array) {
            let fits = |s: &Value| s.as_object().is_none_or(|s| any_value(s, value, path).is_ok());
            if !list.iter().any(fits) {
                return Err(refuse(path, format!("'{path}' has none of the accepted forms")));
            }
        }
    }
    let expected = types(schema);
    if !expected.is_empty() && !expected.iter().any(|t| is_a(value, t)) {
        let got = type_of(value);
        let expected = expected.join(" or ");
        return Err(refuse(
            path,
            format!("wrong type for argument '{path}': expected {expected}, got {got}"),
        ));
    }
    if let Some(words) = schema.get("enum").and_then(Value::as_array)
        && !words.contains(value)
    {
        let words: Vec<&str> = words.iter().filter_map(Value::as_str).collect();
        let words = words.join(", ");
        return Err(refuse(path, format!("'{path}' must be one of: {words}")));
    }
    if schema.get("const").is_some_and(|c| c != value) {
        return Err(refuse(path, format!("'{path}' has a value that is not accepted")));
    }
    bounds(schema, value, path)?;
    match value {
        Value::Object(members) => object(schema, members, path),
        Value::Array(items) => match schema.get("items").and_then(Value::as_object) {
            Some(schema) => items
                .iter()
                .enumerate()
                .try_for_each(|(i, item)| any_value(schema, item, &format!("{path}[{i}]"))),
            None => Ok(()),
        },
        _ => Ok(()),
    }
}

fn bounds(schema: &Map<String, Value>, value: &Value, path: &str) -> Result<(), ToolError> {
    let bound = |key: &str| schema.get(key).and_then(Value::as_f64);
    let (size, least, most, unit) = match value {
        Value::Number(n) => (n.as_f64(), bound("minimum"), bound("maximum"), ""),
        Value::String(s) => {
            let count = u32::try_from(s.chars().count()).unwrap_or(u32::MAX);
            (Some(f64::from(count)), bound("minLength"), bound("maxLength"), " characters")
        }
        Value::Array(a) => {
            let count = u32::try_from(a.len()).unwrap_or(u32::MAX);
            (Some(f64::from(count)), bound("minItems"), bound("maxItems"), " items")
        }
        _ => return Ok(()),
    };
    let Some(size) = size else { return Ok(()) };
    if let Some(least) = least.filter(|l| size < *l) {
        return Err(refuse(path, format!("'{path}' must be at least {least}{unit}, is {size}")));
    }
    if let Some(most) = most.filter(|m| size > *m && !CLAMPED.contains(&path)) {
        return Err(refuse(path, format!("'{path}' must be at most {most}{unit}, is {size}")));
    }
    Ok(())
}

fn refuse(path: &str, message: String) -> ToolError {
    ToolError::invalid(message).with("argument", path)
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

fn names(value: Option<&Value>) -> Vec<&str> {
    value.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect()
}

fn types(schema: &Map<String, Value>) -> Vec<&str> {
    match schema.get("type") {
        Some(Value::String(one)) => vec![one],
        several => names(several),
    }
}

fn is_a(value: &Value, kind: &str) -> bool {
    match kind {
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        other => type_of(value) == other,
    }
}

fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn schema() -> Map<String, Value> {
        let schema = json!({
            "type": "object", "additionalProperties": false, "required": ["worker"],
            "properties": {
                "worker": {"type": "string", "minLength": 1, "maxLength": 5},
                "limit": {"type": "integer", "minimum": 1, "maximum": 9},
                "wait_seconds": {"type": "integer", "maximum": 45},
                "mode": {"type": "string", "enum": ["a", "b"]},
                "paths": {"type": "array", "maxItems": 2, "items": {"type": "string"}},
                "page": {"type": "object", "additionalProperties": false, "required": ["n"],
                         "properties": {"n": {"type": "integer"}}},
            }
        });
        schema.as_object().cloned().unwrap()
    }

    #[test]
    fn each_fault_is_named() {
        let table = [
            (json!({}), "missing required argument 'worker'"),
            (json!({"worker": null}), "expected string, got null"),
            (json!({"worker": "w", "x": 1}), "unknown argument 'x'"),
            (json!({"worker": 1}), "wrong type for argument 'worker': expected string, got number"),
            (json!({"worker": ""}), "'worker' must be at least 1 characters, is 0"),
            (json!({"worker": "abcdef"}), "'worker' must be at most 5 characters, is 6"),
            (json!({"worker": "w", "limit": 1.5}), "expected integer, got number"),
            (json!({"worker": "w", "limit": true}), "expected integer, got boolean"),
            (json!({"worker": "w", "limit": 0}), "'limit' must be at least 1, is 0"),
            (json!({"worker": "w", "mode": "c"}), "'mode' must be one of: a, b"),
            (json!({"worker": "w", "paths": ["a", 1]}), "argument 'paths[1]': expected string"),
            (json!({"worker": "w", "paths": ["a", "b", "c"]}), "'paths' must be at most 2 items"),
            (json!({"worker": "w", "page": {}}), "missing required argument 'page.n'"),
            (json!({"worker": "w", "page": {"n": 1, "m": 2}}), "unknown argument 'page.m'"),
        ];
        for (arguments, expected) in table {
            let error = check(&schema(), arguments.as_object().cloned()).unwrap_err();
            assert_eq!(error.code, "invalid_argument");
            assert!(error.message.contains(expected), "{} lacks {expected}", error.message);
        }
    }

    #[test]
    fn good_arguments_pass_and_null_means_not_given() {
        let given = json!({"worker": "w", "limit": null, "wait_seconds": 600, "page": {"n": 1}});
        let checked = check(&schema(), given.as_object().cloned()).unwrap();
        assert!(!checked.contains_key("limit"));
        assert_eq!(checked["wait_seconds"], json!(600));
    }
}
