use super::ProcessError;
use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;

/// Where one of a child's standard streams goes.
#[derive(Debug, Clone, Default)]
pub enum Io {
    /// Nowhere.
    #[default]
    Null,
    /// To us.
    Pipe,
    /// To the end of a file, made when it is missing.
    Append(PathBuf),
}

impl Io {
    fn open(&self) -> io::Result<Stdio> {
        Ok(match self {
            Self::Null => Stdio::null(),
            Self::Pipe => Stdio::piped(),
            Self::Append(path) => {
                std::fs::OpenOptions::new().create(true).append(true).open(path)?.into()
            }
        })
    }
}

/// A child that is being put together: no environment, its own process group, streams to nowhere.
#[derive(Debug)]
pub struct Spawn {
    program: PathBuf,
    args: Vec<OsString>,
    env: Vec<(OsString, OsString)>,
    dir: Option<PathBuf>,
    stdin: Io,
    stdout: Io,
    stderr: Io,
    own_group: bool,
    kill_on_drop: bool,
}

impl Spawn {
    /// Begins a child that runs `program`.
    pub fn new(program: impl Into<PathBuf>) -> Self {
        Self {
            program: program.into(),
            args: Vec::new(),
            env: Vec::new(),
            dir: None,
            stdin: Io::Null,
            stdout: Io::Null,
            stderr: Io::Null,
            own_group: true,
            kill_on_drop: false,
        }
    }

    /// Adds an argument.
    #[must_use]
    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.args.push(arg.as_ref().to_os_string());
        self
    }

    /// Adds several arguments.
    #[must_use]
    pub fn args<A: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.args.extend(args.into_iter().map(|a| a.as_ref().to_os_string()));
        self
    }

    /// Sets a variable. Nothing is inherited.
    #[must_use]
    pub fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.env.push((name.as_ref().to_os_string(), value.as_ref().to_os_string()));
        self
    }

    /// Sets several variables.
    #[must_use]
    pub fn envs<K: AsRef<OsStr>, V: AsRef<OsStr>>(
        mut self,
        pairs: impl IntoIterator<Item = (K, V)>,
    ) -> Self {
        for (name, value) in pairs {
            self = self.env(name, value);
        }
        self
    }

    /// The working directory; without it the child has ours.
    #[must_use]
    pub fn dir(mut self, dir: &Path) -> Self {
        self.dir = Some(dir.to_path_buf());
        self
    }

    /// Standard input.
    #[must_use]
    pub fn stdin(mut self, io: Io) -> Self {
        self.stdin = io;
        self
    }

    /// Standard output.
    #[must_use]
    pub fn stdout(mut self, io: Io) -> Self {
        self.stdout = io;
        self
    }

    /// Standard error.
    #[must_use]
    pub fn stderr(mut self, io: Io) -> Self {
        self.stderr = io;
        self
    }

    /// Leaves the child in our process group. A child that calls `setsid` itself must not lead a group.
    #[must_use]
    pub fn in_our_group(mut self) -> Self {
        self.own_group = false;
        self
    }

    /// Kills the child when its handle is dropped.
    #[must_use]
    pub fn kill_on_drop(mut self) -> Self {
        self.kill_on_drop = true;
        self
    }

    /// Starts the child.
    ///
    /// # Errors
    /// [`ProcessError::Pipe`] when a file for a stream cannot be opened, [`ProcessError::Start`] otherwise.
    #[allow(clippy::disallowed_methods)] // the one place where processes other than git are spawned
    pub fn start(self) -> Result<tokio::process::Child, ProcessError> {
        let pipe = |source| ProcessError::Pipe { program: self.program.clone(), source };
        let mut command = tokio::process::Command::new(&self.program);
        command.args(&self.args).env_clear().envs(self.env.iter().map(|(k, v)| (k, v)));
        command.stdin(self.stdin.open().map_err(pipe)?);
        command.stdout(self.stdout.open().map_err(pipe)?);
        command.stderr(self.stderr.open().map_err(pipe)?);
        command.kill_on_drop(self.kill_on_drop);
        if let Some(dir) = &self.dir {
            command.current_dir(dir);
        }
        if self.own_group {
            command.process_group(0);
        }
        command.spawn().map_err(|source| ProcessError::Start { program: self.program, source })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncReadExt;

    #[tokio::test]
    async fn a_child_gets_the_variables_named_and_no_others() {
        let spawn = Spawn::new("/usr/bin/env").env("ONLY", "this").stdout(Io::Pipe);
        let mut child = spawn.start().unwrap();
        let mut said = String::new();
        child.stdout.take().unwrap().read_to_string(&mut said).await.unwrap();
        assert_eq!(said, "ONLY=this\n");
        assert!(child.wait().await.unwrap().success());
    }
}
