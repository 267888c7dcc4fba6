use super::wire::{Http, Lines, Wire};
use super::{Ready, Server, Stage};
use crate::process::{Io, Spawn};
use crate::secret::Secret;
use anyhow::{Context, bail};
use serde::Deserialize;
use serde_json::{Value, json};
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::time::Duration;
use tokio::io::BufReader;

/// How long one answer may take; a call waits 45 s at most.
const LIMIT: Duration = Duration::from_secs(90);

/// The door that a client goes through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Door {
    /// HTTP, stateless requests of 2026-07-28.
    Modern,
    /// HTTP, a session of 2025-11-25.
    Legacy,
    /// A child `patchbay stdio`.
    Stdio,
}

/// An MCP client as small as one can be, that writes down what it says and hears.
pub struct Client {
    wire: Wire,
    transcript: Option<File>,
    next_id: u64,
}

/// What a tool answered.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Whether the tool did not do what it was asked.
    pub error: bool,
    /// The structured content.
    pub data: Value,
}

impl Answer {
    /// The data of a success.
    ///
    /// # Errors
    /// An error of the tool, in its own words.
    pub fn ok(self) -> anyhow::Result<Value> {
        if self.error {
            let word = |key: &str| self.data[key].as_str().unwrap_or("?").to_owned();
            bail!("{}: {} {}", word("code"), word("message"), word("hint"));
        }
        Ok(self.data)
    }

    /// The stable code of an error; empty for a success.
    #[must_use]
    pub fn code(&self) -> &str {
        self.data["code"].as_str().filter(|_| self.error).unwrap_or_default()
    }
}

/// A client for HTTP that several may share.
///
/// # Errors
/// When there is no TLS or no randomness.
pub fn http() -> anyhow::Result<reqwest::Client> {
    Ok(reqwest::Client::builder().no_proxy().timeout(LIMIT).build()?)
}

impl Client {
    /// A client of the server; where the door has sessions, one is opened.
    ///
    /// # Errors
    /// The token cannot be read, the child not be started, or the server refuses.
    pub async fn connect(
        door: Door,
        program: &Path,
        stage: &Stage,
        server: &Server,
        transcript: &str,
    ) -> anyhow::Result<Self> {
        let wire = match door {
            Door::Stdio => Wire::Lines(Box::new(child(program, stage)?)),
            Door::Modern => Wire::Modern(address(&server.ready, http()?)?),
            Door::Legacy => Wire::Legacy(address(&server.ready, http()?)?, None),
        };
        let file = File::options().create(true).append(true).open(stage.file(transcript))?;
        Self { wire, transcript: Some(file), next_id: 1 }.greeted().await
    }

    /// A client that shares connections with others and writes nothing down. `door` is one of HTTP's.
    ///
    /// # Errors
    /// As [`Client::connect`].
    pub async fn bare(door: Door, server: &Ready, http: reqwest::Client) -> anyhow::Result<Self> {
        let wire = match door {
            Door::Legacy => Wire::Legacy(address(server, http)?, None),
            _ => Wire::Modern(address(server, http)?),
        };
        Self { wire, transcript: None, next_id: 1 }.greeted().await
    }

    async fn greeted(mut self) -> anyhow::Result<Self> {
        if let Some(params) = self.wire.greeting() {
            self.request("initialize", params).await?;
            let done = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
            self.note(">", &done);
            self.wire.exchange(&done).await?;
        }
        Ok(self)
    }

    /// Calls a tool that must do what it is asked.
    ///
    /// # Errors
    /// The transport's, the protocol's and the tool's.
    pub async fn call(&mut self, tool: &str, arguments: Value) -> anyhow::Result<Value> {
        self.try_call(tool, arguments).await?.ok().with_context(|| tool.to_owned())
    }

    /// Calls a tool; an error of the tool is an answer.
    ///
    /// # Errors
    /// The transport's and the protocol's.
    pub async fn try_call(&mut self, tool: &str, arguments: Value) -> anyhow::Result<Answer> {
        let params = json!({"name": tool, "arguments": arguments});
        let result = self.request("tools/call", params).await?;
        let data = result["structuredContent"].clone();
        Ok(Answer { error: result["isError"] == true, data })
    }

    /// The names of the listed tools.
    ///
    /// # Errors
    /// The transport's and the protocol's.
    pub async fn tools(&mut self) -> anyhow::Result<Vec<String>> {
        let result = self.request("tools/list", json!({})).await?;
        let tools = result["tools"].as_array().context("no tools in the list")?;
        Ok(tools.iter().filter_map(|t| Some(t["name"].as_str()?.to_owned())).collect())
    }

    /// Ends the session or the child, where there is one.
    ///
    /// # Errors
    /// It does not end well.
    pub async fn close(self) -> anyhow::Result<()> {
        self.wire.close().await
    }

    async fn request(&mut self, method: &str, params: Value) -> anyhow::Result<Value> {
        let id = self.next_id;
        self.next_id += 1;
        let params = self.wire.complete(params);
        let message = json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params});
        self.note(">", &message);
        let sent = tokio::time::timeout(LIMIT, self.wire.exchange(&message)).await;
        let sent = sent.with_context(|| format!("{method}: no answer in time"))?;
        let answer = sent?.with_context(|| format!("{method}: no answer"))?;
        self.note("<", &answer);
        if let Some(error) = answer.get("error") {
            bail!("{method}: {error}");
        }
        Ok(answer["result"].clone())
    }

    fn note(&mut self, direction: &str, message: &Value) {
        let line = json!({"dir": direction, "message": message});
        // The transcript is for reading afterwards; it must not decide how the play ends.
        let _ = self.transcript.as_mut().map(|file| writeln!(file, "{line}"));
    }
}

fn address(server: &Ready, http: reqwest::Client) -> anyhow::Result<Http> {
    let file = &server.token_file;
    let token =
        std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    let url = format!("http://127.0.0.1:{}/mcp", server.port);
    Ok(Http { http, url, token: Secret::from_text(token.trim())? })
}

fn child(program: &Path, stage: &Stage) -> anyhow::Result<Lines> {
    let mut child = Spawn::new(program)
        .args(["stdio", "--root"])
        .arg(&stage.repo.root)
        .envs(stage.env.iter())
        .dir(stage.dir())
        .stdin(Io::Pipe)
        .stdout(Io::Pipe)
        .stderr(Io::Append(stage.file("stdio.log")))
        .kill_on_drop()
        .start()?;
    let stdin = child.stdin.take().context("`patchbay stdio` has no input")?;
    let stdout = BufReader::new(child.stdout.take().context("`patchbay stdio` has no output")?);
    Ok(Lines { child, stdin, stdout })
}
