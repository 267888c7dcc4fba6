use super::CodexError;
use super::activity::{self, Activity};
use super::ask::{self, Asks, Waiting};
use super::conn::{CallError, Conn};
use super::large;
use super::limits::Limits;
use super::route::{Route, Step};
use super::spool::Spool;
use super::websocket::WebSocket;
use super::wire::Incoming;
use crate::backend::{TurnEvent, Verdict};
use crate::paths::StateDir;
use crate::process::{Identity, end_all, marked};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;

/// How long the items of ended commands are waited for.
const SETTLE: Duration = Duration::from_secs(2);

/// The app-server as this engine uses it: calls, and one route a thread for the events of its turn.
#[derive(Debug, Clone)]
pub(super) struct Client {
    conn: Arc<Conn>,
    routes: Arc<Routes>,
    asks: Arc<Asks>,
    limits: Arc<Limits>,
}

#[derive(Debug, Default)]
struct Routes {
    by_thread: Mutex<HashMap<String, Arc<Route>>>,
    /// Rings when a route goes.
    calmer: Notify,
}

impl Routes {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, Arc<Route>>> {
        self.by_thread.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn of(&self, thread: &str) -> Option<Arc<Route>> {
        self.lock().get(thread).cloned()
    }

    /// Removes the route, unless another turn of the thread has taken its place.
    fn remove(&self, thread: &str, route: &Arc<Route>) {
        let mut routes = self.lock();
        if routes.get(thread).is_some_and(|r| Arc::ptr_eq(r, route)) {
            routes.remove(thread);
        }
        drop(routes);
        self.calmer.notify_waiters();
    }
}

impl Client {
    /// Speaks to the app-server over a socket.
    pub(super) async fn over(socket: WebSocket, state: &StateDir) -> Result<Self, CodexError> {
        let (conn, spool) = Conn::over(socket, state, "codex.spool").await?;
        let client =
            Self { conn, routes: Arc::default(), asks: Arc::default(), limits: Arc::default() };
        let pump = Pump {
            conn: Arc::downgrade(&client.conn),
            routes: Arc::clone(&client.routes),
            asks: Arc::clone(&client.asks),
            state: state.clone(),
            limits: Arc::clone(&client.limits),
        };
        tokio::spawn(pump.run(spool));
        Ok(client)
    }

    /// What the app-server does.
    ///
    /// # Errors
    /// When it does not answer.
    pub(super) async fn activity(&self) -> Result<Activity, CallError> {
        activity::of(&self.conn).await
    }

    /// Whether the events of a turn come along this connection.
    pub(super) fn busy(&self) -> bool {
        !self.routes.lock().is_empty()
    }

    /// Waits, at most `limit`, until a turn of this connection is over or the connection ends.
    pub(super) async fn calmer(&self, limit: Duration) {
        let _ = tokio::time::timeout(limit, self.routes.calmer.notified()).await;
    }

    /// Calls a method.
    pub(super) async fn call(&self, method: &str, params: Value) -> Result<Value, CallError> {
        self.conn.call(method, params).await
    }

    /// Calls a method with a limit of its own.
    pub(super) async fn call_within(
        &self,
        method: &str,
        params: Value,
        limit: Duration,
    ) -> Result<Value, CallError> {
        self.conn.call_within(method, params, limit).await
    }

    /// Whether the connection has ended.
    pub(super) fn closed(&self) -> bool {
        self.conn.closed()
    }

    /// Sends the events of the thread's turn along this route from now on.
    pub(super) fn add(&self, thread: &str, route: Route) -> Arc<Route> {
        let route = Arc::new(route);
        self.routes.lock().insert(thread.to_owned(), Arc::clone(&route));
        route
    }

    /// The thread's route.
    pub(super) fn route(&self, thread: &str) -> Option<Arc<Route>> {
        self.routes.of(thread)
    }

    /// Takes a route away without a word.
    pub(super) fn remove(&self, thread: &str, route: &Arc<Route>) {
        self.routes.remove(thread, route);
    }

    /// Answers a question; false when it does not wait here.
    pub(super) fn answer(
        &self,
        thread: &str,
        key: &str,
        verdict: Verdict,
    ) -> Result<bool, CallError> {
        let Some(Waiting { id, ask }) = self.asks.take(thread, key) else { return Ok(false) };
        self.conn.answer(&id, &ask::result(ask.kind, &ask.payload, verdict))?;
        Ok(true)
    }

    /// What is known of the account's limits.
    pub(super) fn limits(&self) -> &Limits {
        &self.limits
    }

