use super::GitError;
use super::known::Known;
use crate::paths::Env;
use std::ffi::{OsStr, OsString};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use tokio::io::AsyncWriteExt;
use tokio::process::{Child, Command};

/// Settings that no repository may turn back on: nothing of the repository's own runs.
const SAFE: &[&str] = &[
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "core.untrackedCache=false",
    "core.pager=cat",
    "core.editor=true",
    "core.sshCommand=false",
    "core.askPass=true",
    "credential.helper=",
    "protocol.allow=never",
    "diff.external=",
    "diff.trustExitCode=false",
    "interactive.diffFilter=",
    "gc.auto=0",
    "maintenance.auto=false",
    "commit.gpgSign=false",
    "tag.gpgSign=false",
    "log.showSignature=false",
    "submodule.recurse=false",
    "fetch.recurseSubmodules=false",
    "advice.detachedHead=false",
    "user.name=patchbay",
    "user.email=patchbay@localhost",
    "user.useConfigOnly=false",
];

/// The git program and the environment it runs in. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Git {
    program: Arc<PathBuf>,
    env: Arc<Vec<(OsString, OsString)>>,
    pub(super) known: Known,
}

impl Git {
    /// Git as `PATH` finds it. Of the caller's environment only `PATH`, `HOME` and
    /// `XDG_CONFIG_HOME` are passed on (the user's own excludes and attributes count).
    #[must_use]
    pub fn new(env: &Env) -> Self {
        let mut vars: Vec<(OsString, OsString)> = ["PATH", "HOME", "XDG_CONFIG_HOME"]
            .iter()
            .filter_map(|name| env.get(name).map(|v| (OsString::from(name), v.to_os_string())))
            .collect();
        for (name, value) in [
            ("LC_ALL", "C"),
            ("GIT_OPTIONAL_LOCKS", "0"),
            ("GIT_TERMINAL_PROMPT", "0"),
            ("GIT_NO_LAZY_FETCH", "1"),
            ("GIT_LITERAL_PATHSPECS", "1"),
            ("GIT_PAGER", "cat"),
        ] {
            vars.push((name.into(), value.into()));
        }
        let program = Arc::new(found(env));
        Self { program, env: Arc::new(vars), known: Known::default() }
    }

    /// Begins a run of `git <verb>` in `dir`.
    pub fn run(&self, dir: &Path, verb: &str) -> GitRun {
        GitRun {
            git: self.clone(),
            dir: dir.to_path_buf(),
            verb: verb.to_owned(),
            args: Vec::new(),
            env: Vec::new(),
            config: Vec::new(),
            stdin: None,
        }
    }
}

/// Git's own place. A name would be looked for at each start, in a copy of this whole process (`fork`),
/// because the environment is another one; a place is started without a copy.
fn found(env: &Env) -> PathBuf {
    let directories = env.get("PATH").map(std::env::split_paths).into_iter().flatten();
    let mut places = directories.filter(|dir| dir.is_absolute()).map(|dir| dir.join("git"));
    let runs = |place: &PathBuf| {
        place.metadata().is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
    };
    places.find(runs).unwrap_or_else(|| PathBuf::from("git"))
}

/// One run of git that is being put together.
#[derive(Debug)]
pub struct GitRun {
    git: Git,
    dir: PathBuf,
    verb: String,
    args: Vec<OsString>,
    env: Vec<(OsString, OsString)>,
    config: Vec<String>,
    stdin: Option<Vec<u8>>,
}

/// A run of git that waits for its input. It dies with the value.
#[derive(Debug)]
pub(super) struct Begun {
    verb: String,
    child: Child,
}

impl Begun {
    /// Gives it its input, and waits for its end; an exit code other than 0 is an error.
    ///
    /// # Errors
    /// As [`GitRun::ok`].
    pub(super) async fn end(self, stdin: Vec<u8>) -> Result<Output, GitError> {
        finish(self.child, Some(stdin)).await?.checked(self.verb)
    }
}

