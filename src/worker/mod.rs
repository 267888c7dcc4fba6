//! Workers: named, durable colleagues. Acceptance, the queue, the life of a turn, stop, views, overlap.
//!
//! Owns the way of a turn: claimed, prepared (worktree, thread), run, its events journalled, its end
//! decided once, its worktree snapshotted, its report stored. It never writes a base checkout and never
//! shows a worktree path or a thread id. siblings: backend, ownership, worktree

mod active;
mod approvals;
mod begin;
mod carry;
mod changes;
mod error;
mod full;
mod hold;
mod instructions;
mod look;
mod message;
mod overlap;
mod prepare;
mod pump;
mod recover;
mod room;
mod rules;
mod scheduler;
mod settle;
mod start;
mod stop;
mod wait;

#[cfg(test)]
mod fake;
#[cfg(test)]
mod tests;

pub use approvals::Decided;
pub use changes::{ChangeBase, WorkerChanges};
pub use error::WorkerError;
pub use look::{IntegrationState, Look, Messaging};
pub use message::{Delivered, Delivery, MessageRequest};
pub use overlap::Overlap;
pub use room::{Workers, WorkersDeps};
pub use rules::{Choice, MAX_BRIEF, MAX_NAME};
pub use start::{StartRequest, Started};
pub use stop::{StopRequest, Stopped};
pub use wait::{Until, WaitQuery, Waited};
