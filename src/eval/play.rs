use super::Break;
use super::checks::Checks;
use super::expect::{Kept, filled, holds};
use super::ground::{Ground, same_files};
use super::scenario::{Act, Asked, Call, Restart, Scenario, Until, files};
use crate::stage::{
    Answer, Client, Door, Found, Server, Stage, files_below, nothing_runs, script, worktrees,
};
use anyhow::{Context, bail, ensure};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

/// How long a worker, or the model, may take to get where it should.
const PATIENCE: Duration = Duration::from_secs(120);

/// States in which a worker stays until somebody does something.
const RESTS: [&str; 5] = ["idle", "failed", "interrupted", "needs_login", "waiting_limit"];

/// A scenario that is being played.
pub(super) struct Play<'a> {
    stage: &'a Stage,
    program: &'a Path,
    broken: Option<Break>,
    server: Option<Server>,
    clients: BTreeMap<Door, Client>,
    kept: Kept,
    before: Option<Ground>,
}

impl<'a> Play<'a> {
    /// Ready to play on a stage.
    pub(super) fn new(stage: &'a Stage, program: &'a Path, broken: Option<Break>) -> Self {
        let (clients, kept) = (BTreeMap::new(), Kept::new());
        Self { stage, program, broken, server: None, clients, kept, before: None }
    }

    /// Plays all steps up to the first that fails, ends everything, and looks at what is left.
    pub(super) async fn run(mut self, scenario: &Scenario, checks: &mut Checks<'_>) {
        let started = Server::start(self.program, self.stage).await;
        self.server = checks.note("the server starts", started);
        if self.server.is_some() {
            let last = scenario.steps.len().saturating_sub(1);
            for (number, step) in scenario.steps.iter().enumerate() {
                if number == last {
                    self.intrude();
                }
                let done = tokio::select! {
                    done = self.act(&step.act) => done,
                    _ = tokio::signal::ctrl_c() => Err(anyhow::anyhow!("interrupted")),
                };
                if checks.note(&step.name(), done).is_none() {
                    break;
                }
            }
        }
        let stopped = self.stop(&["stop"]).await;
        checks.note("the server stops", stopped);
        let left = self.left().await;
        checks.note("no process, lock or unaccounted worktree is left", left);
    }

    /// What is broken on purpose at the end.
    fn intrude(&self) {
        if self.broken == Some(Break::Base) {
            // That the file cannot be written shows as well: the eval then passes where it must fail.
            let _ = std::fs::write(self.stage.repo.root.join("intruder.txt"), "surprise\n");
        }
    }

    async fn left(&self) -> anyhow::Result<()> {
        nothing_runs(self.stage).await?;
        for path in worktrees(self.stage).await? {
            let ours = path.starts_with(self.stage.state.root()) && path.is_dir();
            ensure!(ours, "git knows of a worktree that is nobody's: {}", path.display());
        }
        Ok(())
    }

    async fn act(&mut self, act: &Act) -> anyhow::Result<()> {
        match act {
            Act::Call(call) => self.call(call).await,
            Act::Together(calls) => self.together(calls).await,
            Act::Until(until) => self.until(until).await,
            Act::Restart(how) => self.restart(*how).await,
            Act::Asked(asked) => self.asked(asked).await,
            Act::Gate(name) => {
                self.stage.model.open_gate(name);
                Ok(())
            }
            Act::Write(texts) => self.write(texts),
            Act::Commit(message) => self.commit(message).await,
            Act::Remember => {
                self.before = Some(Ground::of(self.stage)?);
                Ok(())
            }
            Act::Unchanged => {
                let before = self.before.as_ref().context("nothing was remembered")?;
                before.same(&Ground::of(self.stage)?)
            }
            Act::Base(contents) => {
                let expected = files(contents).into_iter();
                let expected: BTreeMap<String, Found> =
                    expected.map(|(path, (x, text))| (path, (x, text.into()))).collect();
                same_files(&expected, &files_below(&self.stage.repo.root)?)
            }
            Act::Status(lines) => self.status(lines).await,
        }
    }

