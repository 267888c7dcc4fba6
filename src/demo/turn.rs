use super::options::Break;
use super::story::{self, MODEL, WORKER};
use crate::stage::{Client, Screen, Stage};
use anyhow::{Context, bail, ensure};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// How long the worker may take; the script needs a few seconds, a real model some more.
const TURN: Duration = Duration::from_secs(300);

/// The tools that the demo calls.
const TOOLS: [&str; 6] = [
    "codex_self_test",
    "codex_worker_start",
    "codex_worker_wait",
    "codex_worker_inspect",
    "codex_worker_integrate",
    "codex_worker_stop",
];

/// The server is there, has the tools, and says that it is ready.
pub(super) async fn connect(client: &mut Client, screen: &Screen<'_>) -> anyhow::Result<()> {
    let tools = client.tools().await?;
    for name in TOOLS {
        ensure!(tools.iter().any(|tool| tool == name), "the server does not list {name}");
    }
    let test = client.call("codex_self_test", json!({})).await?;
    ensure!(test["ready"] == true, "the server is not ready: {}", test["checks"]);
    screen.tell(&format!("{} tools, ready", tools.len()));
    Ok(())
}

/// Appoints the worker.
pub(super) async fn start(
    client: &mut Client,
    screen: &Screen<'_>,
    live: bool,
    broken: Option<Break>,
) -> anyhow::Result<()> {
    let brief = if live { story::LIVE_BRIEF.to_owned() } else { story::brief(broken) };
    let mut arguments = json!({"name": WORKER, "brief": brief});
    if !live {
        arguments["model"] = json!(MODEL);
    }
    let started = client.call("codex_worker_start", arguments).await?;
    ensure!(started["name"] == WORKER, "another worker was started: {}", started["name"]);
    let words = brief.split("\n\n").next().unwrap_or_default();
    screen.tell(&format!("to {WORKER}: {words}"));
    Ok(())
}

/// Follows the worker's journal until its turn is over.
pub(super) async fn watch(client: &mut Client, screen: &Screen<'_>) -> anyhow::Result<()> {
    let begun = Instant::now();
    let mut cursor = json!(0);
    loop {
        // The state is read before the journal: once the worker is idle, the journal is whole.
        let status = inspect(client, json!({"view": "status"})).await?;
        cursor = tell_news(client, screen, cursor).await?;
        match status["state"].as_str().unwrap_or_default() {
            "idle" => return Ok(()),
            state @ ("failed" | "interrupted" | "needs_login" | "waiting_limit") => {
                bail!("{WORKER} is {state}: {}", reason(&status));
            }
            state => ensure!(begun.elapsed() < TURN, "{WORKER} is still {state}"),
        }
        let since = &status["revision"];
        let wait = json!({"worker": WORKER, "wait_seconds": 10, "since_revision": since});
        client.call("codex_worker_wait", wait).await?;
    }
}

/// Why a turn ended, as far as the status says.
fn reason(status: &Value) -> &str {
    let turn = &status["turn"]["error_message"];
    turn.as_str().or(status["status_line"].as_str()).unwrap_or("it does not say why")
}

/// Tells what the journal has beyond `cursor`; returns where to go on.
async fn tell_news(
    client: &mut Client,
    screen: &Screen<'_>,
    mut cursor: Value,
) -> anyhow::Result<Value> {
    loop {
        let page = inspect(client, json!({"view": "log", "cursor": cursor})).await?;
        let events = page["events"].as_array().context("the journal has no events")?;
        for line in events.iter().filter_map(line_of) {
            screen.tell(&line);
        }
        cursor = page["next_cursor"].clone();
        if page["more"] != true {
            return Ok(cursor);
        }
    }
}

/// What a journal event says to people; none for what is not worth a line.
fn line_of(event: &Value) -> Option<String> {
    if event["phase"] != "completed" {
        return None;
    }
    let item = &event["payload"];
    let text = |key: &str| item[key].as_str().unwrap_or_default();
    match event["kind"].as_str()? {
        "agentMessage" => Some(format!("{WORKER}: {}", text("text"))),
        "commandExecution" => Some(format!("$ {}", text("command"))),
        "fileChange" => {
            let changes = item["changes"].as_array()?;
            let names = changes.iter().filter_map(|c| c["path"].as_str()?.rsplit('/').next());
            Some(format!("patch: {}", names.collect::<Vec<_>>().join(", ")))
        }
        _ => None,
    }
}

/// The report is there, and exactly the expected files have changed; shows the diff.
pub(super) async fn look(
    client: &mut Client,
    screen: &Screen<'_>,
    live: bool,
) -> anyhow::Result<()> {
    let report = inspect(client, json!({"view": "report"})).await?;
    ensure!(report["report"].as_str().is_some_and(|r| !r.is_empty()), "there is no report");
    let changes = inspect(client, json!({"view": "changes"})).await?;
    let files = changes["changed_files"].as_array().context("no changed files")?;
    let mut paths: Vec<&str> = files.iter().filter_map(|f| f["path"].as_str()).collect();
    paths.sort_unstable();
    let expected = story::changed(live);
    ensure!(paths == expected, "{WORKER} changed {paths:?}, expected were {expected:?}");
    for path in paths {
        let view = inspect(client, json!({"view": "diff", "file_path": path})).await?;
        let diff = view["diff"].as_str().unwrap_or_default();
        ensure!(!diff.is_empty(), "there is no diff of {path}");
        screen.tell(diff);
    }
    Ok(())
}

async fn inspect(client: &mut Client, mut arguments: Value) -> anyhow::Result<Value> {
    arguments["worker"] = json!(WORKER);
    client.call("codex_worker_inspect", arguments).await
}

/// What an apply would do; returns the token that binds it.
pub(super) async fn preview(client: &mut Client, screen: &Screen<'_>) -> anyhow::Result<String> {
    let preview = inspect(client, json!({"view": "integration_preview"})).await?;
    ensure!(preview["can_apply"] == true, "it cannot be applied: {}", preview["reason"]);
    screen.tell("it can be applied");
    Ok(preview["preview_token"].as_str().context("the preview has no token")?.to_owned())
}

/// Applies what was previewed.
pub(super) async fn integrate(
    client: &mut Client,
    stage: &Stage,
    token: &str,
    broken: Option<Break>,
) -> anyhow::Result<()> {
    if broken == Some(Break::Base) {
        std::fs::write(stage.repo.root.join("names.txt"), "somebody was faster\n")?;
    }
    let arguments = json!({"worker": WORKER, "preview_token": token});
    let applied = client.call("codex_worker_integrate", arguments).await?;
    ensure!(applied["applied"] == true, "it was not applied: {}", applied["reason"]);
    Ok(())
}

/// Dismisses the worker; its worktree goes.
pub(super) async fn dismiss(client: &mut Client) -> anyhow::Result<()> {
    let arguments = json!({"worker": WORKER, "cleanup_workspace": true});
    client.call("codex_worker_stop", arguments).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_become_lines() {
        let said = json!({"phase": "completed", "kind": "agentMessage", "payload": {"text": "hi"}});
        assert_eq!(line_of(&said).unwrap(), "Ada: hi");
        let ran =
            json!({"phase": "completed", "kind": "commandExecution", "payload": {"command": "ls"}});
        assert_eq!(line_of(&ran).unwrap(), "$ ls");
        let begun = json!({"phase": "started", "kind": "agentMessage", "payload": {"text": "h"}});
        assert_eq!(line_of(&begun), None);
    }
}
