//! Where things are: the process environment as a value, the state directory, allowed roots.
//!
//! Owns every rule by which a text becomes a path. Resolution here cannot leave its root, whatever
//! `..`, links or not-yet-existing names are in it. It never creates anything but the state directory.

mod env;
mod roots;
mod state;

pub use env::Env;
pub use roots::{AllowedRoots, PathError, RepoPath};
pub use state::{StateDir, StateError, is_full};
