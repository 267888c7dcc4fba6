//! Child processes: spawning, the stop ladder, identity by pid and start time.
//!
//! Owns every spawn except git's. It may end only processes whose identity it has recorded or that
//! stand below such a one; it never inherits the environment: callers say which variables a child gets.

mod error;
mod identity;
mod ladder;
mod leash;
mod look;
mod run;
mod spawn;
#[cfg_attr(not(target_os = "linux"), path = "table_other.rs")]
mod table;

pub use error::ProcessError;
pub use identity::Identity;
pub use ladder::{Ladder, end_all};
pub use leash::become_leashed;
pub use look::{Holding, command_line, holding, standing_in};
pub use run::{Finished, Run, RunError};
pub use spawn::{Io, Spawn};
pub use table::{Process, descendants, marked, process, session_members, zombie_children};
