//! The codex backend against the real codex: the model's API is scripted, everything else is real.
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    missing_docs,
    unreachable_pub,
    reason = "tests start programs, and fail by panicking"
)]

mod carried;
mod life;
mod probe;
mod rig;
mod sandbox;
mod traps;
mod turns;
mod upgrade;
