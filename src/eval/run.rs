use super::catalog::scenarios;
use super::checks::Checks;
use super::play::Play;
use super::scenario::Scenario;
use super::{Break, EvalError, EvalOptions, EvalReport, What, crash, load, soak};
use crate::clock::Clock;
use crate::paths::Env;
use crate::stage::{
    Files, Screen, Stage, find_codex, make_dir, prepare, remove_dir, running, with_codex,
};
use serde_json::{Map, Value};
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Plays evals one after the other and tells how each went. True when all of them passed.
///
/// # Errors
/// [`EvalError`] when nothing could be played; a failure is told in the report.
pub async fn run(options: EvalOptions<'_>) -> Result<bool, EvalError> {
    let screen = Screen::new(options.out, options.json);
    let hall = Hall {
        screen: &screen,
        program: options.program,
        user: with_codex(options.env, options.codex),
        broken: options.break_at,
        keep: options.keep,
    };
    let mut reports = Vec::new();
    match options.what {
        What::Scenarios(names) => {
            for (name, scenario) in scenarios(&names)? {
                reports.push(hall.scenario(&name, &scenario).await);
            }
        }
        What::Crash { rounds, seed } => {
            let seed = seed.unwrap_or_else(|| Clock::system().now_ms().unsigned_abs() % 1_000_000);
            let drill = crash::Drill { rounds, seed };
            reports.push(hall.play("crash", &crash::files(), crash::SETTINGS, drill).await);
        }
        What::Soak { turns } => {
            let soak = soak::Soak { turns };
            reports.push(hall.play("soak", &soak::files(), "", soak).await);
        }
        What::Load { clients, seconds } => {
            let load = load::Load { clients, seconds };
            reports.push(hall.play("load", &load::files(), "", load).await);
        }
    }
    screen.close();
    let failed = reports.iter().filter(|report| !report.passed).count();
    screen.line(&format!("{} passed, {failed} failed", reports.len() - failed));
    Ok(failed == 0)
}

/// What an eval is played with.
pub(super) struct Set<'a> {
    /// The stage.
    pub(super) stage: &'a Stage,
    /// The program that is the server.
    pub(super) program: &'a Path,
    /// What is broken on purpose.
    pub(super) broken: Option<Break>,
}

/// Something that is played on a stage.
pub(super) trait Piece {
    /// Plays it; leaves what was measured in `facts`.
    async fn play(&self, set: &Set<'_>, checks: &mut Checks<'_>, facts: &mut Map<String, Value>);
}

impl Piece for &Scenario {
    async fn play(&self, set: &Set<'_>, checks: &mut Checks<'_>, _: &mut Map<String, Value>) {
        Play::new(set.stage, set.program, set.broken).run(self, checks).await;
    }
}

/// Where evals are played.
struct Hall<'a> {
    screen: &'a Screen<'a>,
    program: PathBuf,
    user: Env,
    broken: Option<Break>,
    keep: bool,
}

impl Hall<'_> {
    async fn scenario(&self, name: &str, scenario: &Scenario) -> EvalReport {
        self.screen.line(&scenario.about);
        self.play(name, &scenario.files(), &scenario.settings, scenario).await
    }

    /// Plays one piece on a stage of its own, cleans up and tells how it went.
    async fn play(
        &self,
        name: &str,
        files: &Files,
        settings: &str,
        piece: impl Piece + Sized,
    ) -> EvalReport {
        let begun = Instant::now();
        self.screen.begin(name);
        let mut checks = Checks::new(self.screen);
        let (mut dir, mut facts) = (None, Map::new());
        let stage = self.prepare(&mut dir, files, settings).await;
        if let Some(stage) = checks.note("the stage is set", stage) {
            let set = Set { stage: &stage, program: &self.program, broken: self.broken };
            piece.play(&set, &mut checks, &mut facts).await;
            stage.model.shutdown().await;
            end_rest(&stage);
        }
        let passed = checks.passed();
        let keep = self.keep || (!passed && self.broken.is_none());
        if let Some(dir) = dir.take_if(|_| !keep) {
            checks.note("the stage is cleared", remove_dir(&dir));
        }
        let duration_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        let passed = checks.passed();
        let name = name.to_owned();
        let checks = checks.into_list();
        let report = EvalReport { name, passed, checks, duration_ms, facts, kept: dir };
        self.tell(&report);
        report
    }

    async fn prepare(
        &self,
        dir: &mut Option<PathBuf>,
        files: &Files,
        settings: &str,
    ) -> anyhow::Result<Stage> {
        let made = dir.insert(make_dir(&self.user, "eval")?);
        let (codex, _) = find_codex(&self.user, made).await?;
        prepare(made, &self.user, &codex, files, settings).await
    }

    fn tell(&self, report: &EvalReport) {
        self.screen.end(&report.name, report.passed, report.duration_ms);
        for (name, value) in &report.facts {
            self.screen.line(&format!("     {name}: {value}"));
        }
        if let Some(kept) = &report.kept {
            self.screen.line(&format!("     kept: {}", kept.display()));
        }
        if let Ok(object) = serde_json::to_string(report) {
            self.screen.object(&object);
        }
    }
}

/// Whatever a failed eval left running ends with it.
fn end_rest(stage: &Stage) {
    for pid in running(stage) {
        if let Some(process) = crate::process::Identity::of(pid) {
            let _ = process.signal(rustix::process::Signal::KILL);
        }
    }
}
