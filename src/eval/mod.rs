//! Evals: scenarios, crash drills, a soak and a load, each played on a stage and judged from outside.
//!
//! Owns the scenarios (one file each below `evals/`, compiled in), how they are played, and the judges:
//! git, codex's own records, the scripted model's log, the process table and the clients' answers.
//! What the server says of itself is never proof of what it did. It touches a stage and nothing else.
//! siblings: stage

mod catalog;
mod checks;
mod crash;
mod expect;
mod ground;
mod load;
mod options;
mod play;
mod random;
mod run;
mod scenario;
mod soak;

pub use options::{Break, Check, EvalError, EvalOptions, EvalReport, What};
pub use run::run;
