//! patchbay: a local control plane for coding agents.
//!
//! A chat speaks MCP to this program; this program drives real `codex` workers, each in its own git
//! worktree, and applies accepted work to the user's checkout. The rooms below are built in floors:
//! a room imports only from lower floors (see `docs/architecture.md`).

#[cfg(not(unix))]
compile_error!("patchbay runs on Linux and macOS; on Windows use WSL 2.");

// Floor 0: ground
pub mod clock;
pub mod config;
pub mod failpoint;
pub mod ids;
pub mod paths;
pub mod secret;

// Floor 1: mechanism
pub mod git;
pub mod journal;
pub mod lock;
pub mod process;
pub mod store;

// Floor 2: domain
pub mod backend;
pub mod codex;
pub mod context;
pub mod integration;
pub mod ownership;
pub mod scripted;
pub mod worker;
pub mod worktree;

// Floor 3: assembly
pub mod app;
pub mod tasks;

// Floor 4: doors
pub mod cli;
pub mod demo;
pub mod doctor;
pub mod eval;
pub mod mcp;
pub mod stage;
pub mod tunnel;
pub mod web;

/// Counts what the unit tests allocate. A test that asks for its peak needs a process of its own, which
/// nextest gives it.
#[cfg(test)]
#[global_allocator]
static HEAP: peak_alloc::PeakAlloc = peak_alloc::PeakAlloc;
