//! The tools, one file a family.

pub mod context;
mod context_files;
mod context_git;
#[cfg(test)]
mod context_tests;
