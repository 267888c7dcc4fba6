use super::error::CliError;
use super::terminal::Terminal;
use crate::clock::Clock;
use crate::paths::{Env, StateDir};
use std::path::{Path, PathBuf};

/// What every command knows: the flags they share, and what the process found around itself. Read
/// once, at the door.
#[derive(Debug, Clone)]
pub(super) struct Global {
    /// `--config`.
    pub(super) config: Option<PathBuf>,
    /// `--json`.
    pub(super) json: bool,
    /// The environment.
    pub(super) env: Env,
    /// The working directory.
    pub(super) cwd: PathBuf,
    /// This program's own file, for processes that outlive this one.
    pub(super) program: PathBuf,
    /// The time.
    pub(super) clock: Clock,
}

impl Global {
    /// Looks around.
    ///
    /// # Errors
    /// When the working directory or the program's own file is gone.
    pub(super) fn new(json: bool, config: Option<PathBuf>, env: Env) -> Result<Self, CliError> {
        let gone = |what: &str, error: std::io::Error| {
            let hint = "Change to a directory that exists, and run the program from its own file.";
            CliError::failed("bad_surroundings", format!("{what}: {error}"), hint)
        };
        Ok(Self {
            config,
            json,
            env,
            cwd: std::env::current_dir().map_err(|e| gone("the working directory", e))?,
            program: std::env::current_exe().map_err(|e| gone("this program's own file", e))?,
            clock: Clock::system(),
        })
    }

    /// The state directory, made when it is missing.
    ///
    /// # Errors
    /// When it is not private, or cannot be made.
    pub(super) fn state(&self) -> Result<StateDir, CliError> {
        Ok(StateDir::open(&StateDir::locate(&self.env)?)?)
    }

    /// A path of the command line as an absolute one.
    pub(super) fn absolute(&self, path: &Path) -> PathBuf {
        self.cwd.join(path)
    }

    /// Where the answer goes.
    pub(super) fn terminal(&self) -> Terminal {
        Terminal::new(self.json)
    }
}
