use schemars::JsonSchema;
use serde::Deserialize;

/// Most bytes of a brief or message.
pub(super) const BRIEF_MAX: usize = 200_000;

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

/// What a message to a busy worker does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Delivery {
    /// Goes into the running turn; queues where that is impossible.
    #[default]
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
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct MessageArgs {
    /// Name or id.
    pub(super) worker: String,
    /// What to say. At most 200,000 bytes.
    #[schemars(length(min = 1))]
    pub(super) message: String,
    /// Repository that the name belongs to; default: the first allowed one.
    pub(super) repo_path: Option<String>,
    #[serde(default)]
    pub(super) delivery: Delivery,
    /// Model from now on; default: as before.
    pub(super) model: Option<String>,
    /// Reasoning effort from now on; default: as before.
    pub(super) reasoning_effort: Option<String>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ListArgs {
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

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct StatusArgs {
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
    /// A cursor from an earlier answer: only workers that changed since.
    #[schemars(range(min = 0))]
    pub(super) since: Option<i64>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct WaitArgs {
    /// Only workers of this repository; default: all allowed ones.
    pub(super) repo_path: Option<String>,
    #[serde(default)]
    pub(super) scope: Scope,
    /// Only workers that this chat started.
    #[serde(default)]
    pub(super) owned_only: bool,
    /// A cursor from an earlier answer: returns at once when something changed since.
    #[schemars(range(min = 0))]
    pub(super) since: Option<i64>,
    /// Names or ids; default: all in scope.
    #[serde(default)]
    pub(super) workers: Vec<String>,
    /// Longest wait in seconds; returns the moment a worker's state changes. 45 at most.
    #[schemars(range(min = 0, max = 120))]
    #[serde(default = "thirty")]
    pub(super) wait_seconds: u64,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct InspectArgs {
    /// Name or id.
    pub(super) worker: String,
    /// Repository that the name belongs to; default: the first allowed one.
    pub(super) repo_path: Option<String>,
    #[serde(default)]
    pub(super) view: View,
    /// File for view diff or file, as view changes names it.
    pub(super) file_path: Option<String>,
    /// View file: first line, from 1.
    #[schemars(range(min = 1))]
    pub(super) start_line: Option<usize>,
    /// View file: last line.
    #[schemars(range(min = 1))]
    pub(super) end_line: Option<usize>,
    /// View file or diff: most bytes of text; default and bound are the operator's.
    #[schemars(range(min = 1))]
    pub(super) max_bytes: Option<usize>,
    /// View log: the cursor of an earlier page.
    #[schemars(range(min = 0))]
    pub(super) after: Option<i64>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct StopArgs {
    /// Name or id.
    pub(super) worker: String,
    /// Repository that the name belongs to; default: the first allowed one.
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
