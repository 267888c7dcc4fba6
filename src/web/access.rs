//! Who may come in: the token in the path, in the `Authorization` header, or in the query.

use super::WebError;
use crate::config::AuthConfig;
use crate::mcp::Connection;
use crate::ownership::Owners;
use crate::secret::Secret;
use axum::http::{HeaderMap, Uri, header};

/// The name of the query parameter that may carry the token.
const QUERY_NAME: &str = "patchbay_token";

/// What opens the door. It holds the secret; its `Debug` does not show it.
#[derive(Debug, Clone)]
pub(crate) struct Access {
    token: Secret,
    connector: String,
    query: bool,
    open: bool,
}

impl Access {
    /// `loopback` says whether the server listens on a loopback address only: without that,
    /// `auth.enabled: false` is not honoured.
    pub(crate) fn new(token: Secret, config: &AuthConfig, loopback: bool, owners: &Owners) -> Self {
        let open = !config.enabled && loopback;
        if !config.enabled && !loopback {
            tracing::warn!(
                "auth.enabled is false, but the address is not loopback: the token is asked for"
            );
        }
        let connector = owners.digest("url", token.expose());
        Self { token, connector, query: config.allow_query_token, open }
    }

    /// The connector of a request whose path carries a secret.
    ///
    /// # Errors
    /// [`WebError::NotFound`] for a wrong one: there is no such page.
    pub(crate) fn by_path(&self, secret: &str) -> Result<Connection, WebError> {
        if self.token.matches(secret) { Ok(self.connection()) } else { Err(WebError::NotFound) }
    }

    /// The connector of a request with the token in the header or the query.
    ///
    /// # Errors
    /// [`WebError::Unauthorized`] without a token, or with a wrong one, even where none is needed.
    pub(crate) fn by_request(
        &self,
        uri: &Uri,
        headers: &HeaderMap,
    ) -> Result<Connection, WebError> {
        match bearer(headers).or_else(|| from_query(uri).filter(|_| self.query)) {
            Some(given) if self.token.matches(given) => Ok(self.connection()),
            None if self.open => Ok(Connection::http("local")),
            _ => Err(WebError::Unauthorized),
        }
    }

    fn connection(&self) -> Connection {
        Connection::http(self.connector.clone())
    }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok().unwrap_or_default();
    let (scheme, token) = value.split_once(' ').unwrap_or_default();
    // A header of another scheme counts as a wrong token, not as none.
    Some(if scheme.eq_ignore_ascii_case("bearer") { token.trim() } else { "" })
}

fn from_query(uri: &Uri) -> Option<&str> {
    // A token has no character that would be percent-encoded (see `Secret::from_text`).
    uri.query()?.split('&').find_map(|pair| pair.strip_prefix(QUERY_NAME)?.strip_prefix('='))
}
