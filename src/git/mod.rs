//! Git: the hardened program runner, repositories, and the plumbing that promises rest on.
//!
//! Owns every run of the `git` program: hooks and fsmonitor off, optional locks off, our own
//! environment, options ended before operands. It never writes index or HEAD of a base checkout.

mod add;
mod blobs;
mod diff;
mod error;
mod index;
mod known;
mod path;
mod pen;
mod program;
mod read;
mod read_diff;
mod read_status;
mod repo;
mod stage;
#[cfg(test)]
pub(crate) mod testbed;
mod version;

pub use add::Added;
pub use diff::{
    Change, ChangeKind, Entry, FileAt, FileDiff, MODE_EXECUTABLE, MODE_LINK, MODE_SUBMODULE,
};
pub use error::GitError;
pub use path::GitPath;
pub use pen::{NewCommit, Pen};
pub use program::{Git, GitRun, Output};
pub use read::Page;
pub use read_diff::{DiffScope, DiffStat};
pub use read_status::{Status, StatusEntry};
pub use repo::{Repo, RepoKey};
pub use stage::Stage;
