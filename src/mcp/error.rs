use crate::context::ContextError;
use crate::integration::IntegrationError;
use crate::lock::LockError;
use crate::worker::WorkerError;
use serde_json::{Map, Value, json};
use std::fmt::Display;

/// What a tool answers when it did not do what it was asked: `isError: true` with these members.
#[derive(Debug, Clone)]
pub struct ToolError {
    /// Stable snake_case code.
    pub code: &'static str,
    /// One sentence that says what is so.
    pub message: String,
    /// What to do next.
    pub hint: String,
    /// Fresh data beside code, message and hint.
    pub data: Map<String, Value>,
}

impl ToolError {
    /// An error with code, sentence and hint.
    pub fn new(code: &'static str, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { code, message: message.into(), hint: hint.into(), data: Map::new() }
    }

    /// Adds a member; one that does not serialize is left out.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl serde::Serialize) -> Self {
        if let Ok(value) = serde_json::to_value(value) {
            self.data.insert(name.to_owned(), value);
        }
        self
    }

    /// A fault of ours. The cause is logged; the chat sees a sentence without internals.
    pub fn internal(cause: impl Display) -> Self {
        tracing::error!(%cause, "internal error in a tool");
        Self::new(
            "internal_error",
            "patchbay hit an internal error; nothing is known to have changed.",
            "Call codex_worker_status to see what is so, and look at the server's log.",
        )
    }

    /// An argument that is not acceptable.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new("invalid_argument", message, "Correct the argument and call again.")
    }

    /// The members as one object.
    #[must_use]
    pub fn to_object(&self) -> Map<String, Value> {
        let mut object = self.data.clone();
        object.insert("code".to_owned(), json!(self.code));
        object.insert("message".to_owned(), json!(self.message));
        object.insert("hint".to_owned(), json!(self.hint));
        object
    }
}

impl From<ContextError> for ToolError {
    fn from(error: ContextError) -> Self {
        if let ContextError::Internal(cause) = error {
            return Self::internal(cause);
        }
        Self::new(error.code(), error.to_string(), error.hint())
    }
}

impl From<IntegrationError> for ToolError {
    fn from(error: IntegrationError) -> Self {
        Self::from(&error)
    }
}

impl From<&IntegrationError> for ToolError {
    fn from(error: &IntegrationError) -> Self {
        if error.code() == "integration_failed" {
            return Self::internal(error);
        }
        let shown = Self::new(error.code(), error.to_string(), error.hint());
        match error {
            IntegrationError::Lock(LockError::Busy { holder, operation, since, age }) => shown
                .with("holder", holder)
                .with("operation", operation)
                .with("since", since)
                .with("age_seconds", age.as_secs()),
            IntegrationError::UnknownCheck { known, .. } => shown.with("checks", known),
            _ => shown,
        }
    }
}

impl From<WorkerError> for ToolError {
    fn from(error: WorkerError) -> Self {
        if error.code() == "internal_error" {
            return Self::internal(error);
        }
        let shown = Self::new(error.code(), error.to_string(), error.hint());
        let named = |row: &crate::store::WorkerRow| {
            json!({ "worker_id": row.id, "name": row.name, "workspace_name": row.repo_name,
                    "state": row.state })
        };
        match error {
            WorkerError::NameTaken(row) => shown.with("worker", named(&row)),
            WorkerError::Ambiguous { candidates, .. } => {
                shown.with("candidates", candidates.iter().map(named).collect::<Vec<_>>())
            }
            WorkerError::ConfirmStop { elapsed_s, quiet_s, grace_s, .. } => shown
                .with("confirm_with", json!({ "force": true }))
                .with("active_turn_elapsed_seconds", elapsed_s)
                .with("active_turn_silent_seconds", quiet_s)
                .with("stop_confirmation_grace_seconds", grace_s),
            WorkerError::ConfirmDiscard { paths, .. } => shown
                .with("confirm_with", json!({ "discard_unintegrated_changes": true }))
                .with("unintegrated_changed_files", paths),
            _ => shown,
        }
    }
}
