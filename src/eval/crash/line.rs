use crate::stage::{Answer, Client, Door, Ready};
use anyhow::{Context, bail};
use serde_json::Value;
use std::time::Duration;
use tokio::sync::watch;

/// How long a call may be tried again.
const PATIENCE: Duration = Duration::from_secs(90);

/// A way to whatever server there is at the moment.
#[derive(Debug, Clone)]
pub(super) struct Line {
    address: watch::Receiver<Option<Ready>>,
    http: reqwest::Client,
}

impl Line {
    /// Follows the server to its addresses.
    pub(super) fn new(address: watch::Receiver<Option<Ready>>, http: reqwest::Client) -> Self {
        Self { address, http }
    }

    /// Calls once. None: the answer is lost, and with it whether anything was done.
    pub(super) async fn once(&mut self, tool: &str, args: Value) -> anyhow::Result<Option<Answer>> {
        // The guard of the channel must not live over a call: whoever tells the next address waits.
        let there = async { self.address.wait_for(Option::is_some).await.map(|seen| seen.clone()) };
        let there = tokio::time::timeout(PATIENCE, there).await.context("no server for long")??;
        let Some(ready) = there else { bail!("no server") };
        let Ok(mut client) = Client::bare(Door::Modern, &ready, self.http.clone()).await else {
            return Ok(None);
        };
        Ok(client.try_call(tool, args).await.ok())
    }

    /// Calls until an answer comes. Only for what may be asked twice.
    pub(super) async fn sure(&mut self, tool: &str, args: &Value) -> anyhow::Result<Answer> {
        let tries = async {
            loop {
                if let Some(answer) = self.once(tool, args.clone()).await? {
                    return anyhow::Ok(answer);
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::time::timeout(PATIENCE, tries).await.with_context(|| format!("{tool}: no answer"))?
    }
}
