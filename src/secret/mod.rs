//! Secrets: values that are compared in constant time and never displayed.
//!
//! A [`Secret`] has no `Display` and its `Debug` says nothing. [`Secret::redact`] is the one way to
//! clean a text that may hold one. The token file of a state directory is read and made here.
//! siblings: paths

mod token_file;
mod value;

pub use token_file::TokenError;
pub use value::{BadSecret, Secret};
