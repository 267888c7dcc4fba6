//! The codex backend: which binary, its configuration, the sidecar, the app-server client.
//! siblings: backend
//!
//! Owns codex's home and everything that is said to codex. It changes the store only through the
//! registry of processes, and knows nothing of workers' rows, git or MCP.

mod install;
mod locate;
mod release;

pub use install::{InstallError, install};
pub use locate::locate;
pub use release::{BASELINE, CodexProgram};
