//! HTTP as thin as it goes, because a client takes as much of a small machine as the server does: the
//! bytes of a request are made once, and an answer is read and not looked at.

use serde_json::{Value, json};
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// The two ways in which clients speak to a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Era {
    /// `initialize`, a session, answers as events.
    Legacy,
    /// Each request on its own, answers as JSON.
    Modern,
}

/// Where MCP is served.
#[derive(Debug, Clone)]
pub(crate) struct Door {
    pub(crate) address: SocketAddr,
    pub(crate) path: String,
}

/// One connection that is kept open.
pub(crate) struct Wire {
    door: Door,
    stream: TcpStream,
    session: Option<String>,
    got: Vec<u8>,
}

/// An answer.
struct Answer {
    head: String,
    body: Vec<u8>,
}

impl Door {
    /// Connects; in the legacy era a session is begun, too.
    pub(crate) async fn open(&self, era: Era) -> Wire {
        let stream = TcpStream::connect(self.address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let mut wire = Wire { door: self.clone(), stream, session: None, got: Vec::new() };
        if era == Era::Legacy {
            wire.initialize().await;
        }
        wire
    }
}

impl Wire {
    /// Begins a session.
    pub(crate) async fn initialize(&mut self) {
        let params = json!({
            "protocolVersion": "2025-11-25",
            "capabilities": {},
            "clientInfo": {"name": "budgets", "version": "1"},
        });
        let body = json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params});
        let answer = self.send(&self.post(&body.to_string(), "")).await;
        let session = header(&answer.head, "mcp-session-id").expect("a session");
        self.session = Some(session.to_owned());
        let body = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
        self.send(&self.post(&body.to_string(), &self.headers("", None))).await;
    }

    /// The bytes of a request, for [`Wire::pass`].
    pub(crate) fn request(&self, method: &str, mut params: Value) -> Vec<u8> {
        let name = params["name"].as_str().map(str::to_owned);
        if self.session.is_none() {
            params["_meta"] = json!({
                "io.modelcontextprotocol/protocolVersion": "2026-07-28",
                "io.modelcontextprotocol/clientCapabilities": {},
                "io.modelcontextprotocol/clientInfo": {"name": "budgets", "version": "1"},
            });
        }
        let body = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
        self.post(&body.to_string(), &self.headers(method, name.as_deref()))
    }

    /// Sends a request and gives the number of bytes in the answer.
    pub(crate) async fn pass(&mut self, request: &[u8]) -> usize {
        self.send(request).await.body.len()
    }

    /// Calls a tool that must succeed and gives what it says.
    pub(crate) async fn call(&mut self, tool: &str, arguments: Value) -> Value {
        let request = self.request("tools/call", json!({"name": tool, "arguments": arguments}));
        let body = self.send(&request).await.body;
        let text = String::from_utf8(body).unwrap();
        let data = text.lines().filter_map(|line| line.strip_prefix("data:"));
        let message = data.map(str::trim).rfind(|data| !data.is_empty()).unwrap_or(&text);
        let answer: Value = serde_json::from_str(message).unwrap();
        let result = &answer["result"];
        assert!(result["isError"] != true && result.is_object(), "{tool}: {answer}");
        result["structuredContent"].clone()
    }

    fn headers(&self, method: &str, name: Option<&str>) -> String {
        match &self.session {
            Some(session) => {
                format!("mcp-session-id: {session}\r\nmcp-protocol-version: 2025-11-25\r\n")
            }
            None => {
                let name = name.map(|name| format!("mcp-name: {name}\r\n")).unwrap_or_default();
                format!("mcp-protocol-version: 2026-07-28\r\nmcp-method: {method}\r\n{name}")
            }
        }
    }

    fn post(&self, body: &str, headers: &str) -> Vec<u8> {
        format!(
            "POST {} HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\n\
             accept: application/json, text/event-stream\r\n{headers}content-length: {}\r\n\r\n{body}",
            self.door.path,
            self.door.address,
            body.len()
        )
        .into_bytes()
    }

    async fn send(&mut self, request: &[u8]) -> Answer {
        self.stream.write_all(request).await.unwrap();
        let end = self.until(b"\r\n\r\n", 0).await;
        let head = String::from_utf8_lossy(&self.got[..end]).to_ascii_lowercase();
        self.got.drain(..end);
        assert!(head.starts_with("http/1.1 20"), "{head}");
        let body = match header(&head, "content-length") {
            Some(length) => self.take(length.parse().unwrap()).await,
            None => self.chunks().await,
        };
        Answer { head, body }
    }

    async fn chunks(&mut self) -> Vec<u8> {
        let mut body = Vec::new();
        loop {
            let end = self.until(b"\r\n", 0).await;
            let line = String::from_utf8_lossy(&self.got[..end]).trim().to_owned();
            self.got.drain(..end);
            let size = usize::from_str_radix(&line, 16).unwrap();
            let chunk = self.take(size + 2).await;
            if size == 0 {
                return body;
            }
            body.extend_from_slice(&chunk[..size]);
        }
    }

    async fn take(&mut self, size: usize) -> Vec<u8> {
        while self.got.len() < size {
            self.more().await;
        }
        self.got.drain(..size).collect()
    }

    /// Where the mark ends, counted from the beginning of what was read.
    async fn until(&mut self, mark: &[u8], mut from: usize) -> usize {
        loop {
            let found = self.got[from..].windows(mark.len()).position(|window| window == mark);
            if let Some(at) = found {
                return from + at + mark.len();
            }
            from = self.got.len().saturating_sub(mark.len());
            self.more().await;
        }
    }

    async fn more(&mut self) {
        let read = self.stream.read_buf(&mut self.got).await.unwrap();
        assert!(read > 0, "the server closed the connection");
    }
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let lines = head.lines().filter_map(|line| line.split_once(':'));
    lines.into_iter().find_map(|(key, value)| (key == name).then(|| value.trim()))
}
