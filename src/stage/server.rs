use super::Stage;
use crate::process::{Identity, Io, Ladder, Run, Spawn};
use anyhow::{Context, bail};
use serde::Deserialize;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, ChildStdout};

/// How long the server may take to be ready.
const READY: Duration = Duration::from_secs(30);

/// How long a stop may take: the sidecar gives codex ten seconds to end by itself.
const STOP: Duration = Duration::from_secs(45);

/// The one line that `patchbay start --json` prints when it is ready.
#[derive(Debug, Clone, Deserialize)]
pub struct Ready {
    /// The port on loopback.
    pub port: u16,
    /// The file that holds the access token.
    pub token_file: PathBuf,
}

/// The server, a process of its own. It is killed when this is dropped.
pub struct Server {
    child: Child,
    identity: Option<Identity>,
    // Held open: a server whose standard output is closed would fail at its next word.
    _stdout: BufReader<ChildStdout>,
    /// What it said when it was ready.
    pub ready: Ready,
}

impl Server {
    /// Starts it and waits until it is ready.
    ///
    /// # Errors
    /// It does not come up; the end of its log is in the words.
    pub async fn start(program: &Path, stage: &Stage) -> anyhow::Result<Self> {
        let log = stage.file("server.log");
        let mut child = Spawn::new(program)
            .args(["start", "--port", "0", "--json", "--root"])
            .arg(&stage.repo.root)
            .envs(stage.env.iter())
            .dir(stage.dir())
            .stdout(Io::Pipe)
            .stderr(Io::Append(log.clone()))
            .kill_on_drop()
            .start()?;
        let identity = child.id().and_then(|pid| Identity::of(i32::try_from(pid).ok()?));
        let mut stdout = BufReader::new(child.stdout.take().context("the server has no output")?);
        let mut line = String::new();
        let read = tokio::time::timeout(READY, stdout.read_line(&mut line)).await;
        let words = || tail(&log);
        read.with_context(|| format!("the server was not ready in time\n{}", words()))??;
        let Ok(ready) = serde_json::from_str(&line) else {
            bail!("the server did not come up: {}\n{}", line.trim_end(), words());
        };
        Ok(Self { child, identity, _stdout: stdout, ready })
    }

    /// Its process id; 0 when it has ended.
    #[must_use]
    pub fn pid(&self) -> i32 {
        self.child.id().and_then(|pid| i32::try_from(pid).ok()).unwrap_or_default()
    }

    /// Kills it with SIGKILL and reaps it.
    ///
    /// # Errors
    /// When the system refuses.
    pub async fn kill(mut self) -> anyhow::Result<()> {
        Ok(self.child.kill().await?)
    }

    /// Ends it with `patchbay stop` and waits for its exit.
    ///
    /// # Errors
    /// The stop fails, or the server goes on or ends in another way.
    pub async fn stop(self, program: &Path, stage: &Stage) -> anyhow::Result<()> {
        self.stop_with(program, stage, &["stop"]).await
    }

    /// As [`Server::stop`], with the arguments of the stop.
    ///
    /// # Errors
    /// As [`Server::stop`].
    pub async fn stop_with(
        mut self,
        program: &Path,
        stage: &Stage,
        args: &[&str],
    ) -> anyhow::Result<()> {
        let run = Run::new(program).args(args).dir(stage.dir()).limit(STOP);
        let run = stage.env.iter().fold(run, |run, (name, value)| run.env(name, value));
        let said = run.finish().await;
        let exit = tokio::time::timeout(Duration::from_secs(10), self.child.wait()).await;
        let Ok(exit) = exit else {
            if let Some(identity) = &self.identity {
                Ladder::default().end(identity).await;
            }
            bail!("the server went on after `patchbay stop`\n{}", tail(&stage.file("server.log")));
        };
        let said = said?;
        if said.code != 0 {
            bail!("`patchbay stop` exited with {}: {}", said.code, said.stderr);
        }
        let exit = exit?;
        if !exit.success() {
            bail!("the server ended with {exit}\n{}", tail(&stage.file("server.log")));
        }
        Ok(())
    }
}

/// The last lines of a log.
fn tail(log: &Path) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(15)..].join("\n")
}
