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
    /// Makes an answer from a value that serializes to an object.
    ///
    /// # Errors
    /// `internal_error` when the value is no object.
    pub fn new(value: &impl Serialize, text: impl Into<String>) -> Result<Self, ToolError> {
        match serde_json::to_value(value) {
            Ok(Value::Object(structured)) => Ok(Self { structured, text: text.into() }),
            Ok(_) => Err(ToolError::internal("a result is not an object")),
            Err(error) => Err(ToolError::internal(error)),
        }
    }
}
