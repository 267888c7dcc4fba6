//! Measures the budgets of the design on the program itself, each beside something that does the same
//! with less, in turns, in one run. Prints a table and writes `target/bench/bench.json`.
//!
//! `make bench` runs all; `make bench BENCH='--only door --quick'` some, with few rounds; with `--check`
//! the exit code is 1 when a row is missed three times. `docs/benchmarks.md` says how to read it.
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a measurement starts programs, tells, and stops at the first surprise"
)]

mod bare;
mod door;
mod files;
mod house;
mod machine;
mod pairs;
mod place;
mod report;
mod rows;
mod served;
mod turn;
mod wire;

use report::Row;
use std::process::ExitCode;

/// How often a family is measured before a missed row counts.
const TRIES: u32 = 3;

/// How many rounds are measured.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Effort {
    quick: bool,
}

impl Effort {
    /// The rounds of a measurement that usually has this many.
    pub(crate) fn of(self, rounds: usize) -> usize {
        if self.quick { rounds.div_ceil(5) } else { rounds }
    }
}

/// What belongs together and is measured again together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Family {
    Door,
    Store,
    Files,
    Turn,
}

impl Family {
    const ALL: [(Self, &'static str); 4] = [
        (Self::Door, "door"),
        (Self::Store, "store"),
        (Self::Files, "files"),
        (Self::Turn, "turn"),
    ];

    async fn measure(self, effort: Effort) -> Vec<Row> {
        match self {
            Self::Door => door::rows(effort).await,
            Self::Store => rows::rows(effort).await,
            Self::Files => files::rows(effort).await,
            Self::Turn => turn::rows(effort).await,
        }
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if args.first().is_some_and(|arg| arg == "bare-rmcp") {
        bare::main().await;
        return ExitCode::SUCCESS;
    }
    let has = |flag: &str| args.iter().any(|arg| arg == flag);
    let only = args.iter().position(|arg| arg == "--only").and_then(|at| args.get(at + 1));
    let effort = Effort { quick: has("--quick") };
    let tries = if has("--check") { TRIES } else { 1 };
    let before = machine::noise();
    let mut all = Vec::new();
    for (family, name) in Family::ALL {
        if only.is_none_or(|only| only.split(',').any(|part| part == name)) {
            eprintln!("measuring: {name}");
            all.extend(best(family, effort, tries).await);
        }
    }
    let machine = machine::facts(before.max(machine::noise()));
    let report = report::json_report(&all, &machine);
    println!("{}", report::table(&all));
    println!("{}", machine::text(&machine));
    std::fs::create_dir_all("target/bench").unwrap();
    let text = serde_json::to_string_pretty(&report).unwrap();
    std::fs::write("target/bench/bench.json", text + "\n").unwrap();
    let missed = all.iter().filter(|row| !row.passes()).count();
    if missed > 0 {
        println!("{missed} row(s) missed");
    }
    ExitCode::from(u8::from(has("--check") && missed > 0))
}

/// Measures a family; again, as often as allowed, while a row is missed. Each row keeps its best run.
async fn best(family: Family, effort: Effort, tries: u32) -> Vec<Row> {
    let mut kept = family.measure(effort).await;
    for run in 2..=tries {
        if kept.iter().all(Row::passes) {
            break;
        }
        let again = family.measure(effort).await;
        for (kept, again) in kept.iter_mut().zip(again) {
            if !kept.passes() && again.ratio < kept.ratio {
                *kept = Row { run, ..again };
            }
        }
    }
    kept
}
