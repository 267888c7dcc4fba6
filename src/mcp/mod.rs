//! The MCP door: the catalog of tools, the server behind every transport, stdio and the private socket.
//!
//! One declaration a tool feeds list, call, schema and docs. Handlers translate between arguments and
//! domain calls; they hold no logic of their own. What a call may do is decided at call time, not by
//! what was listed.
//! siblings: none

mod answer;
mod arguments;
mod catalog;
mod connection;
mod dispatch;
mod error;
mod facts;
mod instructions;
mod presence;
mod reach;
mod recorder;
mod registry;
mod relay;
mod schema;
mod server;
mod session;
pub mod socket;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
pub mod tools;

pub use answer::Answer;
pub use catalog::{Call, Handler, Hints, ToolSpec, tool};
pub use connection::{Connection, session_key};
pub use error::ToolError;
pub use facts::{Check, CheckStatus, Facts};
pub use presence::{Presence, Seat};
pub use reach::{PROBE_HEADER, Reach, TunnelState};
pub use registry::{Catalog, CatalogError, mode_name};
pub use relay::{End, StdioClient};
pub use server::{Server, StopRequest};
