//! The codex backend: which binary, its configuration, the sidecar, the app-server client.
//!
//! Owns everything that is known about `codex` and the life of the one app-server of a state directory.
//! It never trusts a repository, never opens a thread with anything but `sandbox: "read-only"`, and runs
//! no turn unless codex has taken the configuration that was written here.
//! siblings: backend

mod check;
mod client;
mod conn;
mod control;
mod error;
mod home;
mod install;
mod launch;
mod locate;
mod models;
mod profile;
mod replay;
mod route;
mod server;
pub mod sidecar;
mod socket;
mod spool;
mod threads;
mod wire;

pub use check::{sandbox_check, version_of};
pub use error::CodexError;
pub use home::{Login, login};
pub use install::{Installed, PINNED, install};
pub use locate::{Codex, Origin, locate};
pub use server::{AppServer, end_sidecar};
