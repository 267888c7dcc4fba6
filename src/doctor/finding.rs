use crate::codex::CarriedItem;
use serde::Serialize;

/// How a check came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// As it should be.
    Pass,
    /// Works, with a reservation.
    Warn,
    /// A turn cannot run like this.
    Fail,
}

/// What one check found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Stable name of the check, for example `git`.
    pub id: &'static str,
    /// How it came out.
    pub status: Status,
    /// What is so.
    pub detail: String,
    /// What to do about it; `None` when it is well.
    pub fix: Option<String>,
    /// Things that were looked at one by one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub items: Vec<CarriedItem>,
}

impl Finding {
    /// All is well.
    #[must_use]
    pub fn pass(id: &'static str, detail: impl Into<String>) -> Self {
        Self { id, status: Status::Pass, detail: detail.into(), fix: None, items: Vec::new() }
    }

    /// It works, with a reservation.
    #[must_use]
    pub fn warn(id: &'static str, detail: impl Into<String>, fix: impl Into<String>) -> Self {
        Self {
            id,
            status: Status::Warn,
            detail: detail.into(),
            fix: Some(fix.into()),
            items: Vec::new(),
        }
    }

    /// A turn cannot run like this.
    #[must_use]
    pub fn fail(id: &'static str, detail: impl Into<String>, fix: impl Into<String>) -> Self {
        Self {
            id,
            status: Status::Fail,
            detail: detail.into(),
            fix: Some(fix.into()),
            items: Vec::new(),
        }
    }

    /// With the things it speaks of.
    #[must_use]
    pub fn with(mut self, items: Vec<CarriedItem>) -> Self {
        self.items = items;
        self
    }
}
