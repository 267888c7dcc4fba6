use crate::eval::random::Random;
use crate::process::{Identity, command_line};
use crate::stage::{Stage, running};
use rustix::process::Signal;
use std::time::Duration;

/// Who is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Victim {
    Server,
    Sidecar,
    Codex,
    All,
}

impl Victim {
    /// Most often the server.
    pub(super) fn choose(random: &mut Random) -> Self {
        match random.between(0, 100) {
            0..55 => Self::Server,
            55..70 => Self::Sidecar,
            70..85 => Self::Codex,
            _ => Self::All,
        }
    }

    /// Whether the server is among them.
    pub(super) fn takes_server(self) -> bool {
        matches!(self, Self::Server | Self::All)
    }

    /// Whether turns lose the codex they run in.
    pub(super) fn takes_codex(self) -> bool {
        self != Self::Server
    }

    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Server => "server",
            Self::Sidecar => "sidecar",
            Self::Codex => "codex",
            Self::All => "all",
        }
    }

    /// Kills those of them that are not the server, and waits until they are gone.
    pub(super) async fn strike(self, stage: &Stage) {
        let mut struck = Vec::new();
        for (role, process) in helpers(stage) {
            let meant = match self {
                Self::Server => false,
                Self::Sidecar => role == Role::Sidecar,
                Self::Codex => role == Role::Codex,
                Self::All => true,
            };
            if meant && process.signal(Signal::KILL).unwrap_or(false) {
                struck.push(process);
            }
        }
        for process in struck {
            process.ended_within(Duration::from_secs(5)).await;
        }
    }
}

/// What a process of the stage is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::eval) enum Role {
    Sidecar,
    Codex,
}

/// The sidecar and the codex of a stage, as the process table shows them.
pub(in crate::eval) fn helpers(stage: &Stage) -> Vec<(Role, Identity)> {
    let role = |pid: &i32| {
        let words = command_line(*pid);
        let second = words.get(1).map(String::as_str);
        match second {
            Some("sidecar") => Some(Role::Sidecar),
            Some("app-server") => Some(Role::Codex),
            _ => None,
        }
    };
    let found = running(stage).into_iter();
    found.filter_map(|pid| Some((role(&pid)?, Identity::of(pid)?))).collect()
}
