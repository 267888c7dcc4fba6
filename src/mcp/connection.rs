use crate::ownership::{Caller, Owners};
use sha2::{Digest, Sha256};

/// Where messages come from: the transport's part of who calls.
#[derive(Debug, Clone)]
pub struct Connection {
    /// The connector: `stdio`, `local`, or the digest of the secret URL.
    pub connector: String,
    /// The transport's id of the session. It is raw: it never leaves this process.
    pub session: Option<String>,
    /// Whether a session of this transport is one conversation (stdio), so that it owns what it makes.
    pub session_is_chat: bool,
}

impl Connection {
    /// A stdio client, served directly or through a relay. `session` lives as long as the client's
    /// process, across engines.
    #[must_use]
    pub fn stdio(session: impl Into<String>) -> Self {
        let session = Some(session.into());
        Self { connector: "stdio".to_owned(), session, session_is_chat: true }
    }

    /// A client over HTTP.
    #[must_use]
    pub fn http(connector: impl Into<String>) -> Self {
        Self { connector: connector.into(), session: None, session_is_chat: false }
    }

    /// Who calls: `chat` is what the host says about the conversation (`openai/session`), `label` how
    /// the client calls itself.
    #[must_use]
    pub fn caller(&self, owners: &Owners, chat: Option<&str>, label: Option<&str>) -> Caller {
        let session = self.session.as_deref();
        let chat = chat.or(if self.session_is_chat { session } else { None });
        owners.caller(&self.connector, chat, session, label)
    }

    /// The key under which the session is kept, where there is one.
    pub(crate) fn session_key(&self) -> Option<String> {
        self.session.as_deref().map(session_key)
    }
}

/// The key of a session in the store: a digest, because the id itself lets its holder speak for the
/// session. Ids are random (uuid v4), so the digest needs no salt.
#[must_use]
pub fn session_key(id: &str) -> String {
    let mut hash = Sha256::new();
    hash.update(b"mcp-session\0");
    hash.update(id.as_bytes());
    hex::encode(hash.finalize())
}
