use schemars::JsonSchema;
use serde::Deserialize;

/// Where a worker works.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Mode {
    /// In a git worktree of its own, made from the base's HEAD.
    #[default]
    IsolatedWrite,
    /// In the base checkout, where it can read everything and write nothing.
    ReadOnly,
}

/// Where a message goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Delivery {
    /// Goes into the running turn, or is refused.
    Steer,
    /// Becomes a turn of its own after those that wait.
    Queue,
}

/// Which workers are meant.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Scope {
    /// Active ones, and those that changed within a day.
    #[default]
    Current,
    /// Those that changed within 4 hours.
    Recent,
    /// All that were not archived.
    All,
}

/// What is shown of a worker.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum View {
    /// The worker's words, and what the server saw.
    #[default]
    Report,
    /// State and latest activity, without the report.
    Status,
    /// Changed files.
    Changes,
    /// The diff of one file.
    Diff,
    /// One file as the worker left it.
    File,
    /// Journal events after a cursor.
    Log,
    /// Turns that wait.
    Queue,
    /// What an integration would do, with its token.
    IntegrationPreview,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct OptionsArgs {
    /// Only this model.
    pub(super) model: Option<String>,
    /// Most models in the answer.
    #[schemars(range(min = 1, max = 30))]
    #[serde(default = "twelve")]
    pub(super) max_models: usize,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct StartArgs {
    /// The worker's name, unique in the repository whatever its case.
    #[schemars(length(min = 1, max = 120))]
    pub(super) name: String,
    /// What to do, whole: the worker knows nothing of this chat. At most 200,000 bytes.
    #[schemars(length(min = 1))]
    pub(super) brief: String,
    /// Repository; default: the first allowed one.
    pub(super) repo_path: Option<String>,
    #[serde(default)]
    pub(super) workspace_mode: Mode,
    /// Model id; see codex_worker_options.
    pub(super) model: Option<String>,
    /// Reasoning effort of the model.
    pub(super) reasoning_effort: Option<String>,
    /// When the name is taken, add the date and time to it.
    #[serde(default)]
    pub(super) auto_suffix: bool,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct MessageArgs {
    /// Name or id.
    pub(super) worker: String,
    /// What to say. At most 200,000 bytes.
    #[schemars(length(min = 1))]
    pub(super) message: String,
    /// Repository of the name.
    pub(super) repo_path: Option<String>,
    /// Default: into the running turn where that is possible, else the queue.
    pub(super) delivery: Option<Delivery>,
    /// Model from now on; default: as before.
    pub(super) model: Option<String>,
    /// Reasoning effort from now on; default: as before.
    pub(super) reasoning_effort: Option<String>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TeamArgs {
    /// Only workers of this repository; default: all allowed ones.
    pub(super) repo_path: Option<String>,
    #[serde(default)]
    pub(super) scope: Scope,
    /// Only workers with a turn that runs or waits.
    #[serde(default)]
    pub(super) active_only: bool,
    /// Only workers that this chat started.
    #[serde(default)]
    pub(super) owned_only: bool,
}

/// What ends a wait before its time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Until {
    /// A change of state, a message, an error, a result.
    #[default]
    Change,
    /// No turn runs or waits any more.
    Idle,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct WaitArgs {
    /// Only workers of this repository; default: all allowed ones.
    pub(super) repo_path: Option<String>,
    /// Name or id of the one that is waited for; default: all.
    pub(super) worker: Option<String>,
    #[serde(default)]
    pub(super) scope: Scope,
    #[serde(default)]
    pub(super) until: Until,
    /// A cursor from an earlier answer: returns at once when something changed since.
    #[schemars(range(min = 0))]
    pub(super) since: Option<i64>,
    /// Longest wait in seconds, 45 at most.
    #[schemars(range(min = 0, max = 45))]
    #[serde(default = "thirty")]
    pub(super) wait_seconds: u64,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct InspectArgs {
    /// Name or id.
    pub(super) worker: String,
    /// Repository of the name.
    pub(super) repo_path: Option<String>,
    #[serde(default)]
    pub(super) view: View,
    /// File for view diff or file, as view changes names it.
    pub(super) file_path: Option<String>,
    /// View file: first line, from 1.
    #[schemars(range(min = 1))]
    pub(super) start_line: Option<u64>,
    /// View file: last line.
    #[schemars(range(min = 1))]
    pub(super) end_line: Option<u64>,
    /// View file or diff: most bytes of text; default and bound are the operator's.
    #[schemars(range(min = 1))]
    pub(super) max_bytes: Option<usize>,
    /// View log: the cursor of an earlier page.
    #[schemars(range(min = 0))]
    pub(super) after: Option<i64>,
    /// View integration_preview: globs of files with uncommitted edits that may be merged with.
    #[serde(default)]
    #[schemars(length(max = 50))]
    pub(super) accepted_dirty_base: Vec<String>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct StopArgs {
    /// Name or id.
    pub(super) worker: String,
    /// Repository of the name.
    pub(super) repo_path: Option<String>,
    /// Stop a turn that is young and looks healthy.
    #[serde(default)]
    pub(super) force: bool,
    /// Why, for the journal.
    #[schemars(length(max = 500))]
    pub(super) reason: Option<String>,
    /// Remove the worktree too; its last snapshot stays.
    #[serde(default)]
    pub(super) cleanup_workspace: bool,
    /// Remove it although changes were not integrated.
    #[serde(default)]
    pub(super) discard_unintegrated_changes: bool,
}

fn twelve() -> usize {
    12
}

fn thirty() -> u64 {
    30
}
