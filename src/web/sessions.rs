//! Sessions of the legacy era: a bound on how many live in memory, and their way back from the store.

use crate::mcp::{Presence, Seat, session_key};
use crate::store::Store;
use futures_util::{Stream, StreamExt};
use rmcp::model::{ClientJsonRpcMessage, ServerJsonRpcMessage};
use rmcp::transport::streamable_http_server::session::local::{
    LocalSessionManager, LocalSessionManagerError,
};
use rmcp::transport::streamable_http_server::session::{
    RestoreOutcome, ServerSseMessage, SessionId, SessionManager, SessionState, SessionStore,
    SessionStoreError,
};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How long a silent session stays in memory. Longer than any call, because rmcp cuts a quiet call
/// together with its session; what is dropped comes back from the store.
const KEEP_ALIVE: Duration = Duration::from_secs(45 * 60);

/// Most sessions in memory (about 60 kB each); the longest unused one without a call goes first.
pub(crate) const MOST: usize = 256;

/// rmcp's sessions in memory, bounded and counted.
pub(crate) struct Sessions {
    inner: LocalSessionManager,
    open: Mutex<HashMap<SessionId, Open>>,
    presence: Presence,
    most: usize,
}

struct Open {
    used: Instant,
    /// One count is held here, one by each call that is being answered.
    calls: Arc<()>,
    _seat: Seat,
}

impl Sessions {
    pub(crate) fn new(presence: Presence, most: usize) -> Self {
        let mut inner = LocalSessionManager::default();
        inner.session_config.keep_alive = Some(KEEP_ALIVE);
        Self { inner, open: Mutex::default(), presence, most }
    }

    fn open(&self) -> MutexGuard<'_, HashMap<SessionId, Open>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, id: &SessionId) {
        let seat = self.presence.enter();
        let entry = Open { used: Instant::now(), calls: Arc::new(()), _seat: seat };
        self.open().insert(id.clone(), entry);
    }

    /// Marks a session as used; what is given back keeps it from being dropped.
    fn touch(&self, id: &SessionId) -> Option<Arc<()>> {
        self.open().get_mut(id).map(|entry| {
            entry.used = Instant::now();
            entry.calls.clone()
        })
    }

    /// The session to drop when there is no room.
    fn surplus(&self) -> Option<SessionId> {
        let open = self.open();
        if open.len() < self.most {
            return None;
        }
        open.iter()
            .filter(|(_, entry)| Arc::strong_count(&entry.calls) == 1)
            .min_by_key(|(_, entry)| entry.used)
            .map(|(id, _)| id.clone())
    }

    async fn make_room(&self) -> Result<(), LocalSessionManagerError> {
        match self.surplus() {
            Some(id) => self.close_session(&id).await,
            None => Ok(()),
        }
    }
}

impl SessionManager for Sessions {
    type Error = LocalSessionManagerError;
    type Transport = <LocalSessionManager as SessionManager>::Transport;

    async fn create_session(&self) -> Result<(SessionId, Self::Transport), Self::Error> {
        self.make_room().await?;
        let (id, transport) = self.inner.create_session().await?;
        self.note(&id);
        Ok((id, transport))
    }

    async fn initialize_session(
        &self,
        id: &SessionId,
        message: ClientJsonRpcMessage,
    ) -> Result<ServerJsonRpcMessage, Self::Error> {
        self.inner.initialize_session(id, message).await
    }

    async fn has_session(&self, id: &SessionId) -> Result<bool, Self::Error> {
        self.inner.has_session(id).await
    }

    async fn close_session(&self, id: &SessionId) -> Result<(), Self::Error> {
        self.open().remove(id);
        self.inner.close_session(id).await
    }

    async fn create_stream(
        &self,
        id: &SessionId,
        message: ClientJsonRpcMessage,
    ) -> Result<impl Stream<Item = ServerSseMessage> + Send + Sync + 'static, Self::Error> {
        let busy = self.touch(id);
        let stream = self.inner.create_stream(id, message).await?;
        Ok(stream.inspect(move |_| held(&busy)))
    }

    async fn accept_message(
        &self,
        id: &SessionId,
        message: ClientJsonRpcMessage,
    ) -> Result<(), Self::Error> {
        self.touch(id);
        self.inner.accept_message(id, message).await
    }

    async fn create_standalone_stream(
        &self,
        id: &SessionId,
    ) -> Result<impl Stream<Item = ServerSseMessage> + Send + Sync + 'static, Self::Error> {
        self.touch(id);
        self.inner.create_standalone_stream(id).await
    }

    async fn resume(
        &self,
        id: &SessionId,
        last_event_id: String,
    ) -> Result<impl Stream<Item = ServerSseMessage> + Send + Sync + 'static, Self::Error> {
        self.touch(id);
        self.inner.resume(id, last_event_id).await
    }

    async fn restore_session(
        &self,
        id: SessionId,
    ) -> Result<RestoreOutcome<Self::Transport>, Self::Error> {
        self.make_room().await?;
        let outcome = self.inner.restore_session(id.clone()).await?;
        if matches!(outcome, RestoreOutcome::Restored(_)) {
            self.note(&id);
        }
        Ok(outcome)
    }
}

/// Ties a value's life to the closure that names it here.
fn held<T>(_value: &T) {}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_longest_unused_session_makes_room() {
        let presence = Presence::default();
        let sessions = Sessions::new(presence.clone(), 2);
        let (first, _first) = sessions.create_session().await.unwrap();
        let (second, _second) = sessions.create_session().await.unwrap();
        assert_eq!(presence.open_sessions(), 2);
        // The first is older, but a call of it is being answered.
        let answering = sessions.touch(&first);
        sessions.touch(&second);
        let (third, _third) = sessions.create_session().await.unwrap();
        assert_eq!(presence.open_sessions(), 2);
        assert!(sessions.has_session(&first).await.unwrap());
        assert!(!sessions.has_session(&second).await.unwrap());
        // Then the answer is out, and it is the longest unused one.
        drop(answering);
        let (fourth, _fourth) = sessions.create_session().await.unwrap();
        assert!(!sessions.has_session(&first).await.unwrap());
        for id in [&third, &fourth] {
            assert!(sessions.has_session(id).await.unwrap());
        }
    }
}
