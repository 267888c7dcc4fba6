//! The mutation lock of a repository: one writer of a base checkout at a time.
//!
//! Owns the row in `repo_locks` and the file `patchbay.lock` in the git common directory. It yields a
//! [`MutationProof`], which nothing else can make; every function that writes a base takes one. Also
//! here: the lock that makes a process the engine, and the short one around git's worktree metadata.
//! siblings: git, store

mod engine;
mod error;
mod file;
mod guard;
mod identity;
mod live;
mod locks;
mod metadata;
#[cfg(test)]
mod tests;

pub use engine::EngineLock;
pub use error::LockError;
pub use guard::{MutationGuard, MutationProof};
pub use locks::Locks;
pub use metadata::MetadataLock;
