use super::actor::Actor;
use super::judge::Evidence;
use super::line::Line;
use super::message::Name;
use super::rollouts::{Rollouts, files};
use super::victim::Victim;
use crate::eval::Break;
use crate::eval::ground::Ground;
use crate::eval::random::Random;
use crate::eval::run::Set;
use crate::stage::{Server, nothing_left};
use anyhow::{Context, bail, ensure};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// How many workers a round has.
pub(super) const SEATS: usize = 4;

/// How long the team may take to rest after the last kill.
const REST: Duration = Duration::from_secs(120);

/// What happened in a round; numbers for the report.
#[derive(Debug, Default, Clone)]
pub(super) struct Tally {
    pub(super) kills: Vec<(u64, Victim)>,
    pub(super) messages: usize,
    pub(super) lost_answers: usize,
    pub(super) deliveries: usize,
    pub(super) deliveries_again: usize,
    pub(super) interrupted: usize,
    pub(super) applied: u32,
    /// How long its parts took, in milliseconds.
    pub(super) parts: Vec<(&'static str, u128)>,
}

/// One round: the server starts, four workers work while processes are killed, everything comes to rest,
/// is integrated, judged, dismissed and stopped.
pub(super) struct Round<'a> {
    pub(super) set: &'a Set<'a>,
    pub(super) number: u32,
    pub(super) random: Random,
    pub(super) tally: Tally,
}

