//! The tunnel: a program of the user's that makes our port reachable under a public address.
//!
//! Owns the tunnel's process, its address and its health. It opens a way to nothing but the port that
//! this server listens on, and only while HTTP asks for the token; the program gets no secret, neither
//! as an argument nor in its environment. What it prints is read for good and kept in part.
//! siblings: mcp

mod cloudflared;
mod error;
mod guide;
mod health;
mod hear;
mod options;
mod supervise;
#[cfg(test)]
mod tests;

pub use cloudflared::find;
pub use error::TunnelError;
pub use guide::guide;
pub use options::{Pauses, TunnelOptions};
pub use supervise::Tunnel;
