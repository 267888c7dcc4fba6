use crate::secret::Secret;
use anyhow::{Context, bail};
use serde_json::{Value, json};
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::time::Duration;

/// The revision of MCP that the demo speaks: stateless requests.
const REVISION: &str = "2026-07-28";

/// An MCP client over HTTP, as small as one can be, that writes down what it says and hears.
pub(super) struct Client {
    http: reqwest::Client,
    url: String,
    token: Secret,
    transcript: File,
    next_id: u64,
}

/// What a tool answered.
pub(super) struct Answer {
    /// Whether the tool did not do what it was asked.
    pub(super) error: bool,
    /// The structured content.
    pub(super) data: Value,
}

impl Answer {
    /// The data of a success; an error becomes its own words.
    pub(super) fn ok(self) -> anyhow::Result<Value> {
        if self.error {
            let word = |key: &str| self.data[key].as_str().unwrap_or("?").to_owned();
            bail!("{}: {} {}", word("code"), word("message"), word("hint"));
        }
        Ok(self.data)
    }
}

impl Client {
    /// A client of the server on `port` of loopback; nothing is sent yet.
    pub(super) fn new(port: u16, token_file: &Path, transcript: &Path) -> anyhow::Result<Self> {
        let token = std::fs::read_to_string(token_file)
            .with_context(|| format!("cannot read {}", token_file.display()))?;
        let http =
            reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(90)).build()?;
        Ok(Self {
            http,
            url: format!("http://127.0.0.1:{port}/mcp"),
            token: Secret::from_text(token.trim())?,
            transcript: File::create(transcript)?,
            next_id: 1,
        })
    }

    /// Calls a tool that must do what it is asked.
    pub(super) async fn call(&mut self, tool: &str, arguments: Value) -> anyhow::Result<Value> {
        self.try_call(tool, arguments).await?.ok().with_context(|| tool.to_owned())
    }

    /// Calls a tool; an error of the tool is an answer.
    pub(super) async fn try_call(
        &mut self,
        tool: &str,
        arguments: Value,
    ) -> anyhow::Result<Answer> {
        let params = json!({"name": tool, "arguments": arguments});
        let result = self.request("tools/call", Some(tool), params).await?;
        let data = result["structuredContent"].clone();
        Ok(Answer { error: result["isError"] == true, data })
    }

    /// The names of the listed tools.
    pub(super) async fn tools(&mut self) -> anyhow::Result<Vec<String>> {
        let result = self.request("tools/list", None, json!({})).await?;
        let tools = result["tools"].as_array().context("no tools in the list")?;
        Ok(tools.iter().filter_map(|t| Some(t["name"].as_str()?.to_owned())).collect())
    }

    async fn request(
        &mut self,
        method: &str,
        name: Option<&str>,
        mut params: Value,
    ) -> anyhow::Result<Value> {
        params["_meta"] = json!({
            "io.modelcontextprotocol/protocolVersion": REVISION,
            "io.modelcontextprotocol/clientCapabilities": {},
            "io.modelcontextprotocol/clientInfo":
                {"name": "patchbay-demo", "version": env!("CARGO_PKG_VERSION")},
        });
        let id = self.next_id;
        self.next_id += 1;
        let message = json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params});
        self.note(">", &message);
        let mut post = self
            .http
            .post(&self.url)
            .bearer_auth(self.token.expose())
            .header("accept", "application/json, text/event-stream")
            .header("mcp-protocol-version", REVISION)
            .header("mcp-method", method);
        if let Some(name) = name {
            post = post.header("mcp-name", name);
        }
        let response = post.json(&message).send().await.context("the server does not answer")?;
        let status = response.status();
        let text = response.text().await?;
        let answer = message_in(&text, id)
            .with_context(|| format!("{method}: no JSON-RPC in the answer ({status}): {text}"))?;
        self.note("<", &answer);
        if let Some(error) = answer.get("error") {
            bail!("{method}: {error}");
        }
        Ok(answer["result"].clone())
    }

    fn note(&mut self, direction: &str, message: &Value) {
        let line = json!({"dir": direction, "message": message});
        // The transcript is for reading afterwards; it must not decide how the demo ends.
        let _ = writeln!(self.transcript, "{line}");
    }
}

/// The message with this id in a body that is JSON, or a stream of events.
fn message_in(text: &str, id: u64) -> Option<Value> {
    let own = |value: &Value| value["id"] == id;
    if let Ok(value) = serde_json::from_str(text) {
        return Some(value).filter(own);
    }
    text.lines()
        .filter_map(|line| line.strip_prefix("data:"))
        .filter_map(|data| serde_json::from_str(data.trim_start()).ok())
        .find(own)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_found_in_both_kinds_of_body() {
        assert!(message_in(r#"{"id":3,"result":{}}"#, 3).is_some());
        let stream =
            "event: message\ndata: {\"method\":\"x\"}\n\ndata: {\"id\":3,\"result\":1}\n\n";
        assert_eq!(message_in(stream, 3).unwrap()["result"], 1);
        assert!(message_in(stream, 4).is_none() && message_in("Not Found", 1).is_none());
    }
}
