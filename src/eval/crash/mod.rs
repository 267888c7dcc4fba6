//! Crash drills: workers write, listen and are integrated while processes are killed at random.
//!
//! Owns the drill, its workers' clients, the choice of victims, and the judges. What the server says is
//! used to go on, never to judge: that is git's, codex's records', the model's log's and the process
//! table's.

mod actor;
mod drill;
mod judge;
mod line;
mod message;
mod rollouts;
mod round;
mod victim;

pub(super) use drill::{Drill, SETTINGS, files};
pub(super) use victim::{Role, helpers};
