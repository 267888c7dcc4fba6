use super::{
    CheckEnd, CheckSpec, Login, ModelMenu, ThreadRef, ThreadSpec, TurnEvent, TurnSpec, Verdict,
};
use async_trait::async_trait;
use tokio::sync::mpsc;

/// Where the events of one turn go.
pub type EventSink = mpsc::Sender<TurnEvent>;

/// Why the agent could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum BackendError {
    /// There is no usable agent on this machine.
    #[error("{message}")]
    Unavailable {
        /// Stable snake_case code: `codex_missing`, `codex_too_old`, `sandbox_unavailable`, …
        code: &'static str,
        /// What is wrong.
        message: String,
        /// What to do about it.
        hint: String,
    },
    /// The agent did not take the configuration that we wrote; no turn runs.
    #[error("codex did not take our configuration: {0}")]
    ConfigRejected(String),
    /// The agent has no such thread (it was never used, or its record is gone).
    #[error("the thread is gone: {0}")]
    ThreadGone(String),
    /// There is no turn to steer or interrupt.
    #[error("no such turn is running")]
    NoActiveTurn,
    /// The agent does not wait for an answer to this question, at least not on this connection.
    #[error("codex does not wait for this answer")]
    NotAsked,
    /// The agent answered with an error.
    #[error("codex: {0}")]
    Refused(String),
    /// The connection broke.
    #[error("the connection to codex broke: {0}")]
    Disconnected(String),
}

/// What became of a turn that an earlier life of the engine started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Attached {
    /// It still runs; its events flow into the sink, missed ones first.
    Running {
        /// The agent's id of the turn.
        backend_turn_id: String,
    },
    /// It is over; its events and its end were put into the sink.
    Ended,
    /// The agent never took it: it may be started.
    NeverTaken,
}

/// A coding agent.
#[async_trait]
pub trait Backend: Send + Sync + 'static {
    /// The version, without starting anything; errors say why no turn could run.
    async fn version(&self) -> Result<String, BackendError>;

    /// The models to choose from; may start the agent.
    async fn models(&self) -> Result<ModelMenu, BackendError>;

    /// Opens the thread: a new one, or `existing` with all its settings sent anew.
    async fn open_thread(
        &self,
        spec: &ThreadSpec,
        existing: Option<&ThreadRef>,
    ) -> Result<ThreadRef, BackendError>;

    /// Starts a turn; its events go to `sink` until [`TurnEvent::Ended`] or [`TurnEvent::Lost`].
    /// Returns the agent's id of the turn.
    async fn start_turn(
        &self,
        thread: &ThreadRef,
        spec: &ThreadSpec,
        turn: &TurnSpec,
        sink: EventSink,
    ) -> Result<String, BackendError>;

    /// Finds a turn again after a restart or a lost connection, by the client id it was sent with.
    async fn attach(
        &self,
        thread: &ThreadRef,
        spec: &ThreadSpec,
        turn: &TurnSpec,
        sink: EventSink,
    ) -> Result<Attached, BackendError>;

    /// Adds a message to the running turn.
    async fn steer(
        &self,
        thread: &ThreadRef,
        backend_turn_id: &str,
        client_id: &str,
        text: &str,
    ) -> Result<(), BackendError>;

    /// Answers a question of the thread by its key. [`BackendError::NotAsked`] when it does not wait
    /// for the answer (any more, or not yet again after a lost connection).
    async fn answer(
        &self,
        thread: &ThreadRef,
        key: &str,
        verdict: Verdict,
    ) -> Result<(), BackendError>;

    /// Interrupts the turn and ends the commands it left running. The end arrives in the sink.
    async fn interrupt(
        &self,
        thread: &ThreadRef,
        backend_turn_id: &str,
    ) -> Result<(), BackendError>;

    /// What those who want to begin wait for, in words; `None` when nobody has to wait.
    fn waits_for(&self) -> Option<&'static str> {
        None
    }

    /// Runs a command in the sandbox that holds workers. It is ended with the connection, or when the
    /// future is dropped.
    async fn run_check(&self, spec: &CheckSpec) -> Result<CheckEnd, BackendError>;

    /// The login as it is now; cheap enough to be called every second.
    fn login(&self) -> Login;

    /// Starts the agent anew when it is needed next, so that it takes a login that changed. No turn may
    /// run.
    async fn renew(&self);

    /// Lets go of the agent. `keep_turns`: it goes on without us; otherwise it is ended, with every
    /// process it started.
    async fn close(&self, keep_turns: bool);
}
