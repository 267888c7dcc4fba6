//! The codex backend: which binary, its configuration, the sidecar, the app-server client.
//! siblings: backend, scripted
//!
//! Owns everything that is known about `codex` and the life of the one app-server of a state directory.
//! It changes the store only through the registry of processes, and knows nothing of workers' rows, git or
//! MCP. It never trusts a repository, never opens a thread with anything but `sandbox: "read-only"`, and
//! runs no turn unless codex has taken the configuration that was written here. A codex of another version
//! than the tested one gets work only after a probe: two short turns against the scripted model.

mod activity;
mod ask;
mod carry;
mod check;
mod client;
mod conn;
mod control;
mod error;
mod event;
mod exec;
mod home;
mod install;
mod large;
mod launch;
mod limits;
mod locate;
mod login;
mod models;
mod probe;
mod probed;
mod profile;
mod release;
mod replay;
mod rollout;
mod route;
mod server;
mod session;
mod sessions;
pub mod sidecar;
mod socket;
mod spill;
mod spool;
mod threads;
mod variables;
mod websocket;
mod wire;

pub use carry::{Carried, CarriedItem};
pub use check::sandbox_check;
pub use error::CodexError;
pub use home::{Login, carried, login};
pub use install::{InstallError, install};
pub use locate::locate;
pub use probed::{Probed, probed};
pub use release::{BASELINE, CodexProgram};
pub use server::{AppServer, end_sidecar};
