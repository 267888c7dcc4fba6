//! The catalog as hosts see it, and the private socket.

mod catalog;
mod socket;
