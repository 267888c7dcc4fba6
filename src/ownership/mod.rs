//! Who a call comes from: connector, chat, session. Coordination, not access control.
//!
//! Owns the caller's identity and the refs that chats see. Raw session ids leave this room only as
//! keyed digests.

mod caller;

pub use caller::{Caller, Owners};
