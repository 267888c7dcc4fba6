//! What is carried over from the user's own codex home into ours: model, effort, the provider in use,
//! MCP servers that were named, global instructions, skills. All else stays behind, and why is told.
//! The user's files are read with bounds and never changed; nothing in them can stop a start.

mod files;
mod mcp;
mod model;
mod provider;
mod read;
mod report;
mod skills;
mod survey;
#[cfg(test)]
mod tests;
mod value;

pub(super) use read::logs_in_by_keyring;
pub use report::{Carried, CarriedItem};
pub(super) use skills::copied as skills_dir;
pub(super) use survey::Survey;
