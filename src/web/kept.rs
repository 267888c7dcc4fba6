use crate::mcp::session_key;
use crate::store::Store;
use rmcp::transport::streamable_http_server::session::{
    SessionState, SessionStore, SessionStoreError,
};

/// The `initialize` parameters of sessions in SQLite, so that a restart or an idle time is invisible to
/// the client. Rows are found by a digest of the id.
pub(crate) struct KeptSessions(pub(crate) Store);

#[async_trait::async_trait]
impl SessionStore for KeptSessions {
    async fn load(&self, session_id: &str) -> Result<Option<SessionState>, SessionStoreError> {
        match self.0.load_mcp_session(&session_key(session_id)).await? {
            Some(text) => Ok(Some(serde_json::from_str(&text)?)),
            None => Ok(None),
        }
    }

    async fn store(&self, session_id: &str, state: &SessionState) -> Result<(), SessionStoreError> {
        let text = serde_json::to_string(state)?;
        Ok(self.0.save_mcp_session(&session_key(session_id), &text).await?)
    }

    async fn delete(&self, session_id: &str) -> Result<(), SessionStoreError> {
        Ok(self.0.delete_mcp_session(&session_key(session_id)).await?)
    }
}
