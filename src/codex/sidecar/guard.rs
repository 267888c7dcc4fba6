use crate::codex::control;
use crate::codex::socket::remove_stale;
use crate::paths::StateDir;
use crate::process::{Identity, Process, descendants, end_all, marked, session_members};
use rustix::fs::{FlockOperation, flock};
use rustix::process::Signal;
use std::collections::HashMap;
use std::fs::File;
use std::time::Duration;
use tokio::net::UnixStream;
use tokio::time::Instant;

/// How long an orphan may take to end by itself.
const ORPHAN_AGE: Duration = Duration::from_secs(5);

/// How long a sidecar that has stopped listening may take to be gone.
const TAKEOVER: Duration = Duration::from_secs(15);

/// The right to be the sidecar of a state directory. Held until the process ends.
#[derive(Debug)]
pub(super) struct Sole {
    _lock: File,
}

impl Sole {
    /// Takes the right; `None` when another sidecar has it.
    pub(super) fn take(state: &StateDir) -> std::io::Result<Option<Self>> {
        let path = state.run().join("sidecar.lock");
        let file = File::options().create(true).truncate(false).write(true).open(path)?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Some(Self { _lock: file })),
            Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Takes the right from a sidecar that is on its way out; `None` when one is there to stay, which is
    /// one that listens.
    pub(super) async fn wait(state: &StateDir) -> std::io::Result<Option<Self>> {
        let deadline = Instant::now() + TAKEOVER;
        loop {
            if let Some(sole) = Self::take(state)? {
                return Ok(Some(sole));
            }
            // A killed one can be connected to until the last of its threads is gone.
            let dead = control::facts(state).is_some_and(|facts| !facts.sidecar.alive());
            let listens = !dead && UnixStream::connect(control::own_socket(state)).await.is_ok();
            if listens || Instant::now() > deadline {
                return Ok(None);
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

/// Ends what an earlier sidecar left when it was killed: its session, and whatever still carries the home
/// of codex or a worker's temporary directory in its environment. Sandbox helpers have sessions of their own.
pub(super) async fn sweep(state: &StateDir) -> usize {
    let mut found = strays(state);
    if let Some(facts) = control::facts(state) {
        // Codex goes first and at once: given time, it would tell the model that the command, which is
        // ended as well, had failed, and the turn would complete on that.
        if matches!(facts.codex.signal(Signal::KILL), Ok(true)) {
            facts.codex.ended_within(Duration::from_secs(2)).await;
        }
        // The session is ours to end only while its leader's pid was not given to somebody else.
        let leader = facts.sidecar;
        let reused = Identity::of(leader.pid).is_some_and(|now| now != leader);
        if !reused {
            found.extend(session_members(leader.session));
        }
    }
    let ended = end(found).await;
    forget(state);
    ended
}

/// Ends what a dead sidecar left; does nothing while one lives. One that was killed just now may still hold
/// its lock for a moment and is waited for. Returns how many processes were ended.
pub async fn sweep_dead(state: &StateDir) -> usize {
    match Sole::wait(state).await {
        Ok(Some(_sole)) => sweep(state).await,
        Ok(None) => 0,
        Err(error) => {
            tracing::warn!(%error, "leftovers of codex cannot be looked for");
            0
        }
    }
}

/// Helpers of codex's sandbox that lost their parent. Some hang for good (seen on 0.169.0: bwrap waits for
/// a child that never came); as nothing else comes to us, an orphan of some age is ended.
#[derive(Debug, Default)]
pub(super) struct Orphans(HashMap<i32, (Identity, Instant)>);

impl Orphans {
    /// Looks at the children of this process; `codex` is the one that belongs here.
    pub(super) fn look(&mut self, codex: i32, now: Instant) {
        let own = rustix::process::getpid().as_raw_nonzero().get();
        let orphans: Vec<Identity> = descendants(own)
            .into_iter()
            .filter(|p| p.parent == own && p.pid != codex)
            .map(Identity::from)
            .collect();
        self.0.retain(|_, (known, _)| orphans.contains(known));
        for orphan in orphans {
            let (_, since) = *self.0.entry(orphan.pid).or_insert((orphan, now));
            if now.duration_since(since) >= ORPHAN_AGE {
                let _ = orphan.signal(Signal::KILL);
            }
        }
    }
}

/// Ends everything below this process and everything that it can be told to have started.
pub(super) async fn end_rest(state: &StateDir) -> usize {
    let own = rustix::process::getpid().as_raw_nonzero().get();
    let mut found = strays(state);
    found.extend(descendants(own));
    if let Some(me) = Identity::own() {
        found.extend(
            session_members(me.session)
                .into_iter()
                .filter(|p| me.session == me.pid && p.pid != own),
        );
    }
    end(found).await
}

fn strays(state: &StateDir) -> Vec<Process> {
    let mut found = marked("CODEX_HOME", &state.codex_home());
    found.extend(marked("TMPDIR", &state.worktrees()));
    // Helpers have nothing but a PATH, which begins with a directory in codex's home.
    found.extend(marked("PATH", &state.codex_home()));
    found
}

async fn end(found: Vec<Process>) -> usize {
    let own = rustix::process::getpid().as_raw_nonzero().get();
    let mut targets: Vec<Identity> =
        found.into_iter().filter(|p| p.pid != own).map(Identity::from).collect();
    targets.sort_by_key(|t| t.pid);
    targets.dedup();
    end_all(&targets, Duration::from_secs(1)).await
}

/// Removes the record and the sockets.
pub(super) fn forget(state: &StateDir) {
    remove_stale(&control::codex_socket(state));
    let _ = std::fs::remove_file(control::own_socket(state));
    let _ = std::fs::remove_file(control::record(state));
}
