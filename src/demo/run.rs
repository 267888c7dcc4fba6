use super::ledger::{Failed, Ledger};
use super::options::{Break, DemoOptions, DemoOutcome, Kept};
use super::{check, login, story, turn};
use crate::paths::Env;
use crate::stage::{
    Client, Door, Screen, Server, Stage, find_codex, make_dir, nothing_left, nothing_runs, prepare,
    prepare_live, remove_dir, with_codex,
};
use std::path::{Path, PathBuf};

/// Plays the demo to its end and cleans up, whatever happens on the way.
///
/// Everything that goes wrong is told in the outcome: `ok` is false and `failed_step` names the step.
/// With `json` the outcome is also written to `out`, as one object on one line.
pub async fn run(options: DemoOptions<'_>) -> DemoOutcome {
    let screen = Screen::new(options.out, options.json);
    let ledger = Ledger::new(&screen);
    let play = Play {
        program: options.program,
        user: with_codex(options.env, options.codex),
        broken: options.break_at.filter(|_| !options.live),
        live: options.live,
        keep: options.keep,
        ledger: &ledger,
        screen: &screen,
    };
    let mut outcome = DemoOutcome::default();
    play.run(&mut outcome).await;
    outcome.steps = ledger.steps();
    if let Some((step, error)) = ledger.failure() {
        outcome.failed_step = Some(step);
        outcome.error = Some(error);
    }
    outcome.ok = outcome.failed_step.is_none();
    screen.close();
    tell(&screen, &outcome);
    outcome
}

fn tell(screen: &Screen<'_>, outcome: &DemoOutcome) {
    match (&outcome.failed_step, &outcome.error) {
        (Some(step), Some(error)) => screen.line(&format!("The demo failed at {step}: {error}")),
        _ => screen.line("The demo went through: the work is in the base, and nothing is left."),
    }
    if let Some(kept) = &outcome.kept {
        screen.line(&format!("Kept:\n{}", list(kept)));
    }
    if let Ok(object) = serde_json::to_string(outcome) {
        screen.object(&object);
    }
}

fn list(kept: &Kept) -> String {
    let rollout = kept.rollout.as_deref().unwrap_or(Path::new("none"));
    [
        ("repository", kept.repository.as_path()),
        ("state", &kept.state),
        ("store", &kept.store),
        ("rollout", rollout),
        ("transcript", &kept.transcript),
        ("model log", kept.model_log.as_deref().unwrap_or(Path::new("none"))),
        ("server log", &kept.server_log),
    ]
    .map(|(name, path)| format!("  {name:12} {}", path.display()))
    .join("\n")
}

/// One run of the demo.
struct Play<'a> {
    program: PathBuf,
    user: Env,
    broken: Option<Break>,
    live: bool,
    keep: bool,
    ledger: &'a Ledger<'a>,
    screen: &'a Screen<'a>,
}

impl Play<'_> {
    /// Plays all steps; the ledger knows of failures.
    async fn run(&self, outcome: &mut DemoOutcome) {
        let mut dir = None;
        let stage = self.ledger.step("prepare", self.prepare(&mut dir, outcome)).await;
        if let Ok(stage) = &stage {
            self.with_stage(stage).await;
            stage.model.shutdown().await;
            if self.keep {
                outcome.kept = Some(kept(stage));
            }
        }
        if let Some(dir) = dir
            && !self.keep
            && let Err(error) = remove_dir(&dir)
        {
            let _ = self.ledger.step("check", async { Err::<(), _>(error) }).await;
        }
    }

    async fn prepare(
        &self,
        dir: &mut Option<PathBuf>,
        outcome: &mut DemoOutcome,
    ) -> anyhow::Result<Stage> {
        if self.live {
            self.screen.tell(&login::used(&self.user)?);
        }
        let made = dir.insert(make_dir(&self.user, "demo")?);
        let (codex, version) = find_codex(&self.user, made).await?;
        self.screen.tell(&format!("codex {version} at {}", codex.display()));
        outcome.codex_version = Some(version);
        if self.live {
            return prepare_live(made, &self.user, &codex, &story::before()).await;
        }
        prepare(made, &self.user, &codex, &story::before(), "").await
    }

    /// The steps that need a stage; `stop` and `check` follow whatever went wrong before.
    async fn with_stage(&self, stage: &Stage) {
        let started = self.ledger.step("server", Server::start(&self.program, stage)).await;
        let Ok(server) = started else { return };
        let told = self.tell_story(stage, &server).await;
        let stopped = self.ledger.step("stop", async {
            // Without a client the worker's worktree stays; the server goes all the same.
            let dismissed = match told {
                Ok(mut client) => turn::dismiss(&mut client).await,
                Err(Failed) => Ok(()),
            };
            server.stop(&self.program, stage).await?;
            dismissed
        });
        let _ = stopped.await;
        let whole = self.ledger.failure().is_none();
        let checked = self.ledger.step("check", async {
            if whole {
                check::base(stage).await?;
                nothing_left(stage).await
            } else {
                // A worker that was not dismissed keeps its worktree: only processes and locks count.
                nothing_runs(stage).await
            }
        });
        let _ = checked.await;
    }

    /// From the first connection to the apply.
    async fn tell_story(&self, stage: &Stage, server: &Server) -> Result<Client, Failed> {
        let (ledger, screen) = (self.ledger, self.screen);
        let mut client = ledger
            .step("connect", async {
                let transcript = "transcript.jsonl";
                let mut client =
                    Client::connect(Door::Modern, &self.program, stage, server, transcript).await?;
                turn::connect(&mut client, screen).await?;
                Ok(client)
            })
            .await?;
        ledger.step("start", turn::start(&mut client, screen, self.live, self.broken)).await?;
        ledger.step("watch", turn::watch(&mut client, screen)).await?;
        ledger.step("inspect", turn::look(&mut client, screen, self.live)).await?;
        let token = ledger.step("preview", turn::preview(&mut client, screen)).await?;
        let apply = turn::integrate(&mut client, stage, &token, self.broken);
        ledger.step("integrate", apply).await?;
        Ok(client)
    }
}

fn kept(stage: &Stage) -> Kept {
    Kept {
        repository: stage.repo.root.clone(),
        state: stage.state.root().to_path_buf(),
        store: stage.state.store_db(),
        rollout: first_file(&stage.state.codex_home().join("sessions")),
        transcript: stage.file("transcript.jsonl"),
        model_log: Some(stage.file("model.jsonl")).filter(|_| !stage.live),
        server_log: stage.file("server.log"),
    }
}

/// The first file below a directory; the demo's codex home holds one rollout.
fn first_file(dir: &Path) -> Option<PathBuf> {
    let mut paths: Vec<PathBuf> =
        std::fs::read_dir(dir).ok()?.flatten().map(|e| e.path()).collect();
    paths.sort();
    paths.into_iter().find_map(|path| if path.is_dir() { first_file(&path) } else { Some(path) })
}