    /// The client of a door, connected when it is needed first.
    async fn client(&mut self, door: Door) -> anyhow::Result<&mut Client> {
        if !self.clients.contains_key(&door) {
            let server = self.server.as_ref().context("no server runs")?;
            let transcript = "transcript.jsonl";
            let client = Client::connect(door, self.program, self.stage, server, transcript).await;
            self.clients.insert(door, client?);
        }
        self.clients.get_mut(&door).context("no client")
    }

    async fn call(&mut self, call: &Call) -> anyhow::Result<()> {
        let args = self.args(call)?;
        let before = match &call.error {
            Some(_) => Some((Ground::of(self.stage)?, self.team(call.through).await?)),
            None => None,
        };
        let answer = self.client(call.through).await?.try_call(&call.tool, args).await?;
        self.judge(call, answer)?;
        if let Some((ground, team)) = before {
            ground.same(&Ground::of(self.stage)?).context("a refusal changed something")?;
            let now = self.team(call.through).await?;
            ensure!(team == now, "a refusal changed the team: {now}, before: {team}");
        }
        Ok(())
    }

    /// Calls, each over a client of its own door, all under way at the same time.
    async fn together(&mut self, calls: &[Call]) -> anyhow::Result<()> {
        let mut ready = Vec::new();
        for call in calls {
            let args = self.args(call)?;
            self.client(call.through).await?;
            let client = self.clients.remove(&call.through);
            ready.push((call, args, client.context("two calls at once through one door")?));
        }
        let run = |(call, args, mut client): (&'_ Call, Value, Client)| {
            let tool = call.tool.clone();
            async move { (client.try_call(&tool, args).await, client) }
        };
        let (order, runs): (Vec<&Call>, Vec<_>) =
            ready.into_iter().map(|one| (one.0, run(one))).unzip();
        let done = futures_util::future::join_all(runs).await;
        for (call, (answer, client)) in order.into_iter().zip(done) {
            self.clients.insert(call.through, client);
            self.judge(call, answer?).with_context(|| format!("{:?}", call.through))?;
        }
        Ok(())
    }

    fn judge(&mut self, call: &Call, answer: Answer) -> anyhow::Result<()> {
        match &call.error {
            None if answer.error => {
                answer.ok()?;
                bail!("an error without words")
            }
            Some(code) => {
                ensure!(answer.code() == code, "expected {code}, got {}", answer.data);
                for word in ["message", "hint"] {
                    let said = answer.data[word].as_str().unwrap_or_default();
                    ensure!(!said.is_empty(), "{code} has no {word}");
                }
            }
            None => {}
        }
        for (pointer, expected) in &call.expect {
            holds(answer.data.pointer(pointer), expected, &self.kept)
                .with_context(|| pointer.clone())?;
        }
        for (name, pointer) in &call.keep {
            let value = answer.data.pointer(pointer).with_context(|| format!("no {pointer}"))?;
            self.kept.insert(name.clone(), value.clone());
        }
        Ok(())
    }

    fn args(&self, call: &Call) -> anyhow::Result<Value> {
        let filled = filled(&Value::Object(call.args.clone()), &self.kept)?;
        let idle = self.broken == Some(Break::Worker);
        let members = filled.as_object().cloned().unwrap_or_default().into_iter();
        let members = members.map(|(name, value)| (name, scripted(value, idle)));
        Ok(Value::Object(members.collect::<Map<_, _>>()))
    }

    /// What must not change by a refusal: who is there, in which state, with what waiting.
    async fn team(&mut self, door: Door) -> anyhow::Result<Value> {
        let all = json!({"scope": "all", "include_stopped": true});
        let team = self.client(door).await?.call("codex_worker_list", all).await?;
        let facts = ["worker_id", "name", "state", "queued_messages", "integration_state"];
        let row = |worker: &Value| json!(facts.map(|fact| worker[fact].clone()));
        let mut rows: Vec<String> = team["workers"]
            .as_array()
            .context("a team without workers")?
            .iter()
            .map(|worker| row(worker).to_string())
            .collect();
        rows.sort_unstable();
        Ok(json!(rows))
    }

