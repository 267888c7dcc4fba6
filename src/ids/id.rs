use crate::clock::Clock;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// A string that is not an id of the expected kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not an id of the form {prefix}_ followed by 32 lowercase hexadecimal digits")]
pub struct BadId {
    /// The prefix that was expected, without the underscore.
    pub prefix: &'static str,
}

fn mint(prefix: &str, clock: &Clock) -> String {
    let ms = clock.now_ms().max(0).unsigned_abs();
    let nanos = u32::try_from(ms % 1000).unwrap_or(0) * 1_000_000;
    let stamp = uuid::Timestamp::from_unix(uuid::NoContext, ms / 1000, nanos);
    format!("{prefix}_{}", uuid::Uuid::new_v7(stamp).simple())
}

fn well_formed(prefix: &str, text: &str) -> bool {
    text.strip_prefix(prefix).and_then(|rest| rest.strip_prefix('_')).is_some_and(|hex| {
        hex.len() == 32 && hex.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    })
}

macro_rules! id_type {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// Makes a new id; ids made later sort later (to the millisecond).
            #[must_use]
            pub fn mint(clock: &Clock) -> Self {
                Self(mint($prefix, clock))
            }

            /// The id as it is stored and shown.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = BadId;
            fn from_str(text: &str) -> Result<Self, BadId> {
                if well_formed($prefix, text) {
                    Ok(Self(text.to_owned()))
                } else {
                    Err(BadId { prefix: $prefix })
                }
            }
        }

        impl TryFrom<String> for $name {
            type Error = BadId;
            fn try_from(text: String) -> Result<Self, BadId> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

id_type!(
    /// A named worker.
    WorkerId, "wrk"
);
id_type!(
    /// One turn of a worker: a brief or a message, and all that follows from it.
    TurnId, "trn"
);
id_type!(
    /// One attempt to bring a worker's result into the base checkout.
    IntegrationId, "int"
);
id_type!(
    /// A snapshot of a worktree as git objects.
    SnapshotId, "snp"
);
id_type!(
    /// A run of checks on a merged result.
    ReceiptId, "rcp"
);
id_type!(
    /// One request of a worker to do what its sandbox does not allow.
    ApprovalId, "apr"
);
id_type!(
    /// One life of the engine process; claims of turns carry it.
    EngineId, "eng"
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn minted_ids_parse_and_sort_by_time() {
        let clock = Clock::manual(1_000);
        let first = WorkerId::mint(&clock);
        clock.advance(5);
        let second = WorkerId::mint(&clock);
        assert!(first < second);
        assert_eq!(first.as_str().parse::<WorkerId>().unwrap(), first);
        assert!(first.as_str().parse::<TurnId>().is_err());
    }

    #[test]
    fn garbage_is_refused() {
        for text in ["", "wrk_", "wrk_ABCDEF", "trn_0", "wrk_0123456789abcdef0123456789abcdeg"] {
            assert!(text.parse::<WorkerId>().is_err(), "{text}");
        }
    }
}
