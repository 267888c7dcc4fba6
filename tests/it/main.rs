//! Tests of the whole program: the real binary, the real codex, real git, real sockets. Only the
//! model's API is scripted.
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    missing_docs,
    unreachable_pub,
    reason = "tests start programs, and fail by panicking"
)]

mod support;

mod approvals;
mod crash;
mod demo;
mod disk;
mod doors;
mod drills;
mod escalated;
#[cfg(target_os = "linux")]
mod full;
mod hostile;
mod integrate;
mod lifecycle;
mod loops;
mod manage;
mod neighbours;
mod overlap;
mod read_only;
mod receipts;
mod scripted;
mod states;
mod terminal;
mod tunnel;
mod waits;
