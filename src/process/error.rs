use std::io;
use std::path::PathBuf;

/// Why a process could not be started or ended.
#[derive(Debug, thiserror::Error)]
pub enum ProcessError {
    /// The program could not be started.
    #[error("{program}: {source}")]
    Start {
        /// The program.
        program: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// Its pipes broke, or a file for its output could not be opened.
    #[error("{program}: {source}")]
    Pipe {
        /// The program.
        program: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// A signal could not be sent.
    #[error("process {pid}: {source}")]
    Signal {
        /// Whom it was meant for.
        pid: i32,
        /// The system's error.
        source: io::Error,
    },
}
