use super::{GitError, GitRun, Repo};
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt};

/// What a bounded run of git left behind.
#[derive(Debug)]
pub struct Page {
    /// Standard output, at most the bound.
    pub stdout: Vec<u8>,
    /// Whether there was more.
    pub cut: bool,
}

impl GitRun {
    /// Runs, reads at most `max` bytes of standard output and waits at most `limit`; then git is
    /// ended. An exit code other than 0 is an error, unless the output was cut.
    ///
    /// # Errors
    /// [`GitError::Failed`] with git's own words, [`GitError::TimedOut`], [`GitError::NoProgram`].
    pub async fn page(self, max: usize, limit: Duration) -> Result<Page, GitError> {
        let verb = self.verb().to_owned();
        let timed_out = GitError::TimedOut { verb: verb.clone(), limit };
        tokio::time::timeout(limit, self.read(verb, max)).await.unwrap_or(Err(timed_out))
    }

    async fn read(self, verb: String, max: usize) -> Result<Page, GitError> {
        let mut child = self.command().spawn().map_err(GitError::NoProgram)?;
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        // Dropping the pipe of a run that says too much ends it with SIGPIPE.
        let out = async { read_some(stdout, max.saturating_add(1)).await };
        let err = async {
            let mut pipe = stderr;
            let said = read_some(pipe.as_mut(), 4096).await;
            if let Some(rest) = pipe.as_mut() {
                let _ = tokio::io::copy(rest, &mut tokio::io::sink()).await;
            }
            said
        };
        let (mut stdout, stderr) = tokio::join!(out, err);
        let status = child.wait().await.map_err(GitError::NoProgram)?;
        let cut = stdout.len() > max;
        stdout.truncate(max);
        if status.success() || cut {
            return Ok(Page { stdout, cut });
        }
        let stderr = String::from_utf8_lossy(&stderr).trim().to_owned();
        Err(GitError::Failed { verb, code: status.code().unwrap_or(-1), stderr })
    }
}

async fn read_some(pipe: Option<impl AsyncRead + Unpin>, max: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    if let Some(pipe) = pipe {
        // What was read before a broken pipe still counts; the exit code says the rest.
        let _ = pipe.take(max as u64).read_to_end(&mut bytes).await;
    }
    bytes
}

impl Repo {
    /// Begins a run that looks at the working tree and runs no program that the repository itself
    /// names: its own filter drivers are off (those of the user's configuration stay).
    ///
    /// # Errors
    /// When git cannot list the configuration.
    pub async fn look(&self, verb: &str) -> Result<GitRun, GitError> {
        let mut run = self.git.run(&self.root, verb).config("diff.autoRefreshIndex=false");
        let filters = self.own_filters().await?;
        run = run.env("GIT_CONFIG_COUNT", (filters.len() * 3).to_string());
        let settings = filters.iter().flat_map(|name| {
            [(".clean", ""), (".process", ""), (".required", "false")]
                .map(|(key, value)| ([b"filter.", name.as_slice(), key.as_bytes()].concat(), value))
        });
        for (at, (key, value)) in settings.enumerate() {
            run = run.env(&format!("GIT_CONFIG_KEY_{at}"), OsString::from_vec(key));
            run = run.env(&format!("GIT_CONFIG_VALUE_{at}"), value);
        }
        Ok(run)
    }

    /// The names of the filter drivers that the repository's own configuration defines, as bytes.
    ///
    /// # Errors
    /// When git cannot list the configuration.
    pub async fn own_filters(&self) -> Result<Vec<Vec<u8>>, GitError> {
        if !self.may_have_filters() {
            return Ok(Vec::new());
        }
        let out = self
            .git
            .run(&self.root, "config")
            .args(["--show-scope", "-z", "--name-only", "--get-regexp", "^filter\\."])
            .output()
            .await?;
        // 1 is "none found".
        if out.code > 1 || out.code < 0 {
            let verb = "config".to_owned();
            return Err(GitError::Failed { verb, code: out.code, stderr: out.stderr });
        }
        let words: Vec<&[u8]> = out.stdout.split(|b| *b == 0).collect();
        let mut names: Vec<Vec<u8>> = words
            .chunks_exact(2)
            .filter(|pair| matches!(pair[0], b"local" | b"worktree"))
            .filter_map(|pair| {
                let name = pair[1].strip_prefix(b"filter.")?;
                let dot = name.iter().rposition(|b| *b == b'.')?;
                Some(name[..dot].to_vec())
            })
            .collect();
        names.sort();
        names.dedup();
        Ok(names)
    }

    /// Whether git has to be asked: section names cannot be written in another way than by letter.
    fn may_have_filters(&self) -> bool {
        let names = |config: &[u8]| {
            let text = String::from_utf8_lossy(config).to_ascii_lowercase();
            ["filter", "include"].iter().any(|word| text.contains(word))
        };
        let shared = std::fs::read(self.common_dir.join("config"));
        self.git_dir.join("config.worktree").exists() || shared.map_or(true, |raw| names(&raw))
    }
}
