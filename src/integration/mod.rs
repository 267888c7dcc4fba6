//! Bringing a worker's result into the base: preview, apply, verify, undo ref.
//!
//! Owns the three-way merge of snapshots and the only code that writes files of a base checkout. It
//! writes what was previewed, under the mutation lock, journaled before and verified after, or it
//! writes nothing. It never touches index or HEAD of the base; it commits only on a branch that no
//! checkout has. Checks of a merged result run in a throwaway worktree, in the agent's sandbox, and their
//! receipt holds for exactly that result.
//! siblings: backend, worktree

mod affected;
mod apply;
mod branch;
mod checks;
mod error;
mod handed;
mod integrations;
mod landing;
mod material;
mod merge;
mod moves;
mod place;
mod plan;
mod preview;
mod receipt;
mod recover;
mod sides;
mod take_back;
mod target;
mod undo;

#[cfg(test)]
pub(crate) mod tests;

pub use apply::{Applied, ApplyRequest};
pub use checks::Checker;
pub use error::IntegrationError;
pub use handed::Handed;
pub use integrations::Integrations;
pub use preview::{Conflict, Preview};
pub use receipt::{CheckResult, Outcome, Receipt};
pub use recover::Recovered;
pub use sides::ConflictSide;
pub use target::Target;
