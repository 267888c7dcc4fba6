use super::control::Link;
use super::launch::Launch;
use super::sessions::Sessions;
use super::{exec, home, login, models, replay, sidecar};
use crate::backend;
use crate::backend::{
    Attached, Backend, BackendError, CheckEnd, CheckSpec, EventSink, ModelMenu, ThreadRef,
    ThreadSpec, TurnSpec, Verdict,
};
use crate::clock::Clock;
use crate::config::CodexConfig;
use crate::paths::{Env, StateDir};
use crate::store::Store;
use async_trait::async_trait;
use serde_json::json;
use std::path::PathBuf;
use std::sync::Arc;

/// The codex backend: one `codex app-server` for all workers of a state directory.
pub struct AppServer {
    sessions: Sessions,
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
        clock: Clock,
        sidecar_program: PathBuf,
    ) -> Self {
        let launch = Launch { state, env, config, sidecar_program, idle_seconds: 60, clock };
        Self { sessions: Sessions::new(launch, store) }
    }

    /// Sets after how many seconds without a server and without a turn the sidecar ends codex.
    /// Default 60.
    #[must_use]
    pub fn idle_after(mut self, seconds: u64) -> Self {
        self.sessions.launch.idle_seconds = seconds;
        self
    }
}

#[async_trait]
impl Backend for AppServer {
    async fn version(&self) -> Result<String, BackendError> {
        Ok(self.sessions.codex().await?.version)
    }

    async fn models(&self) -> Result<ModelMenu, BackendError> {
        let session = self.sessions.any().await?;
        let list = session.client().call("model/list", json!({})).await?;
        let version = &session.live.facts.version;
        let (model, effort) =
            home::defaults(&self.sessions.launch.env, &self.sessions.launch.config);
        Ok(models::menu(&list, version, model.as_deref(), effort.as_deref()))
    }

    async fn open_thread(
        &self,
        spec: &ThreadSpec,
        existing: Option<&ThreadRef>,
    ) -> Result<ThreadRef, BackendError> {
        self.sessions.fresh().await?.open(&self.sessions.launch, spec, existing).await
    }

    async fn start_turn(
        &self,
        thread: &ThreadRef,
        spec: &ThreadSpec,
        turn: &TurnSpec,
        sink: EventSink,
    ) -> Result<String, BackendError> {
        let session = self.sessions.fresh().await?;
        session.start_turn(&self.sessions.launch, thread, spec, turn, sink).await
    }

    async fn attach(
        &self,
        thread: &ThreadRef,
        spec: &ThreadSpec,
        turn: &TurnSpec,
        sink: EventSink,
    ) -> Result<Attached, BackendError> {
        let session = self.sessions.any().await?;
        let version = &session.live.facts.version;
        let env = &self.sessions.launch.env;
        replay::attach(session.client(), env, version, thread, spec, turn, sink).await
    }

    async fn steer(
        &self,
        thread: &ThreadRef,
        backend_turn_id: &str,
        client_id: &str,
        text: &str,
    ) -> Result<(), BackendError> {
        let session = self.sessions.any().await?;
        session.steer(thread, backend_turn_id, client_id, text).await
    }

    async fn answer(
        &self,
        thread: &ThreadRef,
        key: &str,
        verdict: Verdict,
    ) -> Result<(), BackendError> {
        let session = self.sessions.any().await?;
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
        self.sessions.any().await?.interrupt(thread, backend_turn_id).await
    }

    fn waits_for(&self) -> Option<&'static str> {
        let text = "turns on a codex with earlier settings: the next one starts when they are over";
        self.sessions.draining().then_some(text)
    }

    async fn run_check(&self, spec: &CheckSpec) -> Result<CheckEnd, BackendError> {
        exec::run(self.sessions.fresh().await?.client(), spec).await
    }

    fn login(&self) -> backend::Login {
        let Launch { state, env, config, .. } = &self.sessions.launch;
        login::look(state, env, config)
    }

    async fn renew(&self) {
        self.sessions.renew().await;
    }

    async fn close(&self, keep_turns: bool) {
        let session = self.sessions.close().await;
        if keep_turns {
            return;
        }
        if let Some(session) = &session {
            session.interrupt_all().await;
        }
        if end_sidecar(&self.sessions.launch.state).await {
            self.sessions.forget_processes().await;
        }
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