impl Round<'_> {
    /// Plays and judges it.
    pub(super) async fn play(&mut self) -> anyhow::Result<()> {
        let Set { stage, program, .. } = *self.set;
        let mut clock = Instant::now();
        let mut took = |tally: &mut Tally, part| {
            tally
                .parts
                .push((part, std::mem::replace(&mut clock, Instant::now()).elapsed().as_millis()));
        };
        let old = files(&stage.state.codex_home());
        let before = Ground::of(stage)?;
        let server = Server::start(program, stage).await?;
        let (address, follow) = watch::channel(Some(server.ready.clone()));
        let line = Line::new(follow, crate::stage::http()?);
        let mut actors: Vec<Actor> = (0..SEATS).map(|seat| self.actor(seat, &line)).collect();
        let over = CancellationToken::new();
        let chats = futures_util::future::join_all(actors.iter_mut().map(|a| a.act(&over)));
        let kills = async {
            let server = self.kill(server, &address).await;
            over.cancel();
            server
        };
        let (chats, server) = tokio::join!(chats, kills);
        let server = server.context("after a kill")?;
        chats.into_iter().collect::<anyhow::Result<Vec<()>>>().context("a chat")?;
        took(&mut self.tally, "kills");
        let workers = self.rest(&line).await?;
        took(&mut self.tally, "rest");
        for actor in &mut actors {
            actor.integrate().await?;
        }
        took(&mut self.tally, "integrate");
        if self.set.broken == Some(Break::Base) {
            std::fs::write(stage.repo.root.join("intruder.txt"), "surprise\n")?;
        }
        let evidence = Evidence {
            stage,
            before,
            workers,
            said: actors.iter().flat_map(|actor| actor.said.clone()).collect(),
            rollouts: Rollouts::read(&stage.state.codex_home(), &old)?,
            asked: stage.model.requests(),
            codex_killed: self.tally.kills.iter().filter(|(_, who)| who.takes_codex()).count(),
        };
        self.count(&evidence, &actors);
        evidence.judge().await?;
        took(&mut self.tally, "judge");
        self.dismiss(line).await?;
        took(&mut self.tally, "dismiss");
        server.stop(program, stage).await?;
        nothing_left(stage).await?;
        took(&mut self.tally, "stop");
        self.commit().await?;
        stage.model.forget();
        Ok(())
    }

    fn actor(&mut self, seat: usize, line: &Line) -> Actor {
        let name = Name { round: self.number, seat };
        let (line, random) = (line.clone(), self.random.fork());
        Actor { name, line, random, said: Vec::new(), applied: 0 }
    }

    /// Kills once or twice at random moments. A killed server starts again after a moment.
    async fn kill(
        &mut self,
        mut server: Server,
        address: &watch::Sender<Option<crate::stage::Ready>>,
    ) -> anyhow::Result<Server> {
        let Set { stage, program, .. } = *self.set;
        let begun = Instant::now();
        for _ in 0..self.random.between(1, 3) {
            let pause = self.random.between(100, 3_500);
            tokio::time::sleep(Duration::from_millis(pause)).await;
            let victim = Victim::choose(&mut self.random);
            let at = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
            self.tally.kills.push((at, victim));
            if victim.takes_server() {
                address.send_replace(None);
                server.kill().await?;
                victim.strike(stage).await;
                let pause = self.random.between(0, 300);
                tokio::time::sleep(Duration::from_millis(pause)).await;
                server = Server::start(program, stage).await?;
                address.send_replace(Some(server.ready.clone()));
            } else {
                victim.strike(stage).await;
            }
        }
        let pause = self.random.between(0, 1_000);
        tokio::time::sleep(Duration::from_millis(pause)).await;
        Ok(server)
    }

    /// Waits until nobody works and nothing waits; gives the ids of this round's workers.
    async fn rest(&mut self, line: &Line) -> anyhow::Result<BTreeMap<Name, String>> {
        let begun = Instant::now();
        let mut line = line.clone();
        loop {
            let team = self.team(&mut line).await?;
            let rests = |worker: &Value| {
                let still = ["idle", "interrupted", "failed"];
                still.contains(&worker["state"].as_str().unwrap_or_default())
                    && worker["queued_messages"] == 0
            };
            if team.values().all(rests) {
                return self.rested(&team);
            }
            if begun.elapsed() > REST {
                let left: Vec<&Value> = team.values().filter(|w| !rests(w)).collect();
                bail!("the team does not come to rest: {left:?}");
            }
            let idle = json!({"wait_seconds": 5, "scope": "all", "until": "idle"});
            line.sure("codex_worker_wait", &idle).await?;
        }
    }

    /// Whoever failed, failed for no fault of a kill.
    fn rested(&mut self, team: &BTreeMap<Name, Value>) -> anyhow::Result<BTreeMap<Name, String>> {
        ensure!(team.len() == SEATS, "{} of {SEATS} workers are there", team.len());
        let mut ids = BTreeMap::new();
        for (name, worker) in team {
            let state = worker["state"].as_str().unwrap_or_default();
            ensure!(state != "failed", "{} has failed: {}", name.text(), worker["turn"]);
            self.tally.interrupted += usize::from(state == "interrupted");
            let id = worker["worker_id"].as_str().context("a worker without an id")?;
            ids.insert(name.clone(), id.to_owned());
        }
        Ok(ids)
    }

    async fn team(&self, line: &mut Line) -> anyhow::Result<BTreeMap<Name, Value>> {
        let all = json!({"scope": "all", "limit": 200});
        let team = line.sure("codex_worker_list", &all).await?.ok()?;
        let rows = team["workers"].as_array().cloned().unwrap_or_default();
        let mut found = BTreeMap::new();
        for seat in 0..SEATS {
            let name = Name { round: self.number, seat };
            if let Some(row) = rows.iter().find(|row| row["name"] == name.text().as_str()) {
                found.insert(name, row.clone());
            }
        }
        Ok(found)
    }

    async fn dismiss(&self, mut line: Line) -> anyhow::Result<()> {
        for seat in 0..SEATS {
            let name = Name { round: self.number, seat }.text();
            let stop = json!({"worker": name, "cleanup_workspace": true});
            let gone = line.sure("codex_worker_stop", &stop).await?.ok()?;
            ensure!(gone["workspace_cleaned"] == true, "{name} keeps its worktree");
        }
        Ok(())
    }

    /// The user takes over what was integrated.
    async fn commit(&self) -> anyhow::Result<()> {
        let repo = &self.set.stage.repo;
        repo.git.run(&repo.root, "add").arg("--all").ok().await?;
        let commit = repo.git.run(&repo.root, "commit").args(["--quiet", "--allow-empty"]);
        commit.args(["--message", &format!("Round {}", self.number)]).ok().await?;
        Ok(())
    }

    fn count(&mut self, evidence: &Evidence<'_>, actors: &[Actor]) {
        let tally = &mut self.tally;
        tally.messages = evidence.said.len();
        tally.lost_answers = evidence.said.iter().filter(|message| !message.certain).count();
        for message in &evidence.said {
            let taken = evidence.rollouts.of(message);
            tally.deliveries += taken.len();
            tally.deliveries_again += taken.iter().filter(|delivery| delivery.again).count();
        }
        tally.applied = actors.iter().map(|actor| actor.applied).sum();
    }
}
