//! Bringing a worker's result into the base: preview, apply, verify, undo ref.
//!
//! Owns the three-way merge of snapshots and the only code that writes files of a base checkout. It
//! writes what was previewed, under the mutation lock, journaled before and verified after, or it
//! writes nothing. It never touches index or HEAD of the base and never commits there.
//! siblings: worktree

mod affected;
mod apply;
mod error;
mod integrations;
mod merge;
mod moves;
mod place;
mod plan;
mod preview;
mod recover;
mod undo;

#[cfg(test)]
pub(crate) mod tests;

pub use apply::{Applied, ApplyRequest};
pub use error::IntegrationError;
pub use integrations::Integrations;
pub use preview::{Conflict, Preview};
pub use recover::Recovered;
