use crate::git::GitError;
use std::time::Duration;

/// Why a repository or a part of it is not shown.
#[derive(Debug, thiserror::Error)]
pub enum ContextError {
    /// The operator named no repository.
    #[error("no repository is configured")]
    NoRoots,
    /// The selector is not below an allowed root, or is private to patchbay.
    #[error("not under an allowed root: {0}")]
    NotAllowed(String),
    /// The selector names no directory.
    #[error("no such directory: {0}")]
    NoDirectory(String),
    /// The directory is in no git repository.
    #[error("not a git repository: {0}")]
    NotARepository(String),
    /// The directory is in a repository whose top is above the allowed roots.
    #[error("the repository of {0} reaches above the allowed roots")]
    RepositoryAboveRoots(String),
    /// Git finds a repository and refuses to open it; its own words.
    #[error("git refuses the repository {path}: {said}")]
    Refused {
        /// The directory.
        path: String,
        /// Git's words.
        said: String,
    },
    /// A path leaves the repository: by `..`, by a link, or because it is absolute and elsewhere.
    #[error("the path leaves the repository: {0}")]
    Escapes(String),
    /// A path that no file can have.
    #[error("not a usable path: {0:?}")]
    Malformed(String),
    /// A path that the operator hides.
    #[error("the path is blocked by the operator's rules: {0}")]
    Blocked(String),
    /// Nothing is at the path.
    #[error("no such file in the base checkout: {0}")]
    NoFile(String),
    /// The path is a directory, a socket or a device.
    #[error("not a regular file: {0}")]
    NotAFile(String),
    /// The path is no directory.
    #[error("not a directory: {0}")]
    NotADirectory(String),
    /// The file is larger than what is read.
    #[error("{path} has {bytes} bytes; at most {limit} are read")]
    TooLarge {
        /// The file.
        path: String,
        /// Its size.
        bytes: u64,
        /// The bound.
        limit: u64,
    },
    /// The file has a NUL byte or is not UTF-8.
    #[error("{path} is not UTF-8 text: {why}")]
    NotText {
        /// The file.
        path: String,
        /// Which byte says so.
        why: String,
    },
    /// The first line asked for is behind the last.
    #[error("{path} has {total_lines} lines; line {asked} does not exist")]
    NoSuchLine {
        /// The file.
        path: String,
        /// Lines of the file.
        total_lines: u64,
        /// The line asked for.
        asked: u64,
    },
    /// An argument that makes no sense.
    #[error("{0}")]
    Argument(String),
    /// A pattern that is no regular expression, or no glob.
    #[error("the pattern is not valid: {0}")]
    Pattern(String),
    /// Reading took too long and was stopped.
    #[error("{what} was stopped after {} s", limit.as_secs_f32())]
    TimedOut {
        /// What was being done.
        what: &'static str,
        /// The bound.
        limit: Duration,
    },
    /// The file system refused.
    #[error("cannot read {path}: {source}")]
    Io {
        /// The file, as the chat names it.
        path: String,
        /// The system's error.
        source: std::io::Error,
    },
    /// Git failed.
    #[error(transparent)]
    Git(#[from] GitError),
    /// A fault of ours: a task that read died.
    #[error("reading failed inside patchbay: {0}")]
    Internal(String),
}

impl ContextError {
    /// The stable snake_case code that the outside branches on.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::NoRoots => "no_repository_configured",
            Self::NotAllowed(_) => "not_allowed",
            Self::NoDirectory(_) => "no_such_directory",
            Self::NotARepository(_) => "not_a_repository",
            Self::RepositoryAboveRoots(_) => "repository_above_roots",
            Self::Refused { .. } => "repository_refused",
            Self::Escapes(_) => "path_escapes",
            Self::Malformed(_) => "path_malformed",
            Self::Blocked(_) => "path_blocked",
            Self::NoFile(_) => "file_missing",
            Self::NotAFile(_) => "not_a_file",
            Self::NotADirectory(_) => "not_a_directory",
            Self::TooLarge { .. } => "file_too_large",
            Self::NotText { .. } => "not_text",
            Self::NoSuchLine { .. } => "line_out_of_range",
            Self::Argument(_) => "invalid_argument",
            Self::Pattern(_) => "invalid_pattern",
            Self::TimedOut { .. } => "timed_out",
            Self::Io { .. } => "unreadable",
            Self::Git(error) => git_code(error),
            Self::Internal(_) => "internal_error",
        }
    }

    /// What to do next.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            Self::NoRoots => "Ask the operator to start patchbay with --root <repository>.",
            Self::NotAllowed(_) | Self::NoDirectory(_) => {
                "Call codex_list_workspaces and pass one of its roots as repo_path, or leave repo_path out."
            }
            Self::NotARepository(_) => {
                "Run `git init` and make a first commit, or name another repository."
            }
            Self::RepositoryAboveRoots(_) => {
                "Ask the operator to start patchbay with --root at the top of the repository."
            }
            Self::Refused { .. } => "Ask the operator; `patchbay doctor` on the machine says more.",
            Self::Escapes(_) | Self::Malformed(_) => {
                "Pass a path relative to the repository's root, without `..`."
            }
            Self::Blocked(_) => {
                "This path is never shown; the operator sets security.blocked_globs."
            }
            Self::NoFile(_) => "Call codex_repo_tree or codex_search_repo to find the file.",
            Self::NotAFile(_) => {
                "Call codex_repo_tree for directories; links, sockets and devices are not read."
            }
            Self::NotADirectory(_) => "Call codex_read_file for a file.",
            Self::TooLarge { .. } => {
                "Call codex_search_repo with `path` to find the part, or ask a worker."
            }
            Self::NotText { .. } => {
                "Ask a worker to look at it; this tool returns exact text only."
            }
            Self::NoSuchLine { .. } => "Ask for lines that exist.",
            Self::Argument(_) | Self::Pattern(_) => "Correct the argument and call again.",
            Self::TimedOut { .. } => "Narrow the path, or ask a worker.",
            Self::Io { .. } => "Check the permissions of the file.",
            Self::Git(_) => "Git's own words are in the message; `patchbay doctor` checks git.",
            Self::Internal(_) => "Call again; the server's log has the cause.",
        }
    }
}

fn git_code(error: &GitError) -> &'static str {
    match error {
        GitError::NoProgram(_) => "git_missing",
        GitError::TooOld(_) => "git_too_old",
        GitError::NotARepository(_) => "not_a_repository",
        GitError::NoCommit(_) => "no_commit",
        _ => "git_failed",
    }
}
