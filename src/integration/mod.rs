//! Bringing a worker's result into the base: preview, apply, verify, undo ref.
//!
//! Owns the three-way merge of snapshots and the only code that writes files of a base checkout. It
//! writes what was previewed, under the mutation lock, journaled before and verified after, or it
//! writes nothing. It never touches index or HEAD of the base; it commits only on a branch that no
//! checkout has.
//! siblings: worktree

mod affected;
mod apply;
mod branch;
mod error;
mod handed;
mod integrations;
mod material;
mod merge;
mod moves;
mod place;
mod plan;
mod preview;
mod recover;
mod sides;
mod take_back;
mod target;
mod undo;

#[cfg(test)]
pub(crate) mod tests;

pub use apply::{Applied, ApplyRequest};
pub use error::IntegrationError;
pub use handed::Handed;
pub use integrations::Integrations;
pub use preview::{Conflict, Preview};
pub use recover::Recovered;
pub use sides::ConflictSide;
pub use target::Target;
