//! Identifiers: a prefix that names the kind, then a version 7 UUID as 32 hexadecimal digits.
//!
//! Owns the format and the minting. Nothing else makes or parses ids; an id is never reused.
//! siblings: clock

mod id;

pub use id::{ApprovalId, BadId, EngineId, IntegrationId, ReceiptId, SnapshotId, TurnId, WorkerId};
