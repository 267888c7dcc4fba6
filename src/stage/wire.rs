use crate::secret::Secret;
use anyhow::{Context, bail};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout};

/// The revision of stateless requests.
const MODERN: &str = "2026-07-28";

/// The revision of sessions.
const LEGACY: &str = "2025-11-25";

/// How messages get to the server and back.
pub(super) enum Wire {
    /// Requests that stand for themselves.
    Modern(Http),
    /// Requests of a session.
    Legacy(Http, Option<String>),
    /// Lines to and from a child.
    Lines(Box<Lines>),
}

/// One address of the server.
pub(super) struct Http {
    pub(super) http: reqwest::Client,
    pub(super) url: String,
    pub(super) token: Secret,
}

/// A child that speaks MCP on its standard streams.
pub(super) struct Lines {
    pub(super) child: Child,
    pub(super) stdin: ChildStdin,
    pub(super) stdout: BufReader<ChildStdout>,
}

impl Wire {
    /// What `params` need beside what they say.
    pub(super) fn complete(&self, mut params: Value) -> Value {
        if matches!(self, Self::Modern(_)) {
            params["_meta"] = json!({
                "io.modelcontextprotocol/protocolVersion": MODERN,
                "io.modelcontextprotocol/clientCapabilities": {},
                "io.modelcontextprotocol/clientInfo": about(),
            });
        }
        params
    }

    /// The parameters of `initialize`; none where there is no session.
    pub(super) fn greeting(&self) -> Option<Value> {
        match self {
            Self::Modern(_) => None,
            _ => Some(json!({
                "protocolVersion": LEGACY, "capabilities": {}, "clientInfo": about(),
            })),
        }
    }

    /// Sends a message; the answer to a request, nothing for a notification.
    pub(super) async fn exchange(&mut self, message: &Value) -> anyhow::Result<Option<Value>> {
        let method = message["method"].as_str().unwrap_or_default();
        let request = match self {
            Self::Lines(lines) => return lines.exchange(message).await,
            Self::Modern(http) => {
                let request = http.post(MODERN).header("mcp-method", method);
                match message["params"]["name"].as_str() {
                    Some(name) => request.header("mcp-name", name),
                    None => request,
                }
            }
            Self::Legacy(http, session) => match session {
                Some(session) => http.post(LEGACY).header("mcp-session-id", session.as_str()),
                None => http.post(LEGACY),
            },
        };
        let response = request.json(message).send().await.context("the server does not answer")?;
        if let (Self::Legacy(_, session), Some(id)) =
            (self, response.headers().get("mcp-session-id"))
        {
            *session = Some(id.to_str()?.to_owned());
        }
        let status = response.status();
        let text = response.text().await?;
        let Some(id) = message.get("id") else {
            anyhow::ensure!(status.is_success(), "{method}: {status}: {text}");
            return Ok(None);
        };
        let answer = message_in(&text, id);
        answer
            .map(Some)
            .with_context(|| format!("{method}: no JSON-RPC in the answer ({status}): {text}"))
    }

    /// Says goodbye where there is something to end.
    pub(super) async fn close(self) -> anyhow::Result<()> {
        match self {
            Self::Modern(_) | Self::Legacy(_, None) => {}
            Self::Legacy(http, Some(session)) => {
                let end = http.http.delete(&http.url).bearer_auth(http.token.expose());
                let end = end.header("mcp-session-id", session).send().await?;
                anyhow::ensure!(end.status().is_success(), "a session did not end: {end:?}");
            }
            Self::Lines(lines) => {
                let Lines { mut child, stdin, stdout } = *lines;
                drop((stdin, stdout));
                let limit = std::time::Duration::from_secs(20);
                let exit = tokio::time::timeout(limit, child.wait()).await;
                let exit = exit.context("`patchbay stdio` went on after its input had ended")??;
                anyhow::ensure!(exit.success(), "`patchbay stdio` ended with {exit}");
            }
        }
        Ok(())
    }
}

fn about() -> Value {
    json!({"name": "patchbay-stage", "version": env!("CARGO_PKG_VERSION")})
}

impl Http {
    fn post(&self, revision: &str) -> reqwest::RequestBuilder {
        self.http
            .post(&self.url)
            .bearer_auth(self.token.expose())
            .header("accept", "application/json, text/event-stream")
            .header("mcp-protocol-version", revision)
    }
}

impl Lines {
    async fn exchange(&mut self, message: &Value) -> anyhow::Result<Option<Value>> {
        self.stdin.write_all(format!("{message}\n").as_bytes()).await?;
        self.stdin.flush().await?;
        let Some(id) = message.get("id") else { return Ok(None) };
        let mut line = String::new();
        loop {
            line.clear();
            if self.stdout.read_line(&mut line).await? == 0 {
                bail!("`patchbay stdio` closed its output");
            }
            if let Some(answer) = message_in(&line, id) {
                return Ok(Some(answer));
            }
        }
    }
}

/// The message with this id in a body that is JSON, or a stream of events.
fn message_in(text: &str, id: &Value) -> Option<Value> {
    let own = |value: &Value| value["id"] == *id && value.get("method").is_none();
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
        let (three, four) = (json!(3), json!(4));
        assert!(message_in(r#"{"id":3,"result":{}}"#, &three).is_some());
        assert!(message_in(r#"{"id":3,"method":"ping"}"#, &three).is_none());
        let stream =
            "event: message\ndata: {\"method\":\"x\"}\n\ndata: {\"id\":3,\"result\":1}\n\n";
        assert_eq!(message_in(stream, &three).unwrap()["result"], 1);
        assert!(message_in(stream, &four).is_none() && message_in("Not Found", &four).is_none());
    }
}
