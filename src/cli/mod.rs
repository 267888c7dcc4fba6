//! The command line: one file a command.
//!
//! Owns arguments, exit codes (0 done, 1 failed, 2 misused) and the words on the terminal. Standard
//! output holds the answer and nothing else, one JSON object with `--json`; all other words go to
//! standard error. Commands hold no logic of their own: they call the rooms below.
//! siblings: mcp, web, demo, doctor, eval, tunnel

mod args;
mod completions;
mod demo;
mod doctor;
mod engine;
mod engine_client;
mod entry;
mod error;
mod eval;
mod global;
mod install_codex;
mod leash;
mod man;
mod model;
mod settings;
mod sidecar;
mod start;
mod status;
mod stdio;
mod stop;
mod terminal;
mod tunnel;
mod worker;

pub use entry::{main, main_stdio};

#[cfg(test)]
mod tests;
