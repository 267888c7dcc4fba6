use super::client::{Client, clean};
use super::conn::CallError;
use super::control::Link;
use super::launch::{Launch, Live};

use super::route::Route;
use super::{CodexProgram, home, locate, models, replay, sidecar, threads};
use crate::backend::{
    Attached, Backend, BackendError, EventSink, ModelMenu, ThreadRef, ThreadSpec, TurnSpec, Verdict,
};
use crate::clock::Clock;
use crate::config::CodexConfig;
use crate::paths::{Env, StateDir};
use crate::process::Identity;
use crate::store::{ProcessRow, Store};
use async_trait::async_trait;
use serde_json::json;
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::OnceCell;

/// How long codex has to take an interrupt.
const INTERRUPT: Duration = Duration::from_secs(2);

/// How long an interrupted turn has to end, its commands included.
const SETTLED: Duration = Duration::from_secs(8);

/// The codex backend: one `codex app-server` for all workers of a state directory.
pub struct AppServer {
    launch: Launch,
    store: Store,
    codex: OnceCell<CodexProgram>,
    live: tokio::sync::Mutex<Option<Arc<Session>>>,
    closed: AtomicBool,
}

/// One connection, and what was opened over it.
struct Session {
    live: Live,
    /// Threads that this connection has opened, with the settings that they have.
    opened: Mutex<HashMap<String, (String, ThreadRef)>>,
}

impl Session {
    fn client(&self) -> &Client {
        &self.live.client
    }
}

impl AppServer {
    /// Prepares the backend; nothing is started before the first turn. `sidecar_program` is this program:
    /// it is started as `<program> sidecar …`.
    #[must_use]
    pub fn new(
        state: StateDir,
        env: Env,
        config: Arc<CodexConfig>,
        store: Store,
        _clock: Clock,
        sidecar_program: PathBuf,
    ) -> Self {
        let launch = Launch { state, env, config, sidecar_program, idle_seconds: 60 };
        Self {
            launch,
            store,
            codex: OnceCell::new(),
            live: tokio::sync::Mutex::new(None),
            closed: AtomicBool::new(false),
        }
    }

    /// Sets after how many seconds without a server and without a turn the sidecar ends codex.
    /// Default 60.
    #[must_use]
    pub fn idle_after(mut self, seconds: u64) -> Self {
        self.launch.idle_seconds = seconds;
        self
    }

    /// The codex that is used; found once.
    ///
    /// # Errors
    /// As [`locate`].
    pub async fn codex(&self) -> Result<&CodexProgram, BackendError> {
        let Launch { env, config, state, .. } = &self.launch;
        self.codex.get_or_try_init(|| locate(config, state, env)).await
    }

    /// The connection: the one there is, else a new one to the app-server that runs, else to a new one.
    async fn session(&self) -> Result<Arc<Session>, BackendError> {
        if self.closed.load(Ordering::SeqCst) {
            return Err(BackendError::Disconnected("the backend is closed".to_owned()));
        }
        let codex = self.codex().await?;
        let mut slot = self.live.lock().await;
        if let Some(session) = slot.as_ref().filter(|s| !s.client().closed()) {
            return Ok(Arc::clone(session));
        }
        *slot = None;
        let live = self.launch.live(codex).await?;
        self.record(&live).await;
        let session = Arc::new(Session { live, opened: Mutex::default() });
        *slot = Some(Arc::clone(&session));
        Ok(session)
    }

    /// Keeps the process table of the store true; a failure harms no turn.
    async fn record(&self, live: &Live) {
        let wide = |id: &Identity, role: &str| ProcessRow {
            pid: i64::from(id.pid),
            start_time: i64::try_from(id.start_time).unwrap_or(i64::MAX),
            session: i64::from(id.session),
            role: role.to_owned(),
        };
        let rows = [wide(&live.facts.sidecar, "sidecar"), wide(&live.facts.codex, "codex")];
        for old in self.store.processes().await.unwrap_or_default() {
            if !rows.contains(&old)
                && let Err(error) = self.store.forget_process(old.pid, old.start_time).await
            {
                tracing::warn!(%error, "a process row could not be removed");
            }
        }
        for row in rows {
            if let Err(error) = self.store.record_process(&row).await {
                tracing::warn!(%error, "a process could not be recorded");
            }
        }
    }

