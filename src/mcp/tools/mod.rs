//! The tools, one file a family. Each family declares its tools once; list, call, schemas and docs
//! follow from that.

mod all;
mod connector;
mod context;
mod context_files;
mod context_git;

use super::{Facts, ToolSpec};
pub use all::all;
