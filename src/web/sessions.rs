//! Sessions of the legacy era: a bound on how many live in memory, their end when nobody uses them, and
//! their way back from the store.

use super::unblocked::unblocked;
use crate::mcp::{Presence, Seat};
use futures_util::{Stream, StreamExt, stream};
use rmcp::ErrorData;
use rmcp::model::{ClientJsonRpcMessage, RequestId, ServerJsonRpcMessage};
use rmcp::transport::streamable_http_server::session::local::{
    LocalSessionHandle, LocalSessionManager, LocalSessionManagerError,
};
use rmcp::transport::streamable_http_server::session::{
    RestoreOutcome, ServerSseMessage, SessionId, SessionManager,
};
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

/// How many sessions live in memory, and for how long unused.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Most sessions (about 60 kB each); the longest unused one without a call goes first.
    pub(crate) most: usize,
    /// A session without a request, a call or an open stream for so long is let go.
    pub(crate) idle: Duration,
}

/// rmcp's sessions in memory, bounded and counted. What is let go comes back from the store.
pub(crate) struct Sessions {
    inner: LocalSessionManager,
    table: tokio::sync::Mutex<Table>,
    presence: Presence,
    limits: Limits,
}

#[derive(Default)]
struct Table {
    open: HashMap<SessionId, Open>,
    /// Sessions that were let go, and whose workers will still report their end, with their number: the
    /// report must not end a session that came back under the same id.
    ending: HashMap<SessionId, usize>,
}

struct Open {
    used: Instant,
    /// One count is held here, one by each call that is being answered.
    calls: Arc<()>,
    /// The same for streams that wait for messages of the server.
    streams: Arc<()>,
    answering: Arc<Mutex<HashSet<RequestId>>>,
    _seat: Seat,
}

impl Open {
    fn has_calls(&self) -> bool {
        Arc::strong_count(&self.calls) > 1
    }

    fn in_use(&self) -> bool {
        self.has_calls() || Arc::strong_count(&self.streams) > 1
    }
}

impl Sessions {
    pub(crate) fn new(presence: Presence, limits: Limits) -> Self {
        let mut inner = LocalSessionManager::default();
        // rmcp would cut a quiet call together with its session, and let later requests run into it.
        inner.session_config.keep_alive = None;
        Self { inner, table: tokio::sync::Mutex::default(), presence, limits }
    }

    /// Lets idle sessions go from now on, until `cancel` fires or the sessions are dropped.
    pub(crate) fn watch(sessions: &Arc<Self>, cancel: CancellationToken) {
        let every =
            (sessions.limits.idle / 4).clamp(Duration::from_millis(50), Duration::from_secs(60));
        let sessions = Arc::downgrade(sessions);
        tokio::spawn(async move {
            while cancel.run_until_cancelled(tokio::time::sleep(every)).await.is_some() {
                let Some(sessions) = sessions.upgrade() else { return };
                sessions.let_idle_go().await;
            }
        });
    }

    async fn let_idle_go(&self) {
        let mut table = self.table.lock().await;
        let idle = |entry: &Open| !entry.in_use() && entry.used.elapsed() >= self.limits.idle;
        let gone: Vec<SessionId> =
            table.open.iter().filter(|(_, e)| idle(e)).map(|(id, _)| id.clone()).collect();
        for id in gone {
            self.let_go(&mut table, &id).await;
        }
    }

    /// Drops the longest unused session without a call when there is no room. Where each has one, there
    /// are more sessions than allowed for a while.
    async fn make_room(&self, table: &mut Table) {
        if table.open.len() < self.limits.most {
            return;
        }
        let free = table.open.iter().filter(|(_, entry)| !entry.has_calls());
        if let Some(id) = free.min_by_key(|(_, entry)| entry.used).map(|(id, _)| id.clone()) {
            self.let_go(table, &id).await;
        }
    }

    async fn let_go(&self, table: &mut Table, id: &SessionId) {
        table.open.remove(id);
        *table.ending.entry(id.clone()).or_default() += 1;
        end(self.inner.sessions.write().await.remove(id));
    }

    fn note(&self, table: &mut Table, id: &SessionId) {
        let entry = Open {
            used: Instant::now(),
            calls: Arc::default(),
            streams: Arc::default(),
            answering: Arc::default(),
            _seat: self.presence.enter(),
        };
        table.open.insert(id.clone(), entry);
    }

