//! What a coding agent must be able to do to carry a worker.
//!
//! Owns the trait and the vocabulary of turns as the worker room sees them. It knows no protocol; the
//! `codex` room implements it.

mod event;
mod spec;
mod traits;

pub use event::{Ask, AskKind, Ending, ItemPhase, TurnEvent, TurnFailure, Verdict};
pub use spec::{
    CheckEnd, CheckSpec, Effort, Login, Model, ModelMenu, Sandbox, ThreadRef, ThreadSpec, TurnSpec,
};
pub use traits::{Attached, Backend, BackendError, EventSink};
