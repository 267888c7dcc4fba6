//! The HTTP door over real sockets.

mod access;
mod bodies;
mod eras;
mod lost;
mod probe;
mod sessions;
mod streams;
mod support;
