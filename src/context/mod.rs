//! Reading a repository for a chat: which one is meant, its tree, files, matches, status, diffs.
//!
//! Owns the rules of what a chat may see: allowed roots, blocked globs, private directories. Anyone
//! may read through it. It must never change a byte below a repository, run a program that a
//! repository names, follow a link out of one, or cut a result without saying so.
//! siblings: none

mod beneath;
mod blocking;
mod changes;
mod drawing;
mod error;
mod file;
mod gather;
mod guard;
mod listing;
mod matching;
mod orient;
mod page;
mod patch;
mod place;
mod room;
mod schema;
mod search;
mod summary;
mod sweep;
mod tree;
mod walk;

#[cfg(test)]
pub(crate) mod testbed;
#[cfg(test)]
mod tests_files;
#[cfg(test)]
mod tests_git;
#[cfg(test)]
mod tests_places;

use blocking::blocking;
pub use changes::{ChangesView, DiffView, StatusView};
pub use error::ContextError;
pub use file::{FilePage, FileQuery};
pub use listing::{ListQuery, ListView, WorkspaceEntry};
pub use orient::OpenView;
pub use patch::{DiffQuery, FileChange};
pub use place::{ShownPath, Workspace};
pub use room::Context;
use schema::{Open, bare};
pub use search::{SearchMatch, SearchQuery, SearchResult};
pub use summary::{ChangedPath, GitSummary};
pub use tree::{TreeQuery, TreeView};
