use super::checks::Checks;
use super::run::{Piece, Set};
use crate::stage::{Client, Door, Files, Ready, Server, http, nothing_left};
use anyhow::{Context, ensure};
use serde_json::{Map, Value, json};
use std::time::{Duration, Instant};

/// So many clients for so long, half of each era.
pub(super) struct Load {
    pub(super) clients: u32,
    pub(super) seconds: u64,
}

/// The base of a load.
pub(super) fn files() -> Files {
    Files::from([("README.md".to_owned(), (false, "# Load\n".to_owned()))])
}

impl Piece for Load {
    async fn play(&self, set: &Set<'_>, checks: &mut Checks<'_>, facts: &mut Map<String, Value>) {
        let started = Server::start(set.program, set.stage).await;
        let Some(server) = checks.note("the server starts", started) else { return };
        let until = Instant::now() + Duration::from_secs(self.seconds);
        let both = async {
            tokio::join!(
                self.era(Door::Modern, self.clients.div_ceil(2), &server.ready, until),
                self.era(Door::Legacy, self.clients / 2, &server.ready, until),
            )
        };
        let (modern, legacy) = tokio::select! {
            both = both => both,
            _ = tokio::signal::ctrl_c() => (interrupted(), interrupted()),
        };
        for (era, result) in [("stateless", modern), ("session", legacy)] {
            let name = format!("clients of the {era} era meet no error");
            let Some(times) = checks.note(&name, result) else { continue };
            facts.insert(era.to_owned(), numbers(times, self.seconds));
        }
        if let Some(held) = crate::process::holding(server.pid()) {
            facts.insert("server_rss_kib".to_owned(), json!(held.resident_kib));
        }
        let stopped = server.stop(set.program, set.stage).await;
        checks.note("the server stops", stopped);
        let left = nothing_left(set.stage).await;
        checks.note("no process, lock or worktree is left", left);
    }
}

type Times = Vec<Duration>;

fn interrupted() -> anyhow::Result<Times> {
    Err(anyhow::anyhow!("interrupted"))
}

impl Load {
    /// All clients of one era, each in a task of its own; the time of each call.
    async fn era(
        &self,
        door: Door,
        count: u32,
        server: &Ready,
        until: Instant,
    ) -> anyhow::Result<Times> {
        let mut tasks = tokio::task::JoinSet::new();
        for number in 0..count {
            tasks.spawn(visit(door, number, server.clone(), until));
        }
        let mut times = Vec::new();
        while let Some(done) = tasks.join_next().await {
            times.extend(done??);
        }
        ensure!(count == 0 || !times.is_empty(), "nobody called");
        Ok(times)
    }
}

/// One client: connects, then lists, asks and reads in turn until its time is over.
async fn visit(door: Door, number: u32, server: Ready, until: Instant) -> anyhow::Result<Times> {
    let mut client = Client::bare(door, &server, http()?).await.context("connecting")?;
    let mut times = Vec::new();
    let mut round = number;
    while Instant::now() < until {
        let begun = Instant::now();
        match round % 4 {
            0 => {
                let tools = client.tools().await?;
                ensure!(tools.len() > 5, "a list of {} tools", tools.len());
            }
            1 => {
                let team = client.call("codex_worker_status", json!({"scope": "all"})).await?;
                ensure!(team["count"] == 0, "workers out of nowhere: {team}");
            }
            2 => {
                let page =
                    client.call("codex_read_file", json!({"file_path": "README.md"})).await?;
                ensure!(page["text"].as_str().is_some_and(|t| t.contains("# Load")), "{page}");
            }
            _ => {
                let test = client.call("codex_self_test", json!({})).await?;
                ensure!(test["checks"].is_array() || test["ready"].is_boolean(), "{test}");
            }
        }
        times.push(begun.elapsed());
        round += 1;
    }
    client.close().await.context("leaving")?;
    Ok(times)
}

fn numbers(mut times: Times, seconds: u64) -> Value {
    times.sort_unstable();
    let at = |part: f64| {
        let place = (times.len() as f64 * part) as usize;
        let time = times.get(place.min(times.len().saturating_sub(1)));
        time.map(|time| (time.as_secs_f64() * 10_000.0).round() / 10.0)
    };
    json!({
        "calls": times.len(),
        "calls_per_second": times.len() as u64 / seconds.max(1),
        "p50_ms": at(0.5),
        "p99_ms": at(0.99),
        "longest_ms": at(1.0),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_those_of_the_sorted_times() {
        let times = (1..=100).rev().map(Duration::from_millis).collect();
        let told = numbers(times, 10);
        assert_eq!(
            (told["calls"].clone(), told["calls_per_second"].clone()),
            (json!(100), json!(10))
        );
        assert_eq!(
            (told["p50_ms"].clone(), told["longest_ms"].clone()),
            (json!(51.0), json!(100.0))
        );
    }
}
