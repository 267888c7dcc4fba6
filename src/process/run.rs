use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

/// Why a program did not run to its end.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// It could not be started.
    #[error("{} cannot be started: {source}", program.display())]
    Start {
        /// The program.
        program: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// It was still running when its time was over, and was ended.
    #[error("{} did not end within {} s", program.display(), limit.as_secs())]
    TimedOut {
        /// The program.
        program: PathBuf,
        /// Its time.
        limit: Duration,
    },
}

/// What a finished program left behind.
#[derive(Debug)]
pub struct Finished {
    /// Exit code, or -1 for a signal.
    pub code: i32,
    /// Standard output as text; bytes that are not UTF-8 are replaced.
    pub stdout: String,
    /// Standard error as text, at most its last 8 kB.
    pub stderr: String,
}

/// A short-lived helper program that is run to its end: cleared environment, no input, own group,
/// ended with the future.
#[derive(Debug)]
pub struct Run {
    program: PathBuf,
    args: Vec<OsString>,
    env: Vec<(OsString, OsString)>,
    dir: Option<PathBuf>,
    limit: Duration,
}

impl Run {
    /// Begins a run of `program`, with a limit of 60 s.
    #[must_use]
    pub fn new(program: impl Into<PathBuf>) -> Self {
        let limit = Duration::from_secs(60);
        Self { program: program.into(), args: Vec::new(), env: Vec::new(), dir: None, limit }
    }

    /// Adds arguments.
    #[must_use]
    pub fn args<A: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.args.extend(args.into_iter().map(|a| a.as_ref().to_os_string()));
        self
    }

    /// Sets a variable; nothing is inherited.
    #[must_use]
    pub fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.env.push((name.as_ref().to_os_string(), value.as_ref().to_os_string()));
        self
    }

    /// Runs in this directory instead of ours.
    #[must_use]
    pub fn dir(mut self, dir: &Path) -> Self {
        self.dir = Some(dir.to_path_buf());
        self
    }

    /// Ends the program when it takes longer.
    #[must_use]
    pub fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// Runs the program to its end, whatever its exit code is.
    ///
    /// # Errors
    /// [`RunError::Start`] or [`RunError::TimedOut`].
    #[allow(clippy::disallowed_methods)] // room `process` owns spawning
    pub async fn finish(self) -> Result<Finished, RunError> {
        let mut command = tokio::process::Command::new(&self.program);
        command.args(&self.args).env_clear().envs(self.env.iter().cloned());
        if let Some(dir) = &self.dir {
            command.current_dir(dir);
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.kill_on_drop(true).process_group(0);
        let Self { program, limit, .. } = self;
        let output = match tokio::time::timeout(limit, command.output()).await {
            Err(_) => return Err(RunError::TimedOut { program, limit }),
            Ok(Err(source)) => return Err(RunError::Start { program, source }),
            Ok(Ok(output)) => output,
        };
        let tail = output.stderr.len().saturating_sub(8192);
        Ok(Finished {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr[tail..]).into_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_run_inherits_nothing_and_is_ended_in_time() {
        let run = Run::new("/bin/sh").args(["-c", "env; echo $X; exit 3"]).env("X", "given");
        let done = run.finish().await.unwrap();
        assert_eq!(done.code, 3);
        assert!(done.stdout.contains("given") && !done.stdout.contains("HOME="), "{done:?}");
        let endless = Run::new("/bin/sh").args(["-c", "read x < /dev/zero; sleep 600"]);
        let ended = endless.limit(Duration::from_millis(50)).finish().await;
        assert!(matches!(ended, Err(RunError::TimedOut { .. })));
    }
}
