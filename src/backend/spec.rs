use crate::ids::{TurnId, WorkerId};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::time::Duration;

/// What a worker may touch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sandbox {
    /// Its own worktree.
    Worktree,
    /// Nothing but its private temporary directory.
    ReadOnly,
}

/// Everything a thread needs, sent anew whenever it is opened.
#[derive(Debug, Clone)]
pub struct ThreadSpec {
    /// The worker that the thread belongs to.
    pub worker: WorkerId,
    /// The worker's name, shown in the agent's own session list.
    pub name: String,
    /// Where the agent works: the worker's worktree.
    pub cwd: PathBuf,
    /// The worker's private temporary directory; exists.
    pub tmp: PathBuf,
    /// What it may touch.
    pub sandbox: Sandbox,
    /// Model, or the agent's default.
    pub model: Option<String>,
    /// Reasoning effort, or the agent's default.
    pub effort: Option<String>,
    /// Whether the agent may ask for what the sandbox does not allow; otherwise nothing leaves it.
    pub may_ask: bool,
    /// Standing instructions.
    pub instructions: String,
}

/// One turn to run.
#[derive(Debug, Clone)]
pub struct TurnSpec {
    /// Our id.
    pub turn: TurnId,
    /// Comes back on the agent's record of the message; tells after a crash whether it was taken.
    pub client_id: String,
    /// The brief or message.
    pub text: String,
    /// Model of this turn, or the thread's.
    pub model: Option<String>,
    /// Effort of this turn, or the thread's.
    pub effort: Option<String>,
}

/// One command to run in the agent's sandbox, with a worker's environment and outside of any thread.
#[derive(Debug, Clone)]
pub struct CheckSpec {
    /// What it may write: this directory, which holds the two below.
    pub root: PathBuf,
    /// Where it runs.
    pub cwd: PathBuf,
    /// Its private temporary directory; exists.
    pub tmp: PathBuf,
    /// For `/bin/sh -c`.
    pub command: String,
    /// When it is ended, with everything that it started.
    pub limit: Duration,
}

/// How such a command ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckEnd {
    /// Exit code; 128 and the signal where one ended it.
    pub exit_code: i32,
    /// Whether it was ended because of its limit.
    pub timed_out: bool,
    /// The first MiB of its standard output; bytes that are not UTF-8 are replaced.
    pub stdout: String,
    /// The same of its standard error.
    pub stderr: String,
}

/// A thread that the agent keeps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ThreadRef {
    /// The agent's id.
    pub id: String,
    /// Version of the agent that wrote it last; never resumed by an older one.
    pub agent_version: String,
    /// The agent's own record, where it says so.
    pub rollout: Option<PathBuf>,
}

/// The login that the agent uses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Login {
    /// Digest of it; another login has another one.
    pub mark: String,
    /// The digest of the one that the agent was started with.
    pub used: String,
    /// Where it is, for people; none when there is no such file.
    pub file: Option<PathBuf>,
}

/// A reasoning effort of a model.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Effort {
    /// The id that is passed on.
    pub effort: String,
    /// For people.
    pub description: Option<String>,
}

/// A model of the menu.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Model {
    /// The id that is passed on.
    pub id: String,
    /// For people.
    pub display_name: String,
    /// For people.
    pub description: Option<String>,
    /// The effort it uses when none is named.
    pub default_effort: Option<String>,
    /// Efforts it knows.
    pub efforts: Vec<Effort>,
    /// Whether it is the default.
    pub is_default: bool,
}

/// What a chat may choose from.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ModelMenu {
    /// Version of the agent.
    pub agent_version: String,
    /// In the agent's order.
    pub models: Vec<Model>,
    /// The model used when none is named.
    pub default_model: Option<String>,
    /// The effort used when none is named.
    pub default_effort: Option<String>,
}
