use crate::paths::Env;
use serde::Serialize;
use std::io::Write;
use std::path::PathBuf;

/// What is broken on purpose, to see that the demo notices.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Break {
    /// The model refuses; step `watch` fails.
    Model,
    /// The worker does something else than it was asked; step `inspect` fails.
    Worker,
    /// Somebody edits the base between preview and apply; step `integrate` fails.
    Base,
}

/// How the demo is run.
pub struct DemoOptions<'a> {
    /// Writes one JSON object at the end and nothing else.
    pub json: bool,
    /// Leaves all files and names them.
    pub keep: bool,
    /// Plays with the user's own login and a real model, instead of the scripted one.
    pub live: bool,
    /// What is broken on purpose; nothing in a live demo.
    pub break_at: Option<Break>,
    /// The `patchbay` program that is started as the server.
    pub program: PathBuf,
    /// The codex binary, before any that the environment names.
    pub codex: Option<PathBuf>,
    /// The caller's environment: `PATH`, where codex is, and next to which state directory to play.
    pub env: Env,
    /// Where the words go. Live progress goes to standard error, when that is a terminal.
    pub out: &'a mut (dyn Write + Send),
}

/// One step that was played.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StepDone {
    /// `prepare`, `server`, `connect`, `start`, `watch`, `inspect`, `preview`, `integrate`, `stop`,
    /// `check`.
    pub name: &'static str,
    /// Whether all went as it should.
    pub ok: bool,
    /// Milliseconds.
    pub ms: u64,
}

/// What became of the demo; serialised, it is what `--json` prints.
#[derive(Debug, Clone, Default, Serialize)]
pub struct DemoOutcome {
    /// Whether every step went as it should. The command exits with 1 otherwise.
    pub ok: bool,
    /// The codex that did the work, as `0.169.0`; none when it was not found.
    pub codex_version: Option<String>,
    /// The steps in order, up to the first that failed; once there was a server, `stop` and `check`
    /// follow even then.
    pub steps: Vec<StepDone>,
    /// The first step that failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failed_step: Option<&'static str>,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// What `--keep` left.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kept: Option<Kept>,
}

/// The files that `--keep` leaves.
#[derive(Debug, Clone, Serialize)]
pub struct Kept {
    /// The base checkout, with the work applied.
    pub repository: PathBuf,
    /// The state directory.
    pub state: PathBuf,
    /// The SQLite file.
    pub store: PathBuf,
    /// Codex's own record of the thread.
    pub rollout: Option<PathBuf>,
    /// Every JSON-RPC message to and from the server, one a line.
    pub transcript: PathBuf,
    /// What codex asked the scripted model, one request a line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model_log: Option<PathBuf>,
    /// The server's standard error.
    pub server_log: PathBuf,
}
