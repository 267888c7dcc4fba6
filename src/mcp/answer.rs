use super::ToolError;
use serde::Serialize;
use serde_json::{Map, Value};

/// A successful result: complete as data, and said again for people.
#[derive(Debug, Clone)]
pub struct Answer {
    /// `structuredContent`; an object that is complete on its own.
    pub structured: Map<String, Value>,
    /// The same for people, short.
    pub text: String,
}

impl Answer {
    /// Makes an answer from a value that serializes to an object. Members that are `null` are left
    /// out, at any depth: schemas say "optional", because hosts stumble over `[type, null]`.
    ///
    /// # Errors
    /// `internal_error` when the value is no object.
    pub fn new(value: &impl Serialize, text: impl Into<String>) -> Result<Self, ToolError> {
        match serde_json::to_value(value) {
            Ok(Value::Object(mut structured)) => {
                drop_nulls(&mut structured);
                Ok(Self { structured, text: text.into() })
            }
            Ok(_) => Err(ToolError::internal("a result is not an object")),
            Err(error) => Err(ToolError::internal(error)),
        }
    }
}

fn drop_nulls(object: &mut Map<String, Value>) {
    object.retain(|_, value| !value.is_null());
    object.values_mut().for_each(drop_nulls_within);
}

fn drop_nulls_within(value: &mut Value) {
    match value {
        Value::Object(object) => drop_nulls(object),
        Value::Array(items) => items.iter_mut().for_each(drop_nulls_within),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn nulls_are_left_out_and_only_objects_are_answers() {
        let answer =
            Answer::new(&json!({"a": null, "b": [{"c": null, "d": 1}, null]}), "t").unwrap();
        assert_eq!(Value::Object(answer.structured), json!({"b": [{"d": 1}, null]}));
        assert_eq!(Answer::new(&json!([1]), "t").unwrap_err().code, "internal_error");
    }
}