    async fn interrupt_all(&self, session: &Session) {
        let client = session.client();
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

    async fn forget_processes(&self) {
        for row in self.store.processes().await.unwrap_or_default() {
            let _ = self.store.forget_process(row.pid, row.start_time).await;
        }
    }
}

#[async_trait]
impl Backend for AppServer {
    async fn version(&self) -> Result<String, BackendError> {
        Ok(self.codex().await?.version.clone())
    }

    async fn models(&self) -> Result<ModelMenu, BackendError> {
        let session = self.session().await?;
        let list = session.client().call("model/list", json!({})).await?;
        let version = &session.live.facts.version;
        let (model, effort) = home::defaults(&self.launch.env, &self.launch.config);
        Ok(models::menu(&list, version, model.as_deref(), effort.as_deref()))
    }

    async fn open_thread(
        &self,
        spec: &ThreadSpec,
        existing: Option<&ThreadRef>,
    ) -> Result<ThreadRef, BackendError> {
        let session = self.session().await?;
        let settings = format!("{spec:?}");
        let opened = |s: &Session| {
            let map = s.opened.lock().unwrap_or_else(PoisonError::into_inner);
            existing.and_then(|t| map.get(&t.id)).filter(|(had, _)| *had == settings).cloned()
        };
        if let Some((_, thread)) = opened(&session) {
            return Ok(thread);
        }
        let version = &session.live.facts.version;
        let env = &self.launch.env;
        let thread = threads::open(session.client(), env, version, spec, existing).await?;
        let mut map = session.opened.lock().unwrap_or_else(PoisonError::into_inner);
        map.insert(thread.id.clone(), (settings, thread.clone()));
        Ok(thread)
    }

    async fn start_turn(
        &self,
        thread: &ThreadRef,
        spec: &ThreadSpec,
        turn: &TurnSpec,
        sink: EventSink,
    ) -> Result<String, BackendError> {
        let session = self.session().await?;
        let client = session.client();
        if client.route(&thread.id).is_some() {
            return Err(BackendError::Refused("a turn of this thread is still running".to_owned()));
        }
        let route = client.add(&thread.id, Route::starting(sink, spec));
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

    async fn attach(
        &self,
        thread: &ThreadRef,
        spec: &ThreadSpec,
        turn: &TurnSpec,
        sink: EventSink,
    ) -> Result<Attached, BackendError> {
        let session = self.session().await?;
        let version = &session.live.facts.version;
        let env = &self.launch.env;
        replay::attach(session.client(), env, version, thread, spec, turn, sink).await
    }

    async fn steer(
        &self,
        thread: &ThreadRef,
        backend_turn_id: &str,
        client_id: &str,
        text: &str,
    ) -> Result<(), BackendError> {
        let session = self.session().await?;
        let params = json!({
            "threadId": thread.id,
            "expectedTurnId": backend_turn_id,
            "clientUserMessageId": client_id,
            "input": [{ "type": "text", "text": text }],
        });
        session.client().call("turn/steer", params).await.map(drop).map_err(no_turn)
    }

    async fn answer(
        &self,
        thread: &ThreadRef,
        key: &str,
        verdict: Verdict,
    ) -> Result<(), BackendError> {
        let session = self.session().await?;
        if !session.client().answer(&thread.id, key, verdict)? {
            return Err(BackendError::NotAsked);
        }
        Ok(())
    }

    async fn interrupt(
        &self,
        thread: &ThreadRef,
        backend_turn_id: &str,
    ) -> Result<(), BackendError> {
        let session = self.session().await?;
        let client = session.client();
        let route = client.route(&thread.id);
        let params = json!({ "threadId": thread.id, "turnId": backend_turn_id });
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

    async fn close(&self, keep_turns: bool) {
        self.closed.store(true, Ordering::SeqCst);
        if keep_turns {
            return;
        }
        let mut slot = self.live.lock().await;
        if let Some(session) = slot.as_ref() {
            self.interrupt_all(session).await;
        }
        if end_sidecar(&self.launch.state).await {
            self.forget_processes().await;
        }
        *slot = None;
    }
}

/// Ends the sidecar of a state directory, codex, and every process that they started; where the sidecar
/// is dead, what it left. False when something stays.
pub async fn end_sidecar(state: &StateDir) -> bool {
    let Some(link) = Link::connect(state).await else {
        sidecar::sweep_dead(state).await;
        return true;
    };
    match link.end().await {
        Ok(()) => true,
        Err(error) => {
            tracing::warn!(%error, "the sidecar did not end");
            false
        }
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