    /// Marks a session as used and looks at it.
    async fn used<T>(&self, id: &SessionId, look: impl FnOnce(&Open) -> T) -> Option<T> {
        let mut table = self.table.lock().await;
        let entry = table.open.get_mut(id)?;
        entry.used = Instant::now();
        Some(look(entry))
    }
}

/// Ends a session's worker without waiting for it.
fn end(handle: Option<LocalSessionHandle>) {
    if let Some(handle) = handle {
        tokio::spawn(async move {
            let _ = handle.close().await; // it may have ended by itself
        });
    }
}

impl SessionManager for Sessions {
    type Error = LocalSessionManagerError;
    type Transport = <LocalSessionManager as SessionManager>::Transport;

    async fn create_session(&self) -> Result<(SessionId, Self::Transport), Self::Error> {
        let mut table = self.table.lock().await;
        self.make_room(&mut table).await;
        let (id, transport) = self.inner.create_session().await?;
        self.note(&mut table, &id);
        Ok((id, transport))
    }

    async fn initialize_session(
        &self,
        id: &SessionId,
        message: ClientJsonRpcMessage,
    ) -> Result<ServerJsonRpcMessage, Self::Error> {
        let _busy = self.used(id, |entry| entry.calls.clone()).await;
        self.inner.initialize_session(id, message).await
    }

    async fn has_session(&self, id: &SessionId) -> Result<bool, Self::Error> {
        Ok(self.used(id, |_| ()).await.is_some())
    }

    /// Called for a client that ends its session, and by a session's worker when it has ended.
    async fn close_session(&self, id: &SessionId) -> Result<(), Self::Error> {
        let mut table = self.table.lock().await;
        if let Some(left) = table.ending.get_mut(id) {
            *left -= 1;
            if *left == 0 {
                table.ending.remove(id);
            }
            return Ok(());
        }
        table.open.remove(id);
        end(self.inner.sessions.write().await.remove(id));
        Ok(())
    }

    async fn create_stream(
        &self,
        id: &SessionId,
        message: ClientJsonRpcMessage,
    ) -> Result<impl Stream<Item = ServerSseMessage> + Send + Sync + 'static, Self::Error> {
        let busy = self.used(id, |entry| (entry.calls.clone(), entry.answering.clone())).await;
        let (calls, answering) = busy.unwrap_or_default();
        let held = match Answering::begin(answering, &message) {
            Ok(answering) => (calls, answering),
            Err(refusal) => {
                let refusal = ServerSseMessage::from_message(*refusal);
                return Ok(stream::once(async move { refusal }).left_stream());
            }
        };
        let stream = unblocked(self.inner.create_stream(id, message).await?);
        Ok(stream.inspect(move |_| keep(&held)).right_stream())
    }

    async fn accept_message(
        &self,
        id: &SessionId,
        message: ClientJsonRpcMessage,
    ) -> Result<(), Self::Error> {
        self.used(id, |_| ()).await;
        self.inner.accept_message(id, message).await
    }

    async fn create_standalone_stream(
        &self,
        id: &SessionId,
    ) -> Result<impl Stream<Item = ServerSseMessage> + Send + Sync + 'static, Self::Error> {
        let held = self.used(id, |entry| entry.streams.clone()).await;
        let stream = unblocked(self.inner.create_standalone_stream(id).await?);
        Ok(stream.inspect(move |_| keep(&held)))
    }

    async fn resume(
        &self,
        id: &SessionId,
        last_event_id: String,
    ) -> Result<impl Stream<Item = ServerSseMessage> + Send + Sync + 'static, Self::Error> {
        let held = self.used(id, |entry| entry.streams.clone()).await;
        let stream = unblocked(self.inner.resume(id, last_event_id).await?);
        Ok(stream.inspect(move |_| keep(&held)))
    }

    async fn restore_session(
        &self,
        id: SessionId,
    ) -> Result<RestoreOutcome<Self::Transport>, Self::Error> {
        let mut table = self.table.lock().await;
        self.make_room(&mut table).await;
        let outcome = self.inner.restore_session(id.clone()).await?;
        if matches!(outcome, RestoreOutcome::Restored(_)) {
            self.note(&mut table, &id);
        }
        Ok(outcome)
    }
}

