use crate::paths::Env;
use serde::Serialize;
use serde_json::{Map, Value};
use std::io::Write;
use std::path::PathBuf;

/// What is played.
#[derive(Debug, Clone)]
pub enum What {
    /// These scenarios; none named: all.
    Scenarios(Vec<String>),
    /// Kills at random moments.
    Crash {
        /// How many rounds.
        rounds: u32,
        /// What the randomness begins with; none: the time.
        seed: Option<u64>,
    },
    /// Many turns.
    Soak {
        /// How many; at least 50.
        turns: u32,
    },
    /// Many clients at once.
    Load {
        /// How many, half of each era.
        clients: u32,
        /// For how long.
        seconds: u64,
    },
}

/// What is broken on purpose, to see that an eval notices.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Break {
    /// Workers do nothing of what their briefs say.
    Worker,
    /// Somebody writes a file into the base at the end.
    Base,
}

/// How evals are run.
pub struct EvalOptions<'a> {
    /// What is played.
    pub what: What,
    /// Writes one JSON object a line for each eval and nothing else.
    pub json: bool,
    /// Leaves all files and names them. What failed is left in any case, unless it was broken on purpose.
    pub keep: bool,
    /// What is broken on purpose; scenarios and crash only.
    pub break_at: Option<Break>,
    /// The `patchbay` program that is started as the server.
    pub program: PathBuf,
    /// The codex binary, before any that the environment names.
    pub codex: Option<PathBuf>,
    /// The caller's environment: `PATH`, where codex is, and next to which state directory to play.
    pub env: Env,
    /// Where the words go.
    pub out: &'a mut (dyn Write + Send),
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What should be so.
    pub name: String,
    /// Whether it is.
    pub ok: bool,
    /// What was found instead, or what is worth knowing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// What became of one eval; serialised, it is what `--json` prints.
#[derive(Debug, Clone, Default, Serialize)]
pub struct EvalReport {
    /// The eval.
    pub name: String,
    /// Whether every check holds.
    pub passed: bool,
    /// In order; after the first that fails only what must hold in any case follows.
    pub checks: Vec<Check>,
    /// Milliseconds of all of it.
    pub duration_ms: u64,
    /// What was measured.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub facts: Map<String, Value>,
    /// The directory that was left.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kept: Option<PathBuf>,
}

/// Why nothing was played.
#[derive(Debug, thiserror::Error)]
pub enum EvalError {
    /// There is no eval of that name.
    #[error("there is no eval {name:?}; there are {}", known.join(", "))]
    Unknown {
        /// What was asked for.
        name: String,
        /// What there is.
        known: Vec<&'static str>,
    },
    /// A scenario that was compiled in cannot be read.
    #[error("the scenario {name} cannot be read: {reason}")]
    Malformed {
        /// The scenario.
        name: String,
        /// What is wrong with it.
        reason: String,
    },
}
