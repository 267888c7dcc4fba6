//! The doctor: checks, findings and their fixes.
//!
//! Looks at everything a turn needs on this machine: state directory, configuration, git, codex, its
//! sandbox, the login, the port, the disk, who ends the server. It starts short helper programs, changes
//! nothing but its own scratch directory, and reads no secret. Each finding that is not well says how to
//! mend it.
//! siblings: mcp, tunnel

mod checks;
mod codex;
mod examine;
mod finding;
mod machine;
mod supervisor;

pub use examine::{Patient, examine};
pub use finding::{Finding, Status};