/// Ties a value's life to the closure that names it here.
fn keep<T>(_value: &T) {}

/// The id of a request that is being answered; dropping it makes the id free.
struct Answering {
    ids: Arc<Mutex<HashSet<RequestId>>>,
    id: Option<RequestId>,
}

impl Answering {
    /// Takes the id of a request. One that is taken is refused in words: rmcp would give one of the two
    /// answers to nobody.
    fn begin(
        ids: Arc<Mutex<HashSet<RequestId>>>,
        message: &ClientJsonRpcMessage,
    ) -> Result<Self, Box<ServerJsonRpcMessage>> {
        let ClientJsonRpcMessage::Request(request) = message else {
            return Ok(Self { ids, id: None });
        };
        let id = request.id.clone();
        if ids.lock().unwrap_or_else(PoisonError::into_inner).insert(id.clone()) {
            return Ok(Self { ids, id: Some(id) });
        }
        let words = "a request with this id is being answered in this session; use another id";
        let refusal = ErrorData::invalid_request(words, None);
        Err(Box::new(ServerJsonRpcMessage::error(refusal, Some(id))))
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        if let Some(id) = &self.id {
            self.ids.lock().unwrap_or_else(PoisonError::into_inner).remove(id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(most: usize) -> Limits {
        Limits { most, idle: Duration::from_secs(3600) }
    }

    #[tokio::test]
    async fn the_longest_unused_session_makes_room() {
        let presence = Presence::default();
        let sessions = Sessions::new(presence.clone(), limits(2));
        let (first, _first) = sessions.create_session().await.unwrap();
        let (second, _second) = sessions.create_session().await.unwrap();
        assert_eq!(presence.open_sessions(), 2);
        // The first is older, but a call of it is being answered.
        let answering = sessions.used(&first, |entry| entry.calls.clone()).await;
        sessions.used(&second, |_| ()).await;
        let (third, _third) = sessions.create_session().await.unwrap();
        assert_eq!(presence.open_sessions(), 2);
        assert!(!sessions.has_session(&second).await.unwrap());
        // Then the answer is out, and it is the longest unused one.
        drop(answering);
        let (fourth, _fourth) = sessions.create_session().await.unwrap();
        assert!(!sessions.has_session(&first).await.unwrap());
        for id in [&third, &fourth] {
            assert!(sessions.has_session(id).await.unwrap());
        }
    }

    #[tokio::test]
    async fn the_late_end_of_a_worker_leaves_the_session_that_came_back() {
        let sessions = Sessions::new(Presence::default(), limits(1));
        let (first, _first) = sessions.create_session().await.unwrap();
        let (second, _second) = sessions.create_session().await.unwrap();
        let back = sessions.restore_session(first.clone()).await.unwrap();
        assert!(matches!(back, RestoreOutcome::Restored(_)));
        // Both workers that were let go report their end, in any order.
        sessions.close_session(&first).await.unwrap();
        sessions.close_session(&second).await.unwrap();
        assert!(sessions.has_session(&first).await.unwrap());
        // Then its own client ends it.
        sessions.close_session(&first).await.unwrap();
        assert!(!sessions.has_session(&first).await.unwrap());
        let table = sessions.table.lock().await;
        assert!(table.open.is_empty() && table.ending.is_empty());
    }

    #[tokio::test]
    async fn idle_sessions_are_let_go_and_used_ones_are_not() {
        let idle = Limits { most: 9, idle: Duration::ZERO };
        let sessions = Sessions::new(Presence::default(), idle);
        let (quiet, _quiet) = sessions.create_session().await.unwrap();
        let (calling, _calling) = sessions.create_session().await.unwrap();
        let (listening, _listening) = sessions.create_session().await.unwrap();
        let call = sessions.used(&calling, |entry| entry.calls.clone()).await;
        let stream = sessions.used(&listening, |entry| entry.streams.clone()).await;
        sessions.let_idle_go().await;
        assert!(!sessions.has_session(&quiet).await.unwrap());
        assert!(sessions.has_session(&calling).await.unwrap());
        assert!(sessions.has_session(&listening).await.unwrap());
        drop((call, stream));
        sessions.let_idle_go().await;
        assert!(!sessions.has_session(&calling).await.unwrap());
        assert_eq!(sessions.presence.open_sessions(), 0);
    }
}
