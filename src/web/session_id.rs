//! Session ids hold for the connector they were given to. rmcp's id says nothing about where it is
//! used, so the one that a client sees carries a keyed digest of id and connector.

use super::WebError;
use crate::ownership::Owners;
use axum::http::{HeaderMap, HeaderName, HeaderValue};

const SESSION: HeaderName = HeaderName::from_static("mcp-session-id");

/// Writes and reads the ids that clients see: `<rmcp's id>.<digest>`.
#[derive(Clone)]
pub(super) struct SessionIds(Owners);

impl SessionIds {
    pub(super) fn new(owners: Owners) -> Self {
        Self(owners)
    }

    /// Turns the id of a request into rmcp's, if there is one.
    ///
    /// # Errors
    /// [`WebError::NoSession`] for one that was not given to this connector.
    pub(super) fn accept(&self, connector: &str, headers: &mut HeaderMap) -> Result<(), WebError> {
        let Some(shown) = headers.get(&SESSION) else { return Ok(()) };
        let shown = shown.to_str().map_err(|_| WebError::NoSession)?;
        let (id, _) = shown.rsplit_once('.').ok_or(WebError::NoSession)?;
        if self.shown(connector, id) != shown {
            return Err(WebError::NoSession);
        }
        let id = HeaderValue::from_str(id).map_err(|_| WebError::NoSession)?;
        headers.insert(SESSION, id);
        Ok(())
    }

    /// Turns the id of an answer into the one that the client sees, if there is one.
    pub(super) fn show(&self, connector: &str, headers: &mut HeaderMap) {
        let shown = headers.get(&SESSION).and_then(|id| id.to_str().ok());
        let shown = shown.map(|id| self.shown(connector, id));
        if let Some(shown) = shown.and_then(|shown| HeaderValue::from_str(&shown).ok()) {
            headers.insert(SESSION, shown);
        }
    }

    fn shown(&self, connector: &str, id: &str) -> String {
        let digest = self.0.digest("session", &format!("{connector}\0{id}"));
        format!("{id}.{}", digest.trim_start_matches("session_"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(id: &str) -> HeaderMap {
        HeaderMap::from_iter([(SESSION, HeaderValue::from_str(id).unwrap())])
    }

    #[test]
    fn an_id_holds_for_its_connector_only() {
        let ids = SessionIds::new(Owners::new([7; 32]));
        let mut given = headers("0b7e-raw");
        ids.show("url_a", &mut given);
        assert_ne!(given[SESSION], "0b7e-raw");
        let mut used = given.clone();
        ids.accept("url_a", &mut used).unwrap();
        assert_eq!(used[SESSION], "0b7e-raw");
        assert_eq!(ids.accept("url_b", &mut given.clone()), Err(WebError::NoSession));
        for odd in ["0b7e-raw", "0b7e-raw.", ".", "", "0b7e-raw.000000000000"] {
            assert_eq!(ids.accept("url_a", &mut headers(odd)), Err(WebError::NoSession), "{odd}");
        }
        assert_eq!(ids.accept("url_a", &mut HeaderMap::new()), Ok(()));
    }
}
