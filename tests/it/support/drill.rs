use super::Bed;
use patchbay::process::Identity;
use rustix::process::Signal;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// Who is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Victim {
    Server,
    Sidecar,
    Codex,
    All,
}

impl Victim {
    /// Whether the server is among the dead.
    pub fn has_server(self) -> bool {
        matches!(self, Self::Server | Self::All)
    }
}

impl Bed {
    fn point(&self, name: &str, what: &str) -> PathBuf {
        self.dir.join("points").join(format!("{name}.{what}"))
    }

    /// The program will stop at this point.
    pub fn hold(&self, point: &str) {
        let _ = std::fs::remove_file(self.point(point, "reached"));
        std::fs::write(self.point(point, "hold"), "").unwrap();
    }

    /// The program may go on.
    pub fn release(&self, point: &str) {
        std::fs::remove_file(self.point(point, "hold")).unwrap();
    }

    /// Waits, by looking, until the program stands at this point.
    pub async fn reached(&self, point: &str) {
        self.sees(&format!("point {point}"), || self.point(point, "reached").exists()).await;
    }

    /// Waits, by looking, until something is so.
    pub async fn sees(&self, what: &str, so: impl Fn() -> bool) {
        let end = Instant::now() + Duration::from_secs(60);
        while !so() {
            assert!(Instant::now() < end, "never seen: {what}\n{}", self.server_log());
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    /// Kills with SIGKILL and waits until the victims are gone; a server is not started again.
    pub async fn kill(&mut self, victim: Victim) {
        let (sidecar, codex) = (self.recorded("sidecar"), self.recorded("codex"));
        if victim.has_server() {
            self.kill_server();
        }
        let mut targets = Vec::new();
        if matches!(victim, Victim::Sidecar | Victim::All) {
            targets.push(sidecar.expect("a sidecar to kill"));
        }
        if matches!(victim, Victim::Codex | Victim::All) {
            targets.push(codex.expect("a codex to kill"));
        }
        for target in &targets {
            target.signal(Signal::KILL).unwrap();
        }
        for target in &targets {
            assert!(target.ended_within(Duration::from_secs(10)).await, "{target:?} lives");
        }
    }

    /// A process of the sidecar's record, while it lives.
    pub fn recorded(&self, who: &str) -> Option<Identity> {
        let json = std::fs::read(self.state.join("run/sidecar.json")).ok()?;
        let json: serde_json::Value = serde_json::from_slice(&json).unwrap();
        let identity: Identity = serde_json::from_value(json[who].clone()).unwrap();
        identity.alive().then_some(identity)
    }
}
