//! The tools, one file a family.

pub mod context;
mod context_files;
mod context_git;
