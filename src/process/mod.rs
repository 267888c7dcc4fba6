//! Child processes: spawning, the stop ladder, identity by pid and start time.
//!
//! Owns every spawn except git's. It may end only processes whose identity it has recorded; it never
//! inherits the environment: callers say which variables a child gets.

mod run;

pub use run::{Finished, Run, RunError};
