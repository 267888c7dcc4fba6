//! HTTP: routes, guard, authentication, health.
//!
//! Owns what stands before MCP: hosts, origins, the token, sessions of the legacy era. The secret of a
//! request ends here; nothing behind this room sees it, and no log does.
//! siblings: mcp

mod access;
mod body;
mod error;
mod explain;
mod guard;
mod kept;
mod mount;
mod serve;
mod session_id;
mod sessions;
#[cfg(test)]
mod tests;
mod unblocked;

pub use error::WebError;
pub use mount::{Front, mount, mount_handler};
pub use serve::serve;
