//! HTTP: routes, guard, authentication, health.
//!
//! Owns what stands before MCP: hosts, origins, the token, sessions of the legacy era. The secret of a
//! request ends here; nothing behind this room sees it, and no log does.
//! siblings: mcp

mod access;
mod error;
mod guard;
mod mount;
mod serve;
mod sessions;
#[cfg(test)]
mod tests;

pub use error::WebError;
pub use mount::mount;
pub use serve::serve;
