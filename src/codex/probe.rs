use super::launch::Launch;
use super::session::Session;
use super::{CodexError, CodexProgram, server};
use crate::backend::{
    BackendError, Ending, ItemPhase, Sandbox, ThreadRef, ThreadSpec, TurnEvent, TurnSpec,
};
use crate::config::CodexConfig;
use crate::ids::{TurnId, WorkerId};
use crate::paths::{Env, StateDir};
use crate::process::marked;
use crate::scripted::{ScriptedModel, ScriptedOptions};
use base64::Engine;
use serde_json::json;
use std::fmt::Display;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;

/// How long one step may take.
const STEP: Duration = Duration::from_secs(60);

/// The last words of the scripted model.
const ANSWER: &str = "The probe is answered.";

/// A message that is steered into the turn.
const STEERED: &str = "The probe steers.";

/// The step that failed, and how.
pub(super) type Fault = (&'static str, String);

/// Plays two short turns with a codex that was never tried: it must start and take our configuration,
/// patch, run a command, take a steered message, answer, and be interrupted without leaving a process.
/// All in a state directory of its own that is removed, against a scripted model, offline.
///
/// # Errors
/// What is no fault of this codex: [`CodexError::Sandbox`], [`CodexError::Io`].
pub(super) async fn probe(
    outer: &Launch,
    codex: &CodexProgram,
) -> Result<Result<(), Fault>, CodexError> {
    let place = outer.state.root().join("probe");
    let io = |source| CodexError::Io { path: place.clone(), source };
    clear(&place).await.map_err(io)?;
    let state = StateDir::open(&place).map_err(|e| io(std::io::Error::other(e)))?;
    let model = ScriptedModel::start(ScriptedOptions::default());
    let model = model.await.map_err(|e| io(std::io::Error::other(e)))?;
    let stage = Stage { launch: inner(outer, state, &model), model };
    let outcome = stage.play(codex).await;
    server::end_sidecar(&stage.launch.state).await;
    stage.model.shutdown().await;
    clear(&place).await.map_err(io)?;
    match outcome {
        Err(Stop::Machine(error)) => Err(error),
        Err(Stop::Fault(fault)) => Ok(Err(fault)),
        Ok(()) => Ok(Ok(())),
    }
}

/// Removes what an earlier probe left, its processes first.
async fn clear(place: &std::path::Path) -> std::io::Result<()> {
    if !place.exists() {
        return Ok(());
    }
    if let Ok(state) = StateDir::open(place) {
        server::end_sidecar(&state).await;
    }
    std::fs::remove_dir_all(place)
}

fn inner(outer: &Launch, state: StateDir, model: &ScriptedModel) -> Launch {
    let config =
        CodexConfig { scripted_base_url: Some(model.base_url()), ..CodexConfig::default() };
    let home = state.root().join("home");
    let passed = ["PATH", "LANG", "USER", "SHELL"];
    let vars = passed.iter().filter_map(|name| Some((*name, outer.env.get(name)?.to_owned())));
    let env = Env::of(vars.chain([("HOME", home.into_os_string())]));
    Launch { state, env, config: Arc::new(config), idle_seconds: 10, ..outer.clone() }
}

enum Stop {
    Fault(Fault),
    Machine(CodexError),
}

fn fault(step: &'static str, detail: impl Display) -> Stop {
    Stop::Fault((step, detail.to_string()))
}

struct Stage {
    launch: Launch,
    model: ScriptedModel,
}

impl Stage {
    async fn play(&self, codex: &CodexProgram) -> Result<(), Stop> {
        let plan = self.launch.plan(codex.clone());
        let live = self.launch.start(&plan).await.map_err(|error| match error {
            CodexError::Sandbox(_) | CodexError::Io { .. } => Stop::Machine(error),
            other => fault("start", other),
        })?;
        let session = Session::new(live);
        let spec = self.thread().map_err(|e| fault("start", e))?;
        let opened = session.open(&self.launch, &spec, None).await;
        let thread = opened.map_err(|e| fault("start", e))?;
        self.work(&session, &thread, &spec).await?;
        self.interrupt(&session, &thread, &spec).await
    }

    fn thread(&self) -> std::io::Result<ThreadSpec> {
        let place = self.launch.state.worktrees().join("probe");
        let (cwd, tmp) = (place.join("tree"), place.join("tmp"));
        std::fs::create_dir_all(&cwd)?;
        std::fs::create_dir_all(&tmp)?;
        Ok(ThreadSpec {
            worker: WorkerId::mint(&self.launch.clock),
            name: "probe".to_owned(),
            cwd,
            tmp,
            sandbox: Sandbox::Worktree,
            model: None,
            effort: None,
            may_ask: false,
            instructions: "This is a probe.".to_owned(),
        })
    }

    fn turn(&self, steps: &serde_json::Value) -> TurnSpec {
        let turn = TurnId::mint(&self.launch.clock);
        let list = base64::engine::general_purpose::STANDARD.encode(steps.to_string());
        let text = format!("[[steps:b64={list}]]");
        TurnSpec { client_id: turn.to_string(), turn, text, model: None, effort: None }
    }

    /// Patch, command, steer, answer.
    async fn work(
        &self,
        session: &Session,
        thread: &ThreadRef,
        spec: &ThreadSpec,
    ) -> Result<(), Stop> {
        let turn = self.turn(&json!([
            { "patch": "*** Begin Patch\n*** Add File: made.txt\n+probe\n*** End Patch\n" },
            { "sh": "cat made.txt > copied.txt", "yield_ms": 30_000 },
            { "gate": "steered" },
            { "say": ANSWER },
        ]));
        let (sink, mut events) = mpsc::channel(1024);
        let begun = session.start_turn(&self.launch, thread, spec, &turn, sink).await;
        let id = begun.map_err(|e| fault("answer", e))?;
        let at_gate = self.model.wait_until(|all| all.iter().any(|asked| asked.step >= 2));
        let waiting = tokio::select! {
            there = in_time(at_gate) => there,
            ended = until(&mut events, |_| false) => ended.map(drop),
        };
        for (step, file) in [("patch", "made.txt"), ("command", "copied.txt")] {
            let found = std::fs::read_to_string(spec.cwd.join(file));
            if !matches!(&found, Ok(text) if text == "probe\n") {
                return Err(fault(step, format!("{file} holds {found:?}")));
            }
        }
        waiting.map_err(|late| fault("command", late))?;
        let steered = session.steer(thread, &id, "trn_probe", STEERED).await;
        steered.map_err(|e| fault("steer", e))?;
        let heard = |body: &serde_json::Value| body.to_string().contains(STEERED);
        let told = self.model.wait_until(|all| all.iter().any(|asked| heard(&asked.body)));
        in_time(told).await.map_err(|late| fault("steer", late))?;
        self.model.open_gate("steered");
        let seen = until(&mut events, |event| matches!(event, TurnEvent::Ended(_))).await;
        let seen = seen.map_err(|e| fault("answer", e))?;
        let answered = seen.iter().any(|event| {
            matches!(event, TurnEvent::Item { kind, payload, phase: ItemPhase::Completed, .. }
                if kind == "agentMessage" && payload["text"] == ANSWER)
        });
        match seen.last() {
            Some(TurnEvent::Ended(Ending::Completed)) if answered => Ok(()),
            end => Err(fault("answer", format!("answered: {answered}, end: {end:?}"))),
        }
    }

    /// An interrupt ends the turn, and its command.
    async fn interrupt(
        &self,
        session: &Session,
        thread: &ThreadRef,
        spec: &ThreadSpec,
    ) -> Result<(), Stop> {
        let turn = self.turn(&json!([{ "sh": "sleep 600", "yield_ms": 120_000 }]));
        let (sink, mut events) = mpsc::channel(1024);
        let failed = |error: BackendError| fault("interrupt", error);
        let id = session.start_turn(&self.launch, thread, spec, &turn, sink).await;
        let id = id.map_err(failed)?;
        let began = |event: &TurnEvent| matches!(event, TurnEvent::Item { kind, .. } if kind == "commandExecution");
        until(&mut events, began).await.map_err(|e| fault("interrupt", e))?;
        session.interrupt(thread, &id).await.map_err(failed)?;
        let seen = until(&mut events, |event| matches!(event, TurnEvent::Ended(_))).await;
        let seen = seen.map_err(|e| fault("interrupt", e))?;
        let left = marked("TMPDIR", &spec.tmp).len();
        match seen.last() {
            Some(TurnEvent::Ended(Ending::Interrupted)) if left == 0 => Ok(()),
            end => Err(fault("interrupt", format!("end: {end:?}, processes left: {left}"))),
        }
    }
}

async fn in_time(wait: impl Future<Output = ()>) -> Result<(), String> {
    let late = |_| format!("nothing came within {} s", STEP.as_secs());
    tokio::time::timeout(STEP, wait).await.map_err(late)
}

/// Takes events up to the one that is wanted.
async fn until(
    events: &mut mpsc::Receiver<TurnEvent>,
    wanted: impl Fn(&TurnEvent) -> bool,
) -> Result<Vec<TurnEvent>, String> {
    let mut seen = Vec::new();
    let mut found = false;
    in_time(async {
        while let Some(event) = events.recv().await {
            found = wanted(&event);
            let over = matches!(event, TurnEvent::Ended(_) | TurnEvent::Lost);
            seen.push(event);
            if found || over {
                return;
            }
        }
    })
    .await?;
    if found { Ok(seen) } else { Err(format!("the turn ended early: {:?}", seen.last())) }
}