/// Feeds a child and waits for its end.
async fn finish(mut child: Child, stdin: Option<Vec<u8>>) -> Result<Output, GitError> {
    let feed = child.stdin.take().zip(stdin);
    let feeding = async {
        if let Some((mut pipe, bytes)) = feed {
            // A child that stops reading early says why with its exit code.
            let _ = pipe.write_all(&bytes).await;
            let _ = pipe.shutdown().await;
        }
    };
    let ((), output) = tokio::join!(feeding, child.wait_with_output());
    let output = output.map_err(GitError::NoProgram)?;
    let shown = &output.stderr[..output.stderr.len().min(4096)];
    Ok(Output {
        code: output.status.code().unwrap_or(-1),
        stdout: output.stdout,
        stderr: String::from_utf8_lossy(shown).trim().to_owned(),
    })
}

/// What a run of git left behind.
#[derive(Debug)]
pub struct Output {
    /// Exit code, or -1 for a signal.
    pub code: i32,
    /// Standard output, whole.
    pub stdout: Vec<u8>,
    /// Standard error, cut at 4 kB and made text.
    pub stderr: String,
}

impl Output {
    /// Standard output as text without the last newline; bytes that are not UTF-8 are replaced.
    #[must_use]
    pub fn line(&self) -> String {
        String::from_utf8_lossy(&self.stdout).trim_end_matches('\n').to_owned()
    }

    fn checked(self, verb: String) -> Result<Self, GitError> {
        match self.code {
            0 => Ok(self),
            code => Err(GitError::Failed { verb, code, stderr: self.stderr }),
        }
    }
}

impl GitRun {
    /// Adds an argument. Operands that come from outside go after `--end-of-options` or `--`.
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

    /// Sets a variable for this run.
    #[must_use]
    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.env.push((name.into(), value.as_ref().to_os_string()));
        self
    }

    /// Sets a configuration value (`key=value`) for this run, after the safe ones.
    #[must_use]
    pub fn config(mut self, setting: &str) -> Self {
        self.config.push(setting.to_owned());
        self
    }

    /// Gives the run this standard input; without it there is none.
    #[must_use]
    pub fn stdin(mut self, bytes: Vec<u8>) -> Self {
        self.stdin = Some(bytes);
        self
    }

    /// Runs and returns whatever the exit code is. The child dies with the future.
    ///
    /// # Errors
    /// [`GitError::NoProgram`] when git cannot be started or its pipes break.
    pub async fn output(self) -> Result<Output, GitError> {
        let child = self.command().spawn().map_err(GitError::NoProgram)?;
        finish(child, self.stdin).await
    }

    /// Runs; an exit code other than 0 is an error.
    ///
    /// # Errors
    /// [`GitError::Failed`] with git's own words, or [`GitError::NoProgram`].
    pub async fn ok(self) -> Result<Output, GitError> {
        let verb = self.verb.clone();
        self.output().await?.checked(verb)
    }

    /// Starts now what gets its input later: what git does before it reads is done by then.
    ///
    /// # Errors
    /// [`GitError::NoProgram`] when git cannot be started.
    pub(super) fn begin(self) -> Result<Begun, GitError> {
        let run = self.stdin(Vec::new());
        let child = run.command().spawn().map_err(GitError::NoProgram)?;
        Ok(Begun { verb: run.verb, child })
    }

    pub(super) fn verb(&self) -> &str {
        &self.verb
    }

    #[allow(clippy::disallowed_methods)] // the one place where git is spawned
    pub(super) fn command(&self) -> Command {
        let mut command = Command::new(self.git.program.as_ref());
        command.current_dir(&self.dir).env_clear().envs(self.git.env.iter().cloned());
        command.envs(self.env.iter().cloned());
        for setting in SAFE.iter().copied().chain(self.config.iter().map(String::as_str)) {
            command.arg("-c").arg(setting);
        }
        command.arg(&self.verb).args(&self.args);
        command.stdin(if self.stdin.is_some() { Stdio::piped() } else { Stdio::null() });
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true).process_group(0);
        command
    }
}
