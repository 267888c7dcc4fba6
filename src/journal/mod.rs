//! The journal: append-only events of turns, cursors, live subscribers.
//!
//! Owns batching and the live (unstored) deltas. Events are never changed or removed; inserting one
//! twice changes nothing.
