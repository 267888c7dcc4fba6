//! A stage: a disposable place on which the whole program is played, by the demo and by evals.
//!
//! Owns a directory of its own and everything in it: a repository, a state directory, a home, the
//! scripted model; the server as a separate process, clients of its three doors, and the look at what
//! is left afterwards. It never touches the user's repositories or state, their login in a live play
//! alone, and it knows nothing of what is played on it.
//! siblings: none

mod client;
mod codex;
mod leftovers;
mod place;
mod screen;
mod script;
mod server;
mod wire;

pub use client::{Answer, Client, Door, http};
pub use codex::{find_codex, with_codex};
pub use leftovers::{nothing_left, nothing_runs, running, worktrees};
pub use place::{Files, Found, Stage, files_below, make_dir, prepare, prepare_live, remove_dir};
pub use screen::Screen;
pub use script::{script, steps_in};
pub use server::{Ready, Server};
