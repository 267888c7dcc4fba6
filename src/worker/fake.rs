//! An agent whose turns a test plays by hand, for the states that a real one reaches only by accident.

use super::{Workers, WorkersDeps};
use crate::backend::{
    Attached, Backend, BackendError, CheckEnd, CheckSpec, Ending, EventSink, ItemPhase, Login,
    ModelMenu, ThreadRef, ThreadSpec, TurnEvent, TurnSpec, Verdict,
};
use crate::clock::Clock;
use crate::config::Config;
use crate::git::{Git, Repo};
use crate::journal::Journal;
use crate::ownership::{Caller, Owners};
use crate::paths::{Env, StateDir};
use crate::store::Store;
use crate::worktree::Worktrees;
use async_trait::async_trait;
use serde_json::json;
use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use tokio::sync::mpsc;

/// A turn that the agent was given.
pub(super) struct Given {
    pub(super) spec: ThreadSpec,
    pub(super) message: TurnSpec,
    pub(super) sink: EventSink,
}

impl Given {
    pub(super) async fn item(&self, id: &str, kind: &str, payload: serde_json::Value) {
        for phase in [ItemPhase::Started, ItemPhase::Completed] {
            let (item_id, kind, payload) = (id.to_owned(), kind.to_owned(), payload.clone());
            self.send(TurnEvent::Item { item_id, phase, kind, payload }).await;
        }
    }

    pub(super) async fn say(&self, id: &str, text: &str) {
        self.item(id, "agentMessage", json!({ "type": "agentMessage", "text": text })).await;
    }

    pub(super) async fn end(&self, ending: Ending) {
        self.send(TurnEvent::Ended(ending)).await;
    }

    pub(super) async fn send(&self, event: TurnEvent) {
        self.sink.send(event).await.unwrap();
    }
}

/// What the next call of `attach` answers.
pub(super) enum Plan {
    Running,
    Ended(Vec<TurnEvent>),
    NeverTaken,
    Fails,
}

#[derive(Default)]
struct State {
    sinks: Vec<(String, EventSink)>,
    steered: Vec<String>,
    plans: VecDeque<Plan>,
    count: usize,
}

pub(super) struct Fake {
    state: Mutex<State>,
    given: mpsc::UnboundedSender<Given>,
    /// What steering answers.
    pub(super) steerable: std::sync::atomic::AtomicBool,
    /// Whether threads can be opened.
    pub(super) broken: std::sync::atomic::AtomicBool,
    /// The mark of the login, and of the one it was started with.
    pub(super) login: Mutex<String>,
    pub(super) used: Mutex<String>,
    /// How often it was started anew.
    pub(super) renewed: std::sync::atomic::AtomicUsize,
    /// What is waited for an answer, and what was answered.
    pub(super) asks: Mutex<Vec<(String, Option<Verdict>)>>,
}

impl Fake {
    pub(super) fn plan(&self, plan: Plan) {
        self.state.lock().unwrap().plans.push_back(plan);
    }

    pub(super) fn steered(&self) -> Vec<String> {
        self.state.lock().unwrap().steered.clone()
    }

    fn give(&self, id: String, spec: &ThreadSpec, message: &TurnSpec, sink: EventSink) {
        self.state.lock().unwrap().sinks.push((id.clone(), sink.clone()));
        let (spec, message) = (spec.clone(), message.clone());
        self.given.send(Given { spec, message, sink }).unwrap();
    }
}

#[async_trait]
impl Backend for Fake {
    async fn version(&self) -> Result<String, BackendError> {
        Ok("0.0.0".to_owned())
    }

    async fn models(&self) -> Result<ModelMenu, BackendError> {
        Err(BackendError::Refused("no menu".to_owned()))
    }

    async fn open_thread(
        &self,
        spec: &ThreadSpec,
        existing: Option<&ThreadRef>,
    ) -> Result<ThreadRef, BackendError> {
        if self.broken.load(std::sync::atomic::Ordering::SeqCst) {
            return Err(BackendError::ConfigRejected("a key is missing".to_owned()));
        }
        let fresh = ThreadRef {
            id: format!("thread-of-{}", spec.worker),
            agent_version: "0.0.0".to_owned(),
            rollout: None,
        };
        Ok(existing.cloned().unwrap_or(fresh))
    }

    async fn start_turn(
        &self,
        _thread: &ThreadRef,
        spec: &ThreadSpec,
        turn: &TurnSpec,
        sink: EventSink,
    ) -> Result<String, BackendError> {
        let id = {
            let mut state = self.state.lock().unwrap();
            state.count += 1;
            format!("agent-turn-{}", state.count)
        };
        self.give(id.clone(), spec, turn, sink);
        Ok(id)
    }

    async fn attach(
        &self,
        _thread: &ThreadRef,
        spec: &ThreadSpec,
        turn: &TurnSpec,
        sink: EventSink,
    ) -> Result<Attached, BackendError> {
        let plan = self.state.lock().unwrap().plans.pop_front();
        match plan.expect("a planned answer of attach") {
            Plan::Running => {
                self.give("attached".to_owned(), spec, turn, sink);
                Ok(Attached::Running { backend_turn_id: "attached".to_owned() })
            }
            Plan::Ended(events) => {
                for event in events {
                    sink.send(event).await.unwrap();
                }
                Ok(Attached::Ended)
            }
            Plan::NeverTaken => Ok(Attached::NeverTaken),
            Plan::Fails => Err(BackendError::Refused("no".to_owned())),
        }
    }

    async fn steer(
        &self,
        _thread: &ThreadRef,
        _turn: &str,
        _client_id: &str,
        text: &str,
    ) -> Result<(), BackendError> {
        if !self.steerable.load(std::sync::atomic::Ordering::SeqCst) {
            return Err(BackendError::NoActiveTurn);
        }
        self.state.lock().unwrap().steered.push(text.to_owned());
        Ok(())
    }

