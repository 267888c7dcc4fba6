use super::line::Line;
use super::message::{Kind, Message, Name};
use crate::eval::random::Random;
use anyhow::{Context, bail, ensure};
use serde_json::{Value, json};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// A chat that has one worker, and goes on whatever happens to the server.
pub(super) struct Actor {
    pub(super) name: Name,
    pub(super) line: Line,
    pub(super) random: Random,
    /// What was said to the worker.
    pub(super) said: Vec<Message>,
    /// How often its work was applied.
    pub(super) applied: u32,
}

impl Actor {
    /// Starts the worker, then talks to it and integrates it until `over`.
    pub(super) async fn act(&mut self, over: &CancellationToken) -> anyhow::Result<()> {
        self.start().await?;
        for _ in 0..self.random.between(1, 4) {
            let pause = Duration::from_millis(self.random.between(0, 900));
            tokio::select! {
                () = over.cancelled() => return Ok(()),
                () = tokio::time::sleep(pause) => {}
            }
            match self.random.between(0, 100) {
                0..45 => self.say(Kind::Work).await?,
                45..65 => self.say(Kind::Word).await?,
                _ => tokio::select! {
                    () = over.cancelled() => return Ok(()),
                    rested = self.rested() => rested?,
                },
            }
            if over.is_cancelled() {
                return Ok(());
            }
        }
        Ok(())
    }

    /// A start may be repeated: the name says whether the lost answer was a yes.
    async fn start(&mut self) -> anyhow::Result<()> {
        let brief = Message::new(&self.name, 0, Kind::Work, true);
        let args = json!({"name": self.name.text(), "brief": brief.text(), "model": "gpt-5.5"});
        let mut lost = false;
        loop {
            match self.line.once("codex_worker_start", args.clone()).await? {
                None => lost = true,
                Some(answer) if lost && answer.code() == "name_taken" => break,
                Some(answer) => {
                    answer.ok().context("a worker was not started")?;
                    break;
                }
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        self.said.push(brief);
        Ok(())
    }

    /// A message is sent once: nobody knows of a lost answer whether it was taken.
    async fn say(&mut self, kind: Kind) -> anyhow::Result<()> {
        let mut message = Message::new(&self.name, self.said.len(), kind, false);
        let args = match kind {
            Kind::Work => {
                json!({"worker": self.name.text(), "message": message.text(), "delivery": "queue"})
            }
            Kind::Word => json!({"worker": self.name.text(), "message": message.text()}),
        };
        let answer = self.line.once("codex_worker_message", args).await?;
        message.certain = answer.is_some_and(|answer| !answer.error);
        self.said.push(message);
        Ok(())
    }

    /// Waits until the worker rests, then integrates it.
    async fn rested(&mut self) -> anyhow::Result<()> {
        let until = json!({"worker": self.name.text(), "view": "status", "wait_seconds": 5});
        self.line.sure("codex_worker_inspect", &until).await?.ok()?;
        self.integrate().await?;
        Ok(())
    }

    /// Applies what the worker has, if anything. Each apply has a key: repeating it is no second apply.
    pub(super) async fn integrate(&mut self) -> anyhow::Result<()> {
        let worker = self.name.text();
        let mut key = format!("{worker}-{}", self.applied);
        let leave = json!(["*"]);
        for _ in 0..20 {
            let look = json!({"worker": worker, "view": "integration_preview",
                              "accepted_dirty_base": leave});
            let preview = self.line.sure("codex_worker_inspect", &look).await?.ok()?;
            if preview["can_apply"] != true {
                return unapplied(&preview);
            }
            let apply = json!({"worker": worker, "preview_token": preview["preview_token"],
                               "accepted_dirty_base": leave, "idempotency_key": key});
            let answer = self.line.sure("codex_worker_integrate", &apply).await?;
            match answer.code() {
                "" => {
                    ensure!(
                        answer.data["applied"] == true,
                        "an apply that did not: {}",
                        answer.data
                    );
                    self.applied += 1;
                    key = format!("{worker}-{}", self.applied);
                    if answer.data["idempotent_replay"] != true {
                        return Ok(());
                    }
                    // That was an earlier apply, whose answer was lost; there may be more by now.
                }
                // Somebody else applied in between, or a turn began.
                "preview_stale" | "repo_busy" | "not_applicable" => {}
                _ => {
                    answer.ok()?;
                }
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        bail!("{worker} could not be integrated in 20 tries")
    }
}

/// There may be nothing to apply, or a turn in the way; a conflict there must not be.
fn unapplied(preview: &Value) -> anyhow::Result<()> {
    match preview["reason"].as_str().unwrap_or_default() {
        "no_changes" | "already_in_base" | "no_snapshot" | "turn_active" => Ok(()),
        reason => {
            bail!("{} cannot be applied: {reason}: {}", preview["name"], preview["conflicts"])
        }
    }
}
