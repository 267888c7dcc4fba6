use clap::{Args, Parser, Subcommand, ValueEnum, ValueHint};
use std::ffi::OsString;
use std::path::PathBuf;

/// Codex workers for your chat: MCP on one side, real codex in isolated git worktrees on the other.
#[derive(Debug, Parser)]
#[command(name = "patchbay", version, arg_required_else_help = true, max_term_width = 100)]
pub(super) struct Cli {
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Serve MCP over HTTP until stopped
    Start(StartArgs),
    /// Serve MCP on standard input and output, for a host that starts this program
    Stdio(StdioArgs),
    /// Stop the running server, its turns and codex
    Stop(StopArgs),
    /// Say what the running server does
    Status(JsonArgs),
    /// Look at workers, or stop one
    #[command(subcommand)]
    Worker(WorkerCommand),
    /// Check what patchbay needs on this machine, and say how to mend what is missing
    Doctor(DoctorArgs),
    /// Play the whole way of one turn, offline, on a disposable repository
    Demo(DemoArgs),
    /// Play scenarios, crash drills and loads, offline, on a disposable stage
    Eval(EvalArgs),
    /// Fetch the codex version that patchbay is tested with, through npm
    InstallCodex(InstallCodexArgs),
    /// Print a completion script for your shell
    Completions(CompletionsArgs),
    /// Print the manual page
    Man,
    /// The process that keeps codex alive between lives of the server
    #[command(hide = true, disable_help_flag = true)]
    Sidecar(SidecarArgs),
    /// Become a program that ends when its parent does
    #[command(hide = true, disable_help_flag = true)]
    Leash(LeashArgs),
    /// Serve the scripted model that needs no account
    #[command(hide = true)]
    Model(ModelArgs),
}

/// What is served, whichever the transport.
#[derive(Debug, Clone, Default, Args)]
pub(super) struct ServeArgs {
    /// Configuration file [default: $PATCHBAY_CONFIG, else config.yaml in the state directory]
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(super) config: Option<PathBuf>,
    /// Repository that is meant when a call names none, and the root of all others
    /// [default: the configuration's, else the working directory]
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(super) root: Option<PathBuf>,
    /// A further directory that calls may name repositories in; may be repeated
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(super) allow_root: Vec<PathBuf>,
    /// Which tools a chat sees [default: worker]
    #[arg(long, value_enum, value_name = "MODE")]
    pub(super) tool_mode: Option<Mode>,
    /// The codex binary [default: $PATCHBAY_CODEX, else the installed copy, else the one on PATH]
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(super) codex: Option<PathBuf>,
}

/// Where HTTP listens.
#[derive(Debug, Clone, Default, Args)]
pub(super) struct ListenArgs {
    /// Address to listen on [default: 127.0.0.1]
    #[arg(long, value_name = "ADDRESS")]
    pub(super) host: Option<String>,
    /// Port to listen on; 0 picks a free one [default: 8000]
    #[arg(long, value_name = "PORT")]
    pub(super) port: Option<u16>,
}

#[derive(Debug, Clone, Args)]
pub(super) struct StartArgs {
    #[command(flatten)]
    pub(super) serve: ServeArgs,
    #[command(flatten)]
    pub(super) listen: ListenArgs,
    /// Open a tunnel, so that a chat elsewhere reaches this server [default: off]
    #[arg(long, value_enum, value_name = "MODE")]
    pub(super) tunnel_mode: Option<Tunnel>,
    /// Say what would be served, and serve nothing
    #[arg(long)]
    pub(super) print_only: bool,
    /// Show the secret in the URL
    #[arg(long)]
    pub(super) reveal_token: bool,
    /// One line of JSON when ready
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Clone, Args)]
pub(super) struct StdioArgs {
    #[command(flatten)]
    pub(super) serve: ServeArgs,
}

#[derive(Debug, Clone, Args)]
pub(super) struct StopArgs {
    /// Leave running turns to go on; the next server picks them up
    #[arg(long)]
    pub(super) keep_turns: bool,
    /// Answer with JSON
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Clone, Args)]
pub(super) struct JsonArgs {
    /// Answer with JSON
    #[arg(long)]
    pub(super) json: bool,
}

/// Look at workers, or stop one; asks the running server.
#[derive(Debug, Subcommand)]
pub(super) enum WorkerCommand {
    /// List workers
    List(WorkerListArgs),
    /// Show a worker: its state, report and changed files
    Show(WorkerNameArgs),
    /// Show what a worker did, event by event
    Log(WorkerLogArgs),
    /// Stop a worker's turn
    Stop(WorkerStopArgs),
}

#[derive(Debug, Clone, Args)]
pub(super) struct WorkerListArgs {
    /// Only workers of this repository
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(super) repo: Option<PathBuf>,
    /// Answer with JSON
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Clone, Args)]
pub(super) struct WorkerNameArgs {
    /// Name or id of the worker
    pub(super) worker: String,
    /// Repository the name belongs to
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(super) repo: Option<PathBuf>,
    /// Answer with JSON
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Clone, Args)]
pub(super) struct WorkerLogArgs {
    #[command(flatten)]
    pub(super) name: WorkerNameArgs,
    /// Only events after this cursor
    #[arg(long, value_name = "CURSOR")]
    pub(super) after: Option<i64>,
}

