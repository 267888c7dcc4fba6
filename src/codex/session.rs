use super::activity::Activity;
use super::client::{Client, clean};
use super::conn::CallError;
use super::launch::{Launch, Live};
use super::route::Route;
use super::threads;
use crate::backend::{BackendError, EventSink, ThreadRef, ThreadSpec, TurnSpec};
use serde_json::json;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How long codex has to take an interrupt.
const INTERRUPT: Duration = Duration::from_secs(2);

/// How long an interrupted turn has to end, its commands included.
const SETTLED: Duration = Duration::from_secs(8);

/// One connection to an app-server, and what was opened over it.
pub(super) struct Session {
    pub(super) live: Live,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Threads that this connection has opened, with the settings that they have.
    opened: HashMap<String, (String, ThreadRef)>,
    /// Its app-server is being replaced: no turn may begin here any more.
    retired: bool,
}

impl Session {
    pub(super) fn new(live: Live) -> Self {
        Self { live, state: Mutex::default() }
    }

    pub(super) fn client(&self) -> &Client {
        &self.live.client
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Opens a thread, unless this connection has it open with these settings already.
    pub(super) async fn open(
        &self,
        launch: &Launch,
        spec: &ThreadSpec,
        existing: Option<&ThreadRef>,
    ) -> Result<ThreadRef, BackendError> {
        let settings = format!("{spec:?}");
        if let Some(thread) = existing
            && let Some((had, thread)) = self.state().opened.get(&thread.id)
            && *had == settings
        {
            return Ok(thread.clone());
        }
        let version = &self.live.facts.version;
        let thread = threads::open(self.client(), &launch.env, version, spec, existing).await?;
        self.state().opened.insert(thread.id.clone(), (settings, thread.clone()));
        Ok(thread)
    }

    /// Starts a turn; its events go to `sink`. Returns codex's id of it.
    pub(super) async fn start_turn(
        &self,
        launch: &Launch,
        thread: &ThreadRef,
        spec: &ThreadSpec,
        turn: &TurnSpec,
        sink: EventSink,
    ) -> Result<String, BackendError> {
        let client = self.client();
        if client.route(&thread.id).is_some() {
            return Err(BackendError::Refused("a turn of this thread is still running".to_owned()));
        }
        // The app-server may be another one than the thread was opened on; it knows no thread that was
        // never used.
        let opened = self.open(launch, spec, Some(thread)).await;
        let thread = &opened.map_err(|error| match error {
            BackendError::ThreadGone(detail) => BackendError::Disconnected(detail),
            other => other,
        })?;
        let Some(route) = self.enter(&thread.id, Route::starting(sink, spec)) else {
            return Err(BackendError::Disconnected("codex is being replaced".to_owned()));
        };
        let started = client.call("turn/start", threads::turn_params(thread, spec, turn)).await;
        let id = started.map_err(threads::gone).and_then(|answer| {
            let id = answer["turn"]["id"].as_str().map(str::to_owned);
            id.ok_or_else(|| BackendError::Refused("codex named no turn".to_owned()))
        });
        match id {
            Ok(id) => {
                route.begin(&id).await;
                Ok(id)
            }
            Err(error) => {
                client.remove(&thread.id, &route);
                Err(error)
            }
        }
    }

    /// Adds a message to the running turn.
    pub(super) async fn steer(
        &self,
        thread: &ThreadRef,
        turn: &str,
        client_id: &str,
        text: &str,
    ) -> Result<(), BackendError> {
        let params = json!({
            "threadId": thread.id,
            "expectedTurnId": turn,
            "clientUserMessageId": client_id,
            "input": [{ "type": "text", "text": text }],
        });
        self.client().call("turn/steer", params).await.map(drop).map_err(no_turn)
    }

    /// Interrupts the turn and ends the commands it left running.
    pub(super) async fn interrupt(
        &self,
        thread: &ThreadRef,
        turn: &str,
    ) -> Result<(), BackendError> {
        let client = self.client();
        let route = client.route(&thread.id);
        let params = json!({ "threadId": thread.id, "turnId": turn });
        client.call_within("turn/interrupt", params, INTERRUPT).await.map_err(no_turn)?;
        match route {
            // The commands are ended on the way to the end of the turn.
            Some(route) => {
                let _ = tokio::time::timeout(SETTLED, route.over()).await;
                Ok(())
            }
            None => Ok(clean(client, &thread.id).await?),
        }
    }

    /// Interrupts every turn whose events come along this connection, and waits for the ends.
    pub(super) async fn interrupt_all(&self) {
        let client = self.client();
        for (thread, turn) in client.running() {
            let params = json!({ "threadId": thread, "turnId": turn });
            let route = client.route(&thread);
            if client.call_within("turn/interrupt", params, INTERRUPT).await.is_ok()
                && let Some(route) = route
            {
                let _ = tokio::time::timeout(SETTLED, route.over()).await;
            }
        }
    }

    /// Takes a turn in, so that its events come along `route`; `None` when it must go elsewhere.
    fn enter(&self, thread: &str, route: Route) -> Option<Arc<Route>> {
        let state = self.state();
        (!state.retired).then(|| self.client().add(thread, route))
    }

    /// Whether no turn runs on its app-server, nor begins from now on. One that does not answer may run
    /// turns.
    pub(super) async fn retire(&self) -> bool {
        if self.client().busy() || !matches!(self.client().activity().await, Ok(Activity::Quiet)) {
            return false;
        }
        let mut state = self.state();
        if self.client().busy() {
            return false;
        }
        state.retired = true;
        true
    }
}

fn no_turn(error: CallError) -> BackendError {
    match error {
        CallError::Refused(error)
            if error.message.contains("no active turn")
                || error.message.contains("expected active turn") =>
        {
            BackendError::NoActiveTurn
        }
        other => other.into(),
    }
}
