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
mod doors;
mod drills;
mod hostile;
mod loops;
mod manage;
mod read_only;
mod scripted;
mod terminal;
mod tunnel;
