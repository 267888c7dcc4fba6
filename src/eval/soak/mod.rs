//! The soak: many turns, and what the processes and the disk hold after them.
//!
//! Owns the lanes that make the turns, the samples, and the verdict about growth. What is stored
//! for each turn is judged by the turn: the store, git's objects and codex's own home.

mod lane;
mod sample;
mod soaking;
mod verdict;

pub(super) use soaking::{Soak, files};
