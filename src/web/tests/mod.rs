//! The HTTP door over real sockets.

mod access;
mod eras;
mod lost;
mod sessions;
mod support;