    /// The threads whose turns run, with the agent's ids of the turns.
    pub(super) fn running(&self) -> Vec<(String, String)> {
        let routes = self.routes.lock();
        routes.iter().filter_map(|(thread, r)| Some((thread.clone(), r.turn()?))).collect()
    }
}

/// Ends the commands that a turn left running. An interrupt alone leaves them (seen on 0.169.0).
pub(super) async fn clean(conn: &Client, thread: &str) -> Result<(), CallError> {
    clean_on(&conn.conn, thread).await
}

async fn clean_on(conn: &Conn, thread: &str) -> Result<(), CallError> {
    let params = json!({ "threadId": thread });
    conn.call_within("thread/backgroundTerminals/clean", params, Duration::from_secs(10))
        .await
        .map(drop)
}

/// Takes messages out of the spool and along their routes.
struct Pump {
    conn: std::sync::Weak<Conn>,
    routes: Arc<Routes>,
    asks: Arc<Asks>,
    state: StateDir,
    limits: Arc<Limits>,
}

impl Pump {
    /// Runs until the connection ends.
    async fn run(self, spool: Arc<Spool>) {
        while let Some(message) = spool.pop().await {
            let large = large::is(&message);
            match large::take(message, &self.state).await {
                Some(Incoming::Note { method, params }) => self.note(&method, &params).await,
                Some(Incoming::Request { id, method, params }) => {
                    // The reader did not see what a large one asks.
                    if large && let Some(conn) = self.conn.upgrade() {
                        conn.refuse(&id, &method);
                    }
                    self.request(id, &method, &params).await;
                }
                Some(Incoming::Answer { id, outcome }) => {
                    if let Some(conn) = self.conn.upgrade() {
                        conn.answered(id, outcome);
                    }
                }
                None => tracing::warn!("a message of codex was not understood"),
            }
        }
        let left: Vec<Arc<Route>> = self.routes.lock().drain().map(|(_, route)| route).collect();
        self.routes.calmer.notify_waiters();
        for route in left {
            route.finish().await;
        }
    }

    async fn note(&self, method: &str, params: &Value) {
        if method == "account/rateLimits/updated" {
            self.limits.take(&params["rateLimits"]);
        }
        let Some(thread) = params["threadId"].as_str() else { return };
        let Some(route) = self.routes.of(thread) else { return };
        if method == "serverRequest/resolved" {
            if let Some(waiting) = self.asks.resolved(thread, &params["requestId"]) {
                route.emit(TurnEvent::Unasked { key: waiting.ask.key }).await;
            }
            return;
        }
        let step = route.take(method, params).await;
        if step != Step::Go {
            route.amend(|ending| self.limits.date(ending));
        }
        match step {
            Step::Go => {}
            Step::Over => {
                self.asks.forget(thread);
                self.routes.remove(thread, &route);
                route.finish().await;
            }
            Step::Settle => {
                self.asks.forget(thread);
                let routes = Arc::clone(&self.routes);
                tokio::spawn(settle(self.conn.clone(), routes, route, thread.to_owned()));
            }
        }
    }

    /// A question goes to the turn that it belongs to. Where nobody may ask, or the turn is not ours, the
    /// answer is no; what is no question was refused already and is only noted.
    async fn request(&self, id: Value, method: &str, params: &Value) {
        let thread = params["threadId"].as_str().unwrap_or_default();
        let route = self.routes.of(thread);
        let Some(ask) = ask::question(method, params) else {
            if let Some(route) = route {
                route.emit(TurnEvent::Declined { request: method.to_owned() }).await;
            }
            return;
        };
        match route {
            Some(route) if route.may_ask && route.is_of(params) => {
                self.asks.add(thread, Waiting { id, ask: ask.clone() });
                route.emit(TurnEvent::Ask(ask)).await;
            }
            other => {
                if let Some(conn) = self.conn.upgrade() {
                    let no = ask::result(ask.kind, params, Verdict::Decline);
                    let _ = conn.answer(&id, &no);
                }
                if let Some(route) = other {
                    route.emit(TurnEvent::Declined { request: method.to_owned() }).await;
                }
            }
        }
    }
}

/// A turn is over while commands of it may still run: they are ended, and their items come late.
async fn settle(
    conn: std::sync::Weak<Conn>,
    routes: Arc<Routes>,
    route: Arc<Route>,
    thread: String,
) {
    if let Some(conn) = conn.upgrade() {
        if clean_on(&conn, &thread).await.is_err() {
            tracing::warn!("codex did not end the commands of a turn that is over");
        }
        if route.unsettled() {
            let _ = tokio::time::timeout(SETTLE, route.settled.notified()).await;
        }
        end_commands(&route.tmp).await;
    }
    routes.remove(&thread, &route);
    route.finish().await;
}

/// Waits until no command of the worker is left: codex lets go of them before they are gone, and one that
/// was just being spawned can be missed (seen). What is left after a second is ended here.
async fn end_commands(tmp: &Path) {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(1);
    loop {
        let left = marked("TMPDIR", tmp);
        if left.is_empty() {
            return;
        }
        if tokio::time::Instant::now() > deadline {
            let left: Vec<Identity> = left.into_iter().map(Identity::from).collect();
            end_all(&left, Duration::ZERO).await;
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[cfg(test)]
#[path = "client_tests.rs"]
mod tests;
