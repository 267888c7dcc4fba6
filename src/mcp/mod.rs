//! The MCP door: the catalog of tools, the server handler, errors.
//!
//! One declaration a tool feeds list, call, schema and docs. Handlers translate between arguments and
//! domain calls; they hold no logic of their own. siblings: none

mod answer;
mod catalog;
mod error;
pub mod tools;

pub use answer::Answer;
pub use catalog::{Call, Handler, Hints, ToolSpec, tool};
pub use error::ToolError;
