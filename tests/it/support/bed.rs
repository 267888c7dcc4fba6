use super::{Client, Repo, leftovers};
use patchbay::scripted::{ScriptedModel, ScriptedOptions};
use rmcp::transport::StreamableHttpClientTransport;
use rmcp::{ClientLifecycleMode, ClientServiceExt, model::ProtocolVersion};
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// The revision of MCP that a client speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Era {
    /// `initialize` and a session.
    Legacy,
    /// Stateless requests of 2026-07-28.
    Modern,
}

/// Everything one test needs, below one directory.
pub struct Bed {
    pub dir: PathBuf,
    pub repo: Repo,
    pub state: PathBuf,
    pub model: ScriptedModel,
    server: Option<Running>,
    program: PathBuf,
    finished: bool,
}

/// A running server.
struct Running {
    child: Child,
    port: u16,
}

impl Bed {
    /// A state directory, a repository with a commit, a scripted model and a configuration.
    pub async fn new(name: &str) -> Self {
        let base = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/tmp");
        std::fs::create_dir_all(&base).unwrap();
        let dir = base.join(format!("{name}-{}", std::process::id())).canonicalize_or_make();
        let repo = Repo::make(&dir.join("repo"));
        let state = dir.join("state");
        std::fs::DirBuilder::new().mode(0o700).create(&state).unwrap();
        std::fs::create_dir_all(dir.join("home")).unwrap();
        std::fs::create_dir_all(dir.join("points")).unwrap();
        let model = ScriptedModel::start(ScriptedOptions::default()).await.unwrap();
        let program = PathBuf::from(env!("CARGO_BIN_EXE_patchbay"));
        let bed = Self { dir, repo, state, model, server: None, program, finished: false };
        bed.configure("");
        bed
    }

    /// Writes the configuration: the scripted model, and `more` below it.
    pub fn configure(&self, more: &str) {
        let text = format!("codex:\n  scripted_base_url: \"{}\"\n{more}", self.model.base_url());
        std::fs::write(self.state.join("config.yaml"), text).unwrap();
    }

    /// A command of the real binary in the bed's own environment.
    pub fn patchbay(&self, args: &[&str]) -> Command {
        let codex = std::env::var_os("PATCHBAY_CODEX")
            .expect("PATCHBAY_CODEX names the pinned codex; `make test` sets it");
        let mut command = Command::new(&self.program);
        command.args(args).env_clear().current_dir(&self.dir);
        command.env("PATH", std::env::var_os("PATH").unwrap());
        command.env("HOME", self.dir.join("home"));
        command.env("PATCHBAY_HOME", &self.state).env("PATCHBAY_CODEX", codex);
        command.env("PATCHBAY_FAILPOINTS", self.dir.join("points"));
        // A test may ask for more of the server's words.
        command.env("PATCHBAY_LOG", std::env::var("PATCHBAY_LOG").unwrap_or("info".to_owned()));
        command
    }

    /// The binary that is run.
    pub fn program(&self) -> &Path {
        &self.program
    }

    /// Runs another binary from now on.
    pub fn use_program(&mut self, program: PathBuf) {
        self.program = program;
    }

    /// Starts the server and waits for its one line.
    pub fn start(&mut self) {
        let log = std::fs::File::options()
            .create(true)
            .append(true)
            .open(self.dir.join("server.log"))
            .unwrap();
        let root = self.repo.root.to_string_lossy().into_owned();
        let mut child = self
            .patchbay(&["start", "--port", "0", "--json", "--root", &root])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let ready: Value = serde_json::from_str(&line)
            .unwrap_or_else(|e| panic!("no ready line: {e}: {line:?}\n{}", self.server_log()));
        let port = u16::try_from(ready["port"].as_u64().unwrap()).unwrap();
        self.server = Some(Running { child, port });
    }

    /// Whether a server was started and not ended.
    pub fn runs(&self) -> bool {
        self.server.is_some()
    }

    /// The process of the running server.
    pub fn server_pid(&self) -> rustix::process::Pid {
        rustix::process::Pid::from_child(&self.server.as_ref().expect("a started server").child)
    }

    /// What the server wrote to its standard error.
    pub fn server_log(&self) -> String {
        std::fs::read_to_string(self.dir.join("server.log")).unwrap_or_default()
    }

    /// The access token.
    pub fn token(&self) -> String {
        std::fs::read_to_string(self.state.join("token")).unwrap().trim().to_owned()
    }

    /// The address of the running server, without the secret.
    pub fn origin(&self) -> String {
        format!("http://127.0.0.1:{}", self.server.as_ref().expect("a started server").port)
    }

    /// Connects a client over HTTP.
    pub async fn client(&self, era: Era) -> Client {
        let url = format!("{}/mcp/{}", self.origin(), self.token());
        let transport = StreamableHttpClientTransport::from_uri(url);
        let lifecycle = match era {
            Era::Legacy => ClientLifecycleMode::Initialize,
            Era::Modern => ClientLifecycleMode::Discover {
                preferred_versions: vec![ProtocolVersion::V_2026_07_28],
            },
        };
        let service = ().serve_with_lifecycle(transport, lifecycle).await.unwrap();
        Client::new(service, self.state.clone(), vec![self.token()]).await
    }