    async fn answer(
        &self,
        _thread: &ThreadRef,
        key: &str,
        verdict: Verdict,
    ) -> Result<(), BackendError> {
        let mut asks = self.asks.lock().unwrap();
        let waiting = asks.iter_mut().find(|(asked, told)| asked == key && told.is_none());
        waiting.ok_or(BackendError::NotAsked)?.1 = Some(verdict);
        Ok(())
    }

    async fn interrupt(&self, _thread: &ThreadRef, turn: &str) -> Result<(), BackendError> {
        let sink = {
            let state = self.state.lock().unwrap();
            state.sinks.iter().rev().find(|(id, _)| id == turn).map(|(_, sink)| sink.clone())
        };
        let sink = sink.ok_or(BackendError::NoActiveTurn)?;
        sink.send(TurnEvent::Ended(Ending::Interrupted)).await.unwrap();
        Ok(())
    }

    async fn run_check(&self, _: &CheckSpec) -> Result<CheckEnd, BackendError> {
        Err(BackendError::Refused("not here".to_owned()))
    }

    fn login(&self) -> Login {
        let used = self.used.lock().unwrap().clone();
        let mark = self.login.lock().unwrap().clone();
        Login { mark, used, file: Some("/home/auth.json".into()) }
    }

    async fn renew(&self) {
        self.renewed.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        let now = self.login.lock().unwrap().clone();
        *self.used.lock().unwrap() = now;
    }

    async fn close(&self, _keep_turns: bool) {}
}

/// A room with a real repository, store and worktrees, and an agent that the test plays.
pub(super) struct Stage {
    pub(super) dir: tempfile::TempDir,
    pub(super) state: StateDir,
    pub(super) store: Store,
    pub(super) clock: Clock,
    pub(super) config: Arc<Config>,
    pub(super) git: Git,
    pub(super) repo: Repo,
    pub(super) fake: Arc<Fake>,
    pub(super) workers: Workers,
    given: mpsc::UnboundedReceiver<Given>,
    cancel: tokio_util::sync::CancellationToken,
}

impl Stage {
    pub(super) async fn new() -> Self {
        Self::at(Clock::system()).await
    }

    /// With a clock that the test moves.
    pub(super) async fn timed() -> Self {
        Self::at(Clock::manual(Clock::system().now_ms())).await
    }

    async fn at(clock: Clock) -> Self {
        std::fs::create_dir_all("target/tmp").unwrap();
        let dir = tempfile::tempdir_in("target/tmp").unwrap();
        let root = dir.path().canonicalize().unwrap();
        let state = StateDir::open(&root.join("state")).unwrap();
        let git = Git::new(&Env::from_process());
        let repo = repository(&git, root.join("repo")).await;
        let store = Store::open(&state.store_db(), clock.clone()).await.unwrap();
        let config = Arc::new(Config::default());
        let (given_out, given) = mpsc::unbounded_channel();
        let fake = Arc::new(Fake {
            state: Mutex::default(),
            given: given_out,
            steerable: true.into(),
            broken: false.into(),
            login: Mutex::new("one".to_owned()),
            used: Mutex::new("one".to_owned()),
            renewed: 0.into(),
            asks: Mutex::default(),
        });
        let workers = room(&state, &store, &clock, &config, &git, &fake);
        let cancel = tokio_util::sync::CancellationToken::new();
        let stage =
            Self { dir, state, store, clock, config, git, repo, fake, workers, given, cancel };
        stage.run();
        stage
    }

    pub(super) fn run(&self) {
        let (workers, cancel) = (self.workers.clone(), self.cancel.clone());
        tokio::spawn(async move { workers.run(cancel).await });
    }

    /// The next turn that the agent is given.
    pub(super) async fn given(&mut self) -> Given {
        let limit = std::time::Duration::from_secs(20);
        tokio::time::timeout(limit, self.given.recv()).await.expect("a turn in time").unwrap()
    }

    /// The engine is gone from one moment to the next; another one takes its place.
    pub(super) async fn crash(&mut self) {
        self.cancel.cancel();
        self.workers.room.leave.cancel();
        self.workers.room.tasks.close();
        self.workers.room.tasks.wait().await;
        self.cancel = tokio_util::sync::CancellationToken::new();
        self.workers =
            room(&self.state, &self.store, &self.clock, &self.config, &self.git, &self.fake);
    }
}

fn room(
    state: &StateDir,
    store: &Store,
    clock: &Clock,
    config: &Arc<Config>,
    git: &Git,
    fake: &Arc<Fake>,
) -> Workers {
    Workers::new(WorkersDeps {
        store: store.clone(),
        journal: Journal::start(store.clone(), state.clone()),
        worktrees: Worktrees::new(store.clone(), state.clone(), clock.clone()),
        backend: Arc::clone(fake) as Arc<dyn Backend>,
        config: Arc::clone(config),
        clock: clock.clone(),
        git: git.clone(),
    })
}

pub(super) async fn repository(git: &Git, root: PathBuf) -> Repo {
    std::fs::create_dir_all(&root).unwrap();
    git.run(&root, "init").arg("-q").ok().await.unwrap();
    std::fs::write(root.join("a.txt"), "one\n").unwrap();
    git.run(&root, "add").arg("-A").ok().await.unwrap();
    git.run(&root, "commit").args(["-q", "-m", "first"]).ok().await.unwrap();
    Repo::open(git, &root).await.unwrap()
}

pub(super) fn caller() -> Caller {
    Owners::new([7; 32]).caller("stdio", Some("chat"), None, Some("test"))
}