#[derive(Debug, Clone, Args)]
pub(super) struct WorkerStopArgs {
    #[command(flatten)]
    pub(super) name: WorkerNameArgs,
    /// Stop a turn that looks healthy without asking again
    #[arg(long)]
    pub(super) force: bool,
}

#[derive(Debug, Clone, Args)]
pub(super) struct DoctorArgs {
    #[command(flatten)]
    pub(super) serve: ServeArgs,
    #[command(flatten)]
    pub(super) listen: ListenArgs,
    /// Answer with JSON
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Clone, Args)]
pub(super) struct DemoArgs {
    /// One JSON object at the end, no progress
    #[arg(long)]
    pub(super) json: bool,
    /// Leave everything that was made, and say where
    #[arg(long)]
    pub(super) keep: bool,
    /// Use your own codex login and a real model: one short turn, which counts against your account
    #[arg(long)]
    pub(super) live: bool,
    /// Break something on purpose, to see that the demo notices
    #[arg(long = "break", value_enum, value_name = "WHAT", conflicts_with = "live")]
    pub(super) break_at: Option<Break>,
    /// The codex binary [default: $PATCHBAY_CODEX, else the installed copy, else the one on PATH]
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(super) codex: Option<PathBuf>,
}

/// What the demo breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Break {
    /// The model's server answers with errors
    Model,
    /// The worker does not do what its brief says
    Worker,
    /// The base checkout is edited in the worker's way
    Base,
}

/// Scenarios by name, or one of the long ones.
#[derive(Debug, Clone, Args)]
pub(super) struct EvalArgs {
    #[command(subcommand)]
    pub(super) long: Option<LongEval>,
    /// Scenarios to play, by name or as files that end in .yaml [default: all]
    #[arg(value_name = "NAME")]
    pub(super) names: Vec<String>,
    /// One JSON object a line for each eval, no progress
    #[arg(long, global = true)]
    pub(super) json: bool,
    /// Leave everything that was made, and say where; what failed is left in any case
    #[arg(long, global = true)]
    pub(super) keep: bool,
    /// Break something on purpose, to see that the eval notices
    #[arg(long = "break", global = true, value_enum, value_name = "WHAT")]
    pub(super) break_at: Option<EvalBreak>,
    /// The codex binary [default: $PATCHBAY_CODEX, else the installed copy, else the one on PATH]
    #[arg(long, global = true, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(super) codex: Option<PathBuf>,
}

/// Evals that take long.
#[derive(Debug, Clone, Subcommand)]
pub(super) enum LongEval {
    /// Kill server, sidecar and codex at random moments, and judge from outside what became of the work
    Crash {
        /// How many rounds
        #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1000))]
        rounds: u32,
        /// What the randomness begins with [default: the time]
        #[arg(long)]
        seed: Option<u64>,
    },
    /// Play many turns, and look for what grows
    Soak {
        /// How many turns
        #[arg(long, default_value_t = 2000, value_parser = clap::value_parser!(u32).range(50..=100_000))]
        turns: u32,
    },
    /// Call the server from many clients of both eras at once
    Load {
        /// How many clients
        #[arg(long, default_value_t = 256, value_parser = clap::value_parser!(u32).range(1..=1024))]
        clients: u32,
        /// For how long, in seconds
        #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=3600))]
        seconds: u64,
    },
}

/// What an eval breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum EvalBreak {
    /// Workers do nothing of what their briefs say
    Worker,
    /// Somebody writes into the base at the end
    Base,
}

#[derive(Debug, Clone, Args)]
pub(super) struct InstallCodexArgs {
    /// Directory that holds one directory a version [default: codex-bin in the state directory]
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(super) to: Option<PathBuf>,
    /// Answer with JSON
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Clone, Args)]
pub(super) struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    pub(super) shell: clap_complete::Shell,
}

#[derive(Debug, Clone, Args)]
pub(super) struct SidecarArgs {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pub(super) rest: Vec<OsString>,
}

#[derive(Debug, Clone, Args)]
pub(super) struct LeashArgs {
    /// Process id of the parent
    pub(super) parent: i32,
    /// The program
    pub(super) program: PathBuf,
    /// Its arguments
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pub(super) rest: Vec<OsString>,
}

#[derive(Debug, Clone, Args)]
pub(super) struct ModelArgs {
    /// Port to listen on, loopback only; 0 picks a free one
    #[arg(long, default_value_t = 0)]
    pub(super) port: u16,
    /// File that gets one line of JSON a request
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(super) log: Option<PathBuf>,
}

/// The tunnel as a flag.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Tunnel {
    /// None
    Off,
    /// A quick tunnel of Cloudflare, through cloudflared; needs no account
    Cloudflare,
}

impl Tunnel {
    /// The name that the configuration uses.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Cloudflare => "cloudflare",
        }
    }
}

/// The tool mode as a flag.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Mode {
    /// Orientation and readiness only
    Minimal,
    /// Workers and repository reading
    Worker,
    /// Worker mode and the context, handoff and job tools
    Standard,
    /// Everything
    Full,
}

impl Mode {
    /// The name that the configuration uses.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Minimal => "minimal",
            Self::Worker => "worker",
            Self::Standard => "standard",
            Self::Full => "full",
        }
    }
}
