//! For tests: a server on a state directory of its own, and tools that misbehave on purpose.

use super::{Answer, Facts, Hints, Server, ToolError, ToolSpec, tool, tools};
use crate::app::{App, AppOptions};
use crate::clock::Clock;
use crate::config::{Config, ToolMode};
use crate::paths::{AllowedRoots, Env, StateDir};
use crate::secret::Secret;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::Notify;

/// A state directory with a store and a token.
pub(crate) struct Bed {
    pub(crate) state: StateDir,
    pub(crate) app: Arc<App>,
    pub(crate) token: Secret,
    pub(crate) probe: Probe,
    _dir: tempfile::TempDir,
}

/// What the tools for tests report and wait for.
#[derive(Clone, Default)]
pub(crate) struct Probe {
    pub(crate) begun: Arc<Notify>,
    pub(crate) go: Arc<Notify>,
    pub(crate) finished: Arc<AtomicUsize>,
    pub(crate) dropped: Arc<Notify>,
}

impl Bed {
    pub(crate) async fn new(config: Config) -> Self {
        let base = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("target/tmp");
        std::fs::create_dir_all(&base).unwrap();
        let dir = tempfile::tempdir_in(base).unwrap();
        let state = StateDir::open(&dir.path().join("state")).unwrap();
        let clock = Clock::system();
        let app = App::open(AppOptions {
            state: state.clone(),
            env: Env::default(),
            config: Arc::new(config),
            roots: AllowedRoots::new([]).unwrap(),
            clock,
            program: PathBuf::from("patchbay"),
        });
        let app = app.await.unwrap();
        let token = Secret::generate().unwrap();
        Self { state, app, token, probe: Probe::default(), _dir: dir }
    }

    /// A server with all tools, and those for tests at the end.
    pub(crate) fn server(&self) -> Arc<Server> {
        let facts = Facts::default();
        let mut specs = tools::all(&facts);
        specs.extend(test_tools(&self.probe));
        Server::with_tools(self.app.clone(), specs, facts).unwrap()
    }
}

#[derive(Deserialize, JsonSchema)]
struct Word {
    /// What to say.
    #[schemars(length(max = 10))]
    word: Option<String>,
}

#[derive(Serialize, JsonSchema)]
struct Said {
    word: Option<String>,
}

struct SaysDropped(Arc<Notify>);

impl Drop for SaysDropped {
    fn drop(&mut self) {
        self.0.notify_one();
    }
}

fn test_tools(probe: &Probe) -> Vec<ToolSpec> {
    let write = Hints { read_only: false, destructive: true, open_world: false, idempotent: false };
    let (reads, writes) = (probe.clone(), probe.clone());
    let labels = ("Testing", "Tested");
    let mode = ToolMode::Minimal;
    vec![
        tool::<Word, Said, _, _>("test_panic", "P", "Panics.", mode, Hints::READ, labels, panics),
        tool::<Word, Said, _, _>("test_say", "S", "Says.", mode, Hints::READ, labels, say),
        tool::<Word, Said, _, _>("test_full", "F", "Hidden.", ToolMode::Full, write, labels, say),
        tool::<Word, Said, _, _>(
            "test_read",
            "R",
            "Waits.",
            mode,
            Hints::READ,
            labels,
            move |_, w| wait(reads.clone(), w),
        ),
        tool::<Word, Said, _, _>("test_write", "W", "Waits.", mode, write, labels, move |_, w| {
            wait(writes.clone(), w)
        }),
    ]
}

async fn panics(_: super::Call, _: Word) -> Result<Answer, ToolError> {
    panic!("on purpose")
}

async fn say(_: super::Call, word: Word) -> Result<Answer, ToolError> {
    Answer::new(&Said { word: word.word }, "said")
}

async fn wait(probe: Probe, word: Word) -> Result<Answer, ToolError> {
    let _dropped = SaysDropped(probe.dropped.clone());
    probe.begun.notify_one();
    probe.go.notified().await;
    probe.finished.fetch_add(1, Ordering::SeqCst);
    Answer::new(&Said { word: word.word }, "waited")
}
