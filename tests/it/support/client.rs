use rmcp::model::{CallToolRequestParams, Tool};
use rmcp::service::{RoleClient, RunningService};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

/// A connected MCP client that checks every result it gets.
pub struct Client {
    service: RunningService<RoleClient, ()>,
    tools: BTreeMap<String, Tool>,
    state: PathBuf,
    hidden: Vec<String>,
}

/// What a tool answered.
#[derive(Debug, Clone)]
pub struct Outcome {
    pub error: bool,
    pub data: Value,
    pub text: String,
}

impl Outcome {
    /// The stable code of an error.
    pub fn code(&self) -> &str {
        self.data["code"].as_str().unwrap_or("")
    }
}

impl Client {
    /// Takes a connected client; `hidden` are texts that no result may hold.
    pub async fn new(
        service: RunningService<RoleClient, ()>,
        state: PathBuf,
        hidden: Vec<String>,
    ) -> Self {
        let tools = service.list_all_tools().await.unwrap();
        let tools = tools.into_iter().map(|t| (t.name.to_string(), t)).collect();
        Self { service, tools, state, hidden }
    }

    /// Calls a tool and checks the result: schema, error shape, nothing private.
    pub async fn call(&self, tool: &'static str, arguments: Value) -> Outcome {
        let Value::Object(arguments) = arguments else { panic!("arguments are an object") };
        let request = CallToolRequestParams::new(tool).with_arguments(arguments);
        let result = self.service.call_tool(request).await.unwrap();
        let data = result.structured_content.clone().unwrap_or(Value::Null);
        let text = serde_json::to_value(&result.content).unwrap()[0]["text"]
            .as_str()
            .unwrap_or("")
            .to_owned();
        let outcome = Outcome { error: result.is_error.unwrap_or(false), data, text };
        self.check(tool, &outcome);
        outcome
    }

    /// Calls a tool that must succeed.
    pub async fn ok(&self, tool: &'static str, arguments: Value) -> Value {
        let outcome = self.call(tool, arguments).await;
        assert!(!outcome.error, "{tool} failed: {:#}", outcome.data);
        outcome.data
    }

    /// Calls a tool that must fail with `code`.
    pub async fn fails(&self, tool: &'static str, arguments: Value, code: &str) -> Value {
        let outcome = self.call(tool, arguments).await;
        assert!(outcome.error, "{tool} did not fail: {:#}", outcome.data);
        assert_eq!(outcome.code(), code, "{:#}", outcome.data);
        outcome.data
    }

    /// Calls a tool of a server that is about to be killed; what comes of it is not looked at.
    pub fn abandon(self, tool: &'static str, arguments: Value) -> tokio::task::JoinHandle<()> {
        let Value::Object(arguments) = arguments else { panic!("arguments are an object") };
        let request = CallToolRequestParams::new(tool).with_arguments(arguments);
        tokio::spawn(async move {
            let _ = self.service.call_tool(request).await;
            self.close().await;
        })
    }

    /// Waits until the worker's state is one of `states`, by the product's own wait.
    pub async fn until(&self, worker: &str, states: &[&str]) -> Value {
        // What changed before the first look counts as well.
        let wait = |seconds: u64, since: &Value| json!({"wait_seconds": seconds, "scope": "all", "since_revision": since});
        let mut since =
            self.ok("codex_worker_wait", wait(0, &Value::Null)).await["revision"].take();
        for _ in 0..60 {
            let seen =
                self.ok("codex_worker_inspect", json!({"worker": worker, "view": "status"})).await;
            if states.contains(&seen["state"].as_str().unwrap_or("")) {
                return seen;
            }
            since = self.ok("codex_worker_wait", wait(5, &since)).await["revision"].take();
        }
        panic!("worker {worker} never was one of {states:?}");
    }

    /// Ends the connection.
    pub async fn close(self) {
        let _ = tokio::time::timeout(Duration::from_secs(10), self.service.cancel()).await;
    }

    fn check(&self, tool: &str, outcome: &Outcome) {
        let whole = format!("{}\n{}", outcome.data, outcome.text);
        let mut hidden = self.hidden.clone();
        hidden.push(self.state.to_string_lossy().into_owned());
        hidden.extend(thread_ids(&self.state.join("codex/sessions")));
        for private in &hidden {
            assert!(!whole.contains(private.as_str()), "{tool} shows {private}:\n{whole}");
        }
        assert!(outcome.data.is_object(), "{tool} has no structured content: {}", outcome.text);
        if outcome.error {
            for member in ["code", "message", "hint"] {
                assert!(outcome.data[member].is_string(), "{tool}: no {member} in {whole}");
            }
            return;
        }
        let declared = self.tools.get(tool).unwrap_or_else(|| panic!("{tool} is not listed"));
        let schema: Map<String, Value> =
            declared.output_schema.as_deref().cloned().expect("an output schema");
        let schema = Value::Object(schema);
        let validator = jsonschema::validator_for(&schema).unwrap();
        let faults: Vec<String> = validator
            .iter_errors(&outcome.data)
            .map(|e| format!("{}: {e}", e.instance_path()))
            .collect();
        assert!(faults.is_empty(), "{tool} breaks its schema: {faults:#?}\n{:#}", outcome.data);
    }
}

/// The ids of codex's threads, from the names of its rollout files.
fn thread_ids(dir: &std::path::Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(dir) else { return Vec::new() };
    let mut ids = Vec::new();
    for path in entries.filter_map(Result::ok).map(|e| e.path()) {
        if path.is_dir() {
            ids.extend(thread_ids(&path));
        } else if let Some(stem) = path.file_stem().and_then(|s| s.to_str())
            && stem.len() > 36
        {
            ids.push(stem[stem.len() - 36..].to_owned());
        }
    }
    ids
}
