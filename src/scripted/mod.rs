//! A scripted stand-in for the model's API, for the demo, evals, tests, and the probe of an unknown codex.
//!
//! It speaks enough of the OpenAI Responses API over SSE for the real codex to work against it, with
//! no account and no network: what the "model" does is written into the prompt as a marker
//! (`[[steps:b64=…]]`; the scenes are listed at `scenes::play`). Owns the server, the scenes and
//! the log of what was asked. It listens on loopback only, is started only on request, and never
//! keeps a header of a request.
//! siblings: none

mod acts;
mod dialect;
mod fault;
mod gates;
mod item;
mod log;
mod marker;
mod reply;
mod request;
mod sample;
mod scenes;
mod server;
#[cfg(test)]
mod server_tests;
mod sse;
mod steps;
mod tools;

pub use dialect::Dialect;
pub use log::Asked;
pub use server::{ScriptedError, ScriptedModel, ScriptedOptions};
