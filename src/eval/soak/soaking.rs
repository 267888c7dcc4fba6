use super::lane::Lane;
use super::sample::Sample;
use super::verdict::{JUDGED, TOLD};
use crate::eval::checks::Checks;
use crate::eval::run::{Piece, Set};
use crate::stage::{Files, Server, nothing_left};
use serde_json::{Map, Value, json};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// How many workers are at work at once.
const LANES: usize = 4;

/// How many samples are taken.
const SAMPLES: u32 = 100;

/// So many turns.
pub(in crate::eval) struct Soak {
    pub(in crate::eval) turns: u32,
}

/// The base of a soak.
pub(in crate::eval) fn files() -> Files {
    Files::from([("README.md".to_owned(), (false, "# Soak\n".to_owned()))])
}

impl Piece for Soak {
    async fn play(&self, set: &Set<'_>, checks: &mut Checks<'_>, facts: &mut Map<String, Value>) {
        let started = Server::start(set.program, set.stage).await;
        let Some(server) = checks.note("the server starts", started) else { return };
        let begun = Instant::now();
        let mut samples = Vec::new();
        let name = format!("{} turns, each with its report", self.turns);
        let played = tokio::select! {
            played = self.soak(set, &server, &mut samples, checks) => played,
            _ = tokio::signal::ctrl_c() => Err(anyhow::anyhow!("interrupted")),
        };
        let whole = checks.note(&name, played).is_some();
        facts.insert("turns_per_second".to_owned(), json!(rate(&samples, begun.elapsed())));
        if whole {
            let judged = JUDGED.iter().map(|measure| (measure, measure.judge(&samples), ""));
            let told =
                TOLD.iter().map(|measure| (measure, measure.growth(&samples), ", not judged"));
            for (measure, growth, remark) in judged.chain(told) {
                match growth {
                    Ok(growth) => checks.tell(measure.name, format!("{growth:+.1} %{remark}")),
                    Err(error) => {
                        checks.note::<()>(measure.name, Err(error));
                    }
                }
            }
            let early = samples.iter().find(|sample| sample.turns >= self.turns / 5);
            facts.insert("early".to_owned(), json!(early));
            facts.insert("late".to_owned(), json!(samples.last()));
        }
        let samples = samples.iter().filter_map(|sample| serde_json::to_string(sample).ok());
        let file = set.stage.file("samples.jsonl");
        let written = std::fs::write(file, samples.collect::<Vec<_>>().join("\n"));
        checks.note("the samples are written", written.map_err(Into::into));
        let stopped = server.stop(set.program, set.stage).await;
        checks.note("the server stops", stopped);
        if whole {
            let left = nothing_left(set.stage).await;
            checks.note("no process, lock or worktree is left", left);
        }
    }
}

impl Soak {
    async fn soak(
        &self,
        set: &Set<'_>,
        server: &Server,
        samples: &mut Vec<Sample>,
        checks: &Checks<'_>,
    ) -> anyhow::Result<()> {
        let (left, done) = (AtomicU32::new(self.turns), AtomicU32::new(0));
        let mut lanes = Vec::new();
        for number in 0..LANES {
            lanes.push(Lane::new(number, &server.ready, &left, &done).await?.run());
        }
        let all = futures_util::future::try_join_all(lanes);
        let mut all = std::pin::pin!(all);
        let every = (self.turns / SAMPLES).max(1);
        let mut next = every;
        loop {
            tokio::select! {
                ended = &mut all => {
                    ended?;
                    samples.push(Sample::take(set.stage, server, self.turns));
                    return Ok(());
                }
                () = tokio::time::sleep(Duration::from_millis(20)) => {}
            }
            let turns = done.load(Ordering::SeqCst);
            if turns >= next {
                next = turns + every;
                samples.push(Sample::take(set.stage, server, turns));
                set.stage.model.forget();
                if samples.len().is_multiple_of(10) {
                    checks.line(&format!("     {turns} turns"));
                }
            }
        }
    }
}

fn rate(samples: &[Sample], took: Duration) -> f64 {
    let turns = f64::from(samples.last().map_or(0, |sample| sample.turns));
    (turns / took.as_secs_f64() * 10.0).round() / 10.0
}
