use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// Makes refs from raw identities with a salt that is kept in the store, so that refs outlive restarts.
#[derive(Clone)]
pub struct Owners {
    salt: [u8; 32],
}

/// Where a call comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// What owns what this caller makes: the chat where it is known, else the connector.
    pub owner_ref: String,
    /// The connector: `stdio`, or the digest of the secret URL.
    pub connector: String,
    /// The session within the connector, where there is one.
    pub client_ref: String,
    /// How the client calls itself.
    pub label: Option<String>,
}

impl Owners {
    /// Uses a salt of 32 random bytes; the same salt gives the same refs.
    #[must_use]
    pub fn new(salt: [u8; 32]) -> Self {
        Self { salt }
    }

    /// Describes a caller. `chat` is the host's id of the conversation (`openai/session`), `session`
    /// the transport's id; both are digested.
    #[must_use]
    pub fn caller(
        &self,
        connector: &str,
        chat: Option<&str>,
        session: Option<&str>,
        label: Option<&str>,
    ) -> Caller {
        let owner_ref = match chat {
            Some(chat) => self.digest("chat", &format!("{connector}\0{chat}")),
            None => self.digest("conn", connector),
        };
        let client_ref = match session.or(chat) {
            Some(id) => self.digest("client", &format!("{connector}\0{id}")),
            None => self.digest("client", connector),
        };
        let label = label.map(|l| l.chars().filter(|c| !c.is_control()).take(80).collect());
        Caller { owner_ref, connector: connector.to_owned(), client_ref, label }
    }

    /// A keyed digest: `<kind>_` and 12 hexadecimal digits.
    #[must_use]
    pub fn digest(&self, kind: &str, raw: &str) -> String {
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.salt) else {
            return format!("{kind}_unknown");
        };
        mac.update(kind.as_bytes());
        mac.update(b"\0");
        mac.update(raw.as_bytes());
        format!("{kind}_{}", hex::encode(&mac.finalize().into_bytes()[..6]))
    }
}
