//! The demo: the whole way of one turn, offline, on a disposable repository.
//!
//! Owns the story that is played on a stage and how it is told. The server is a separate process that
//! is reached over HTTP only, and codex is the real one. It never touches the user's repositories or
//! state, and it ends by checking that nothing is left. A live demo is the same with the user's own codex
//! home and a real model; only that one uses a login.
//! siblings: stage

mod check;
mod ledger;
mod login;
mod options;
mod run;
#[cfg(test)]
mod run_tests;
mod story;
mod turn;

pub use options::{Break, DemoOptions, DemoOutcome, Kept, StepDone};
pub use run::run;
