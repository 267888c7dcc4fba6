//! Secrets: values that are compared in constant time and never displayed.
//!
//! A [`Secret`] has no `Display` and its `Debug` says nothing. [`Secret::redact`] is the one way to
//! clean a text that may hold one.

mod value;

pub use value::{BadSecret, Secret};
