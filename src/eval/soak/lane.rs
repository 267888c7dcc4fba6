use crate::stage::{Client, Door, Ready, script};
use anyhow::{Context, ensure};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicU32, Ordering};

/// Turns of one worker before the next takes its place: conversations must not grow without end.
const TURNS: u32 = 20;

/// One chat that has one worker after the other and gives each its turns.
pub(super) struct Lane<'a> {
    client: Client,
    number: usize,
    /// Turns that nobody has taken yet, of all lanes.
    left: &'a AtomicU32,
    /// Turns that are done, of all lanes.
    done: &'a AtomicU32,
}

impl<'a> Lane<'a> {
    /// Connects.
    pub(super) async fn new(
        number: usize,
        server: &Ready,
        left: &'a AtomicU32,
        done: &'a AtomicU32,
    ) -> anyhow::Result<Self> {
        let door = if number.is_multiple_of(2) { Door::Modern } else { Door::Legacy };
        let client = Client::bare(door, server, crate::stage::http()?).await?;
        Ok(Self { client, number, left, done })
    }

    /// Plays turns until none is left.
    pub(super) async fn run(mut self) -> anyhow::Result<()> {
        let mut worker = 0;
        while self.team(worker).await? {
            worker += 1;
        }
        self.client.close().await
    }

    /// The life of one worker; false when no turn is left.
    async fn team(&mut self, worker: u32) -> anyhow::Result<bool> {
        let name = format!("lane{}-{worker}", self.number);
        let mut goes_on = true;
        for turn in 0..TURNS {
            goes_on = self.take();
            if !goes_on {
                if turn == 0 {
                    return Ok(false);
                }
                break;
            }
            self.turn(&name, turn).await.with_context(|| format!("turn {turn} of {name}"))?;
            self.done.fetch_add(1, Ordering::SeqCst);
            if turn % 10 == 9 {
                self.integrate(&name).await.with_context(|| format!("{name} integrated"))?;
            }
        }
        let stop = json!({"worker": name, "cleanup_workspace": true,
                          "discard_unintegrated_changes": true});
        self.client.call("codex_worker_stop", stop).await?;
        Ok(goes_on)
    }

    fn take(&self) -> bool {
        let one_less = |left: u32| left.checked_sub(1);
        self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_less).is_ok()
    }

    async fn turn(&mut self, name: &str, turn: u32) -> anyhow::Result<()> {
        let lane = self.number;
        let write = format!("echo {name} {turn} > lane{lane}.txt");
        let steps = json!([{"sh": write}, {"say": format!("{name} {turn} is done.")}]);
        let text = script("Write it down.", &steps);
        let (tool, args) = match turn {
            0 => {
                let brief = json!({"name": name, "brief": text, "model": "gpt-5.5"});
                ("codex_worker_start", brief)
            }
            _ => ("codex_worker_message", json!({"worker": name, "message": text})),
        };
        self.client.call(tool, args).await?;
        let report = json!({"worker": name, "view": "report", "wait_seconds": 45});
        let seen = self.client.call("codex_worker_inspect", report).await?;
        ensure!(seen["state"] == "idle", "{name} is {}: {}", seen["state"], seen["turn"]);
        let said = format!("{name} {turn} is done.");
        ensure!(seen["report"] == said.as_str(), "the report says {}", seen["report"]);
        Ok(())
    }

    async fn integrate(&mut self, name: &str) -> anyhow::Result<()> {
        let leave = json!(["*"]);
        let look = json!({"worker": name, "view": "integration_preview",
                          "accepted_dirty_base": leave});
        let preview: Value = self.client.call("codex_worker_inspect", look).await?;
        let apply = json!({"worker": name, "preview_token": preview["preview_token"],
                           "accepted_dirty_base": leave});
        // Another lane may hold the lock for the moment of its own apply.
        for _ in 0..100 {
            let answer = self.client.try_call("codex_worker_integrate", apply.clone()).await?;
            if answer.code() != "repo_busy" {
                answer.ok()?;
                return Ok(());
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        anyhow::bail!("the repository stays busy")
    }
}