    /// Starts `patchbay stdio` and connects a client to it. The child ends with its input.
    pub async fn stdio(&self) -> (Client, tokio::process::Child) {
        let root = self.repo.root.to_string_lossy().into_owned();
        let log = std::fs::File::options()
            .create(true)
            .append(true)
            .open(self.dir.join("server.log"))
            .unwrap();
        let mut command = tokio::process::Command::from(self.patchbay(&["stdio", "--root", &root]));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(log).kill_on_drop(true);
        let mut child = command.spawn().unwrap();
        let pipes = (child.stdout.take().unwrap(), child.stdin.take().unwrap());
        let service =
            ().serve_with_lifecycle(pipes, ClientLifecycleMode::Initialize).await.unwrap();
        (Client::new(service, self.state.clone(), Vec::new()).await, child)
    }

    /// The process of the running server.
    pub fn engine(&self) -> u32 {
        self.server.as_ref().expect("a started server").child.id()
    }

    /// Kills the server with SIGKILL and reaps it.
    pub fn kill_server(&mut self) {
        let mut running = self.server.take().expect("a started server");
        running.child.kill().unwrap();
        running.child.wait().unwrap();
    }

    /// Sends the server SIGTERM and waits for its exit.
    pub fn terminate(&mut self) {
        let mut running = self.server.take().expect("a started server");
        let pid = rustix::process::Pid::from_child(&running.child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        let status = running.child.wait().unwrap();
        assert!(status.success(), "the server ended with {status}\n{}", self.server_log());
    }

    /// What still runs under this bed.
    pub fn processes(&self) -> Vec<String> {
        leftovers::processes(&self.dir)
    }

    /// Ends the server with `patchbay stop` and waits for its exit.
    pub fn stop(&mut self) {
        self.stop_with(&[]);
    }

    /// As `stop`, with more arguments.
    pub fn stop_with(&mut self, more: &[&str]) {
        let out = self.patchbay(&[&["stop"], more].concat()).output().unwrap();
        let said = String::from_utf8_lossy(&out.stderr).into_owned();
        if let Some(mut running) = self.server.take() {
            assert!(out.status.success(), "stop failed: {said}\n{}", self.server_log());
            let status = running.child.wait().unwrap();
            assert!(status.success(), "the server ended with {status}\n{}", self.server_log());
        }
    }

    /// Stops everything and checks that nothing is left: process, lock, unaccounted worktree.
    pub async fn finish(mut self) {
        self.stop();
        self.model.shutdown().await;
        if let Err(left) = leftovers::wait_for_none(&self.dir, Duration::from_secs(30)) {
            panic!("left behind: {left:#?}\n{}", self.server_log());
        }
        assert!(!self.repo.root.join(".git/patchbay.lock").exists(), "a lock is left");
        let listed = self.repo.git(&["worktree", "list", "--porcelain"]);
        let known = self.worktrees_on_disk();
        for line in listed.lines().filter_map(|l| l.strip_prefix("worktree ")) {
            let path = Path::new(line);
            assert!(
                path == self.repo.root || known.contains(&path.to_path_buf()),
                "unaccounted: {line}"
            );
            assert!(path.exists(), "git knows a worktree that is gone: {line}");
        }
        self.finished = true;
        std::fs::remove_dir_all(&self.dir).unwrap();
    }

    /// Worktrees below the state directory.
    pub fn worktrees_on_disk(&self) -> Vec<PathBuf> {
        let mut found = Vec::new();
        for repo in std::fs::read_dir(self.state.join("worktrees")).into_iter().flatten().flatten()
        {
            for worker in std::fs::read_dir(repo.path()).into_iter().flatten().flatten() {
                let tree = worker.path().join("tree");
                if tree.exists() {
                    found.push(tree);
                }
            }
        }
        found
    }
}

impl Drop for Bed {
    fn drop(&mut self) {
        if self.finished {
            return;
        }
        // The test failed: end what it started, keep the files for a look.
        if let Some(mut running) = self.server.take() {
            let _ = self.patchbay(&["stop"]).output();
            let _ = running.child.kill();
            let _ = running.child.wait();
        }
        let _ = leftovers::wait_for_none(&self.dir, Duration::from_secs(15));
    }
}

trait MakeDir {
    fn canonicalize_or_make(self) -> PathBuf;
}

impl MakeDir for PathBuf {
    /// Makes the directory anew and returns its canonical path.
    fn canonicalize_or_make(self) -> PathBuf {
        let _ = std::fs::remove_dir_all(&self);
        std::fs::create_dir_all(&self).unwrap();
        self.canonicalize().unwrap()
    }
}
