use super::round::{Round, SEATS, Tally};
use crate::eval::checks::Checks;
use crate::eval::random::Random;
use crate::eval::run::{Piece, Set};
use crate::stage::Files;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Settings of the server in a drill.
pub(in crate::eval) const SETTINGS: &str = "";

/// So many rounds, from a seed.
pub(in crate::eval) struct Drill {
    pub(in crate::eval) rounds: u32,
    pub(in crate::eval) seed: u64,
}

/// The base of a drill: a file with a line for each worker, far enough apart to be merged.
pub(in crate::eval) fn files() -> Files {
    let lines = (0..SEATS).map(|seat| format!("w{seat}: nothing\n-\n-\n-\n-\n"));
    Files::from([
        ("README.md".to_owned(), (false, "# Drill\n".to_owned())),
        ("run.sh".to_owned(), (true, "#!/bin/sh\n".to_owned())),
        ("shared.txt".to_owned(), (false, lines.collect())),
    ])
}

impl Piece for Drill {
    /// Plays rounds up to the first that fails.
    async fn play(&self, set: &Set<'_>, checks: &mut Checks<'_>, facts: &mut Map<String, Value>) {
        checks.line(&format!("seed {}", self.seed));
        let mut random = Random::new(self.seed);
        let mut tallies = Vec::new();
        for number in 1..=self.rounds {
            let tally = Tally::default();
            let mut round = Round { set, number, random: random.fork(), tally };
            let done = tokio::select! {
                done = round.play() => done,
                _ = tokio::signal::ctrl_c() => Err(anyhow::anyhow!("interrupted")),
            };
            let name = format!("round {number}");
            let tally = round.tally;
            let words = words(&tally);
            let whole = done.is_ok();
            match done {
                Ok(()) => checks.tell(&name, words),
                Err(error) => {
                    checks.note(&name, Err::<(), _>(error.context(words)));
                }
            }
            tallies.push(tally);
            if !whole {
                break;
            }
        }
        *facts = sum(self.seed, &tallies);
    }
}

fn words(tally: &Tally) -> String {
    let parts = tally.parts.iter().map(|(part, ms)| format!("{part} {ms} ms"));
    let kills = tally.kills.iter().map(|(ms, who)| format!("{} at {ms} ms", who.word()));
    format!(
        "killed {}; {} messages ({} without an answer) taken {} times ({} again), {} interrupted, {} \
         applied; {}",
        kills.collect::<Vec<_>>().join(", "),
        tally.messages,
        tally.lost_answers,
        tally.deliveries,
        tally.deliveries_again,
        tally.interrupted,
        tally.applied,
        parts.collect::<Vec<_>>().join(", ")
    )
}

fn sum(seed: u64, tallies: &[Tally]) -> Map<String, Value> {
    let mut kills: BTreeMap<&str, usize> = BTreeMap::new();
    for (_, who) in tallies.iter().flat_map(|tally| &tally.kills) {
        *kills.entry(who.word()).or_default() += 1;
    }
    let total = |of: fn(&Tally) -> usize| tallies.iter().map(of).sum::<usize>();
    let facts = json!({
        "seed": seed,
        "rounds": tallies.len(),
        "kills": kills,
        "messages": total(|t| t.messages),
        "answers_lost": total(|t| t.lost_answers),
        "deliveries": total(|t| t.deliveries),
        "deliveries_again": total(|t| t.deliveries_again),
        "interrupted": total(|t| t.interrupted),
        "applied": total(|t| usize::try_from(t.applied).unwrap_or_default()),
    });
    facts.as_object().cloned().unwrap_or_default()
}
