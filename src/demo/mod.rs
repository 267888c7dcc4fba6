//! The demo: the whole way of one turn, offline, on a disposable repository.
//!
//! Owns a directory of its own and everything in it: a repository, a state directory, a home, the
//! scripted model. The server is a separate process that is reached over HTTP only, and codex is the
//! real one. It never touches the user's repositories, state or login, and it ends by checking that
//! nothing is left.
//! siblings: none

mod check;
mod client;
mod ledger;
mod options;
mod run;
#[cfg(test)]
mod run_tests;
mod screen;
mod server;
mod stage;
mod story;
mod turn;

pub use options::{Break, DemoOptions, DemoOutcome, Kept, StepDone};
pub use run::run;
