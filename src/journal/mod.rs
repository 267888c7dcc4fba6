//! The journal: append-only events of turns, cursors, live subscribers.
//!
//! Owns batching and the live (unstored) deltas. Events are never changed or removed; inserting one
//! twice changes nothing. siblings: store

mod live;
mod payload;
mod task;
mod writer;

#[cfg(test)]
mod tests;

pub use live::LiveDelta;
pub use payload::{Head, LARGEST as LARGEST_PAYLOAD, keep as keep_payload};
pub use writer::{Journal, JournalError};
