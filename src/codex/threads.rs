use super::client::Client;
use super::conn::CallError;
use super::locate::at_least;
use super::{CodexError, home, profile};
use crate::backend::{BackendError, Sandbox, ThreadRef, ThreadSpec, TurnSpec};
use crate::paths::Env;
use serde_json::{Map, Value, json};
use std::path::PathBuf;

/// Everything a thread needs. It is sent on `thread/start` and again on every `thread/resume`: codex
/// keeps no per-thread configuration (seen). Never with `permissions`, and never with another sandbox
/// than `read-only`: anything else trusts the repository and runs the commands of its `.codex/`.
fn thread_params(spec: &ThreadSpec, env: &Env) -> Map<String, Value> {
    let mut config =
        json!({ "shell_environment_policy": home::shell_policy(env, Some(&spec.tmp)) });
    if spec.sandbox == Sandbox::ReadOnly {
        let tmp = spec.tmp.to_string_lossy();
        config["permissions"] = json!({ profile::READ: { "filesystem": { &*tmp: "write" } } });
    }
    if let Some(effort) = &spec.effort {
        config["model_reasoning_effort"] = json!(effort);
    }
    let mut params = Map::from_iter([
        ("cwd".to_owned(), json!(spec.cwd.to_string_lossy())),
        ("sandbox".to_owned(), json!("read-only")),
        ("approvalPolicy".to_owned(), json!(policy(spec))),
        ("developerInstructions".to_owned(), json!(spec.instructions)),
        ("config".to_owned(), config),
    ]);
    if let Some(model) = &spec.model {
        params.insert("model".to_owned(), json!(model));
    }
    params
}

/// `on-request` and `never` are the policies that mean the same in every version (seen).
fn policy(spec: &ThreadSpec) -> &'static str {
    if spec.may_ask { "on-request" } else { "never" }
}

/// One turn, with everything that would otherwise stick from an earlier one. Without `permissions` the
/// turn would run with codex's own read-only profile, which hides nothing (seen).
pub(super) fn turn_params(thread: &ThreadRef, spec: &ThreadSpec, turn: &TurnSpec) -> Value {
    let cwd = spec.cwd.to_string_lossy();
    let (permissions, roots) = match spec.sandbox {
        Sandbox::Worktree => (profile::WRITE, json!([cwd, spec.tmp.to_string_lossy()])),
        Sandbox::ReadOnly => (profile::READ, json!([cwd])),
    };
    let mut params = json!({
        "threadId": thread.id,
        "input": [{ "type": "text", "text": turn.text }],
        "clientUserMessageId": turn.client_id,
        "cwd": cwd,
        "approvalPolicy": policy(spec),
        "permissions": permissions,
        "runtimeWorkspaceRoots": roots,
    });
    for (key, value) in [
        ("model", turn.model.as_ref().or(spec.model.as_ref())),
        ("effort", turn.effort.as_ref().or(spec.effort.as_ref())),
    ] {
        if let Some(value) = value {
            params[key] = json!(value);
        }
    }
    params
}

/// Starts a thread, or resumes one with all its settings.
pub(super) async fn open(
    client: &Client,
    env: &Env,
    version: &str,
    spec: &ThreadSpec,
    existing: Option<&ThreadRef>,
) -> Result<ThreadRef, BackendError> {
    let params = thread_params(spec, env);
    match existing {
        Some(thread) => resume(client, version, params, thread).await,
        None => start(client, version, params, spec).await,
    }
}

async fn start(
    client: &Client,
    version: &str,
    params: Map<String, Value>,
    spec: &ThreadSpec,
) -> Result<ThreadRef, BackendError> {
    let opened = client.call("thread/start", Value::Object(params)).await?;
    let thread = reference(&opened, version)?;
    let name = json!({ "threadId": thread.id, "name": format!("patchbay/{}", spec.name) });
    // The name is for people who look at codex's own list; a refusal harms nothing.
    let _ = client.call("thread/name/set", name).await;
    Ok(thread)
}

async fn resume(
    client: &Client,
    version: &str,
    mut params: Map<String, Value>,
    thread: &ThreadRef,
) -> Result<ThreadRef, BackendError> {
    // An older codex that appends to the record makes it unreadable for the newer one (seen).
    if !at_least(version, &thread.agent_version) {
        return Err(CodexError::Downgrade {
            ours: version.to_owned(),
            theirs: thread.agent_version.clone(),
            what: "wrote this thread",
        }
        .into());
    }
    params.insert("threadId".to_owned(), json!(thread.id));
    params.insert("excludeTurns".to_owned(), json!(true));
    let opened = client.call("thread/resume", Value::Object(params)).await.map_err(gone)?;
    reference(&opened, version)
}

/// Codex has one code for all refusals; a missing thread is told by its words.
pub(super) fn gone(error: CallError) -> BackendError {
    match error {
        CallError::Refused(error) if is_gone(&error.message) => {
            BackendError::ThreadGone(error.message)
        }
        other => other.into(),
    }
}

fn is_gone(message: &str) -> bool {
    ["no rollout found", "thread not found", "thread not loaded", "not materialized"]
        .iter()
        .any(|words| message.contains(words))
}

fn reference(opened: &Value, version: &str) -> Result<ThreadRef, BackendError> {
    let thread = &opened["thread"];
    let id = thread["id"]
        .as_str()
        .ok_or_else(|| BackendError::Refused("codex named no thread".to_owned()))?;
    Ok(ThreadRef {
        id: id.to_owned(),
        agent_version: version.to_owned(),
        rollout: thread["path"].as_str().map(PathBuf::from),
    })
}
