use crate::paths::is_full;
use std::path::PathBuf;

/// Why git could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum GitError {
    /// There is no git program, or it cannot be started.
    #[error("git cannot be started: {0}")]
    NoProgram(std::io::Error),
    /// The program is older than 2.38.
    #[error("git {0} is too old: 2.38 or newer is needed")]
    TooOld(String),
    /// The directory is in no repository.
    #[error("not a git repository: {}", .0.display())]
    NotARepository(PathBuf),
    /// The repository has no commit yet.
    #[error("the repository has no commit yet: {}", .0.display())]
    NoCommit(PathBuf),
    /// The program failed; the text is its standard error, at most 4 kB.
    #[error("git {verb} failed ({code}): {stderr}")]
    Failed {
        /// The subcommand.
        verb: String,
        /// Exit code, or -1 for a signal.
        code: i32,
        /// Standard error, cut.
        stderr: String,
    },
    /// The program printed what it should not.
    #[error("git {verb} printed something unexpected")]
    Unexpected {
        /// The subcommand.
        verb: String,
    },
    /// The program took too long and was ended.
    #[error("git {verb} was stopped after {} s", limit.as_secs_f32())]
    TimedOut {
        /// The subcommand.
        verb: String,
        /// The bound.
        limit: std::time::Duration,
    },
    /// A file could not be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
}

/// What git says when there is no room (in the C locale). Of an index and of a file that it checks out it
/// does not say why.
const FULL: &[&str] = &[
    "No space left on device",
    "Disk quota exceeded",
    "File too large",
    "unable to write new index file",
    "unable to write file",
];

impl GitError {
    /// Whether the same call can succeed later, when there is room.
    #[must_use]
    pub fn is_full(&self) -> bool {
        match self {
            Self::Io { source, .. } => is_full(source),
            Self::Failed { stderr, .. } => FULL.iter().any(|words| stderr.contains(words)),
            _ => false,
        }
    }
}
