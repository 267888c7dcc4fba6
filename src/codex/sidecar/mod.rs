//! The sidecar: a hidden mode of this program that is the parent of `codex app-server` and outlives the
//! server. It has its own session, is the reaper of everything that codex leaves, and ends codex when no
//! server has been connected and no turn has been active for a while, or when it is asked.

mod args;
mod guard;
mod idle;
mod run;
mod serve;

pub use args::SidecarArgs;
pub use guard::sweep_dead;
pub use run::main;