    async fn until(&mut self, until: &Until) -> anyhow::Result<()> {
        let begun = Instant::now();
        let (worker, wanted) = (&until.worker, until.state.as_str());
        let client = self.client(Door::Modern).await?;
        loop {
            let look = json!({"worker": worker, "view": "status"});
            let status = client.call("codex_worker_inspect", look).await?;
            let state = status["state"].as_str().unwrap_or_default();
            if state == wanted && (state != "idle" || status["queued_messages"] == 0) {
                return Ok(());
            }
            let rests = RESTS.contains(&state) && status["queued_messages"] == 0;
            ensure!(!rests, "{worker} is {state}: {}", status["turn"]);
            ensure!(begun.elapsed() < PATIENCE, "{worker} is still {state}");
            let wait = json!({"worker": worker, "wait_seconds": 10,
                              "since_revision": status["revision"]});
            client.call("codex_worker_wait", wait).await?;
        }
    }

    async fn asked(&self, asked: &Asked) -> anyhow::Result<()> {
        let enough = self.stage.model.wait_until(|all| {
            all.iter().filter(|one| one.step == asked.step).count() >= asked.times
        });
        tokio::time::timeout(PATIENCE, enough).await.context("the model was not asked")
    }

    async fn restart(&mut self, how: Restart) -> anyhow::Result<()> {
        match how {
            Restart::Kill => {
                self.clients.clear();
                self.server.take().context("no server runs")?.kill().await?;
            }
            Restart::Stop => self.stop(&["stop"]).await?,
            Restart::KeepTurns => self.stop(&["stop", "--keep-turns"]).await?,
        }
        self.server = Some(Server::start(self.program, self.stage).await?);
        Ok(())
    }

    async fn stop(&mut self, args: &[&str]) -> anyhow::Result<()> {
        let mut closed = Ok(());
        for (_, client) in std::mem::take(&mut self.clients) {
            closed = closed.and(client.close().await);
        }
        if let Some(server) = self.server.take() {
            server.stop_with(self.program, self.stage, args).await?;
        }
        closed
    }

    fn write(&self, texts: &BTreeMap<String, String>) -> anyhow::Result<()> {
        for (path, text) in texts {
            let path = self.stage.repo.root.join(path);
            std::fs::create_dir_all(path.parent().context("a file without a directory")?)?;
            std::fs::write(path, text)?;
        }
        Ok(())
    }

    async fn commit(&self, message: &str) -> anyhow::Result<()> {
        let repo = &self.stage.repo;
        repo.git.run(&repo.root, "add").arg("--all").ok().await?;
        let commit = repo.git.run(&repo.root, "commit");
        commit.args(["--quiet", "--message", message]).ok().await?;
        Ok(())
    }

    async fn status(&self, lines: &[String]) -> anyhow::Result<()> {
        let repo = &self.stage.repo;
        let said = repo.git.run(&repo.root, "status");
        let said = said.args(["--porcelain", "--untracked-files=all"]).ok().await?.line();
        let found: Vec<&str> = said.lines().collect();
        ensure!(found == lines, "git says {found:?}, expected {lines:?}");
        Ok(())
    }
}

/// `{script: {words, steps}}` as a brief; `idle` leaves the steps out.
fn scripted(value: Value, idle: bool) -> Value {
    let Some(body) = value.as_object().and_then(|object| object.get("script")) else {
        return value;
    };
    let steps = if idle { json!([{"say": "All of it is done."}]) } else { body["steps"].clone() };
    Value::String(script(body["words"].as_str().unwrap_or_default(), &steps))
}
