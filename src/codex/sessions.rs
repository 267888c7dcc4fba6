use super::launch::{Launch, Plan};
use super::probe::probe;
use super::probed::{Probed, digest_of};
use super::session::Session;
use super::{BASELINE, CodexError, CodexProgram, locate};
use crate::backend::BackendError;
use crate::process::Identity;
use crate::store::{ProcessRow, Store};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::Mutex;

/// How often a draining app-server is asked whether it is quiet, when no turn of ours ends meanwhile.
const LOOK: Duration = Duration::from_secs(2);

/// Gives out the connection to the app-server, and replaces the app-server when another is to be used:
/// what runs goes on where it is, what begins waits until the old one is quiet and gone.
pub(super) struct Sessions {
    pub(super) launch: Launch,
    store: Store,
    located: Mutex<Option<Located>>,
    /// Held while a codex is probed: once is enough.
    probing: Mutex<()>,
    live: Mutex<Option<Arc<Session>>>,
    closed: AtomicBool,
    /// How many wait for another app-server.
    waiting: AtomicUsize,
}

/// The codex that was found, until its file changes.
#[derive(Clone)]
struct Located {
    codex: CodexProgram,
    stamp: Option<Stamp>,
    /// SHA-256 of an unknown one; none for the version that is tested.
    unknown: Option<String>,
}

/// What changes when a file is replaced: device, inode, size, time of change.
type Stamp = (u64, u64, u64, i64);

fn stamp(file: &Path) -> Option<Stamp> {
    let meta = std::fs::metadata(file).ok()?;
    Some((meta.dev(), meta.ino(), meta.size(), meta.ctime()))
}

/// What a look for the right app-server came to.
enum Found {
    Right(Arc<Session>),
    /// Turns still run on another one.
    Draining(Arc<Session>),
}

impl Sessions {
    pub(super) fn new(launch: Launch, store: Store) -> Self {
        Self {
            launch,
            store,
            located: Mutex::default(),
            probing: Mutex::default(),
            live: Mutex::default(),
            closed: AtomicBool::new(false),
            waiting: AtomicUsize::new(0),
        }
    }

    /// The codex that is to be used, unless it failed its probe. Nothing is started.
    ///
    /// # Errors
    /// As [`locate`], and `codex_probe_failed`.
    pub(super) async fn codex(&self) -> Result<CodexProgram, BackendError> {
        let located = self.located().await?;
        self.probed(&located).map_or(Ok(()), |probed| passed(&probed))?;
        Ok(located.codex)
    }

    /// The codex that is to be used; looked for again when its file has changed.
    async fn located(&self) -> Result<Located, BackendError> {
        let mut slot = self.located.lock().await;
        if let Some(located) = slot.as_ref()
            && located.stamp.is_some()
            && located.stamp == stamp(&located.codex.binary)
        {
            return Ok(located.clone());
        }
        let Launch { env, config, state, .. } = &self.launch;
        let codex = locate(config, state, env).await?;
        let stamp = stamp(&codex.binary);
        let unknown = if codex.version == BASELINE {
            None
        } else {
            let binary = codex.binary.clone();
            let hashed = tokio::task::spawn_blocking(move || digest_of(&binary)).await;
            Some(
                hashed
                    .map_err(std::io::Error::other)
                    .flatten()
                    .map_err(|source| CodexError::Io { path: codex.binary.clone(), source })?,
            )
        };
        Ok(slot.insert(Located { codex, stamp, unknown }).clone())
    }

    fn probed(&self, located: &Located) -> Option<Probed> {
        let digest = located.unknown.as_deref()?;
        Probed::of(&self.launch.state, digest, self.launch.clock.now_ms())
    }

    /// What is to run. A codex that was never tried is probed first.
    async fn plan(&self) -> Result<Plan, BackendError> {
        let located = self.located().await?;
        if let Some(digest) = &located.unknown {
            let _one = self.probing.lock().await;
            let probed = match self.probed(&located) {
                Some(probed) => probed,
                None => self.probe(&located.codex, digest).await?,
            };
            passed(&probed)?;
        }
        Ok(self.launch.plan(located.codex))
    }

    async fn probe(&self, codex: &CodexProgram, digest: &str) -> Result<Probed, CodexError> {
        let outcome = probe(&self.launch, codex).await?;
        let probed = Probed {
            digest: digest.to_owned(),
            version: codex.version.clone(),
            by: env!("CARGO_PKG_VERSION").to_owned(),
            at_ms: self.launch.clock.now_ms(),
            failed: outcome.err().map(|(step, detail)| (step.to_owned(), detail)),
        };
        tracing::info!(version = probed.version, failed = ?probed.failed, "codex was probed");
        if let Err(error) = probed.keep(&self.launch.state) {
            tracing::warn!(%error, "what a probe found was not kept");
        }
        Ok(probed)
    }

    fn open(&self) -> Result<(), BackendError> {
        if self.closed.load(Ordering::SeqCst) {
            return Err(BackendError::Disconnected("the backend is closed".to_owned()));
        }
        Ok(())
    }

    /// The connection for what runs already: to the app-server that runs, whichever it is; else to a new
    /// one.
    ///
    /// # Errors
    /// When none runs and none can be started.
    pub(super) async fn any(&self) -> Result<Arc<Session>, BackendError> {
        self.open()?;
        let mut slot = self.live.lock().await;
        if let Some(session) = slot.as_ref().filter(|s| !s.client().closed()) {
            return Ok(Arc::clone(session));
        }
        *slot = None;
        // A codex that cannot be used is no reason to let go of turns that run on another one.
        let plan = self.plan().await;
        let live = match self.launch.running(plan.as_ref().ok()).await {
            Some(live) => live,
            None => self.launch.start(&plan?).await?,
        };
        Ok(self.keep(&mut slot, Session::new(live)).await)
    }

    async fn keep(&self, slot: &mut Option<Arc<Session>>, session: Session) -> Arc<Session> {
        let session = Arc::new(session);
        record(&self.store, &session).await;
        *slot = Some(Arc::clone(&session));
        session
    }

    /// The connection for what begins: to the app-server that is to be used. While turns run on another
    /// one this waits.
    ///
    /// # Errors
    /// `codex_downgrade` when an older codex than the running one is to be used; else as [`Self::any`].
    pub(super) async fn fresh(&self) -> Result<Arc<Session>, BackendError> {
        let mut told = false;
        loop {
            self.open()?;
            match self.look(&mut told).await? {
                Found::Right(session) => return Ok(session),
                Found::Draining(session) => {
                    let _counted = Counted::on(&self.waiting);
                    session.client().calmer(LOOK).await;
                }
            }
        }
    }

    /// Whether somebody waits for another app-server.
    pub(super) fn draining(&self) -> bool {
        self.waiting.load(Ordering::Relaxed) > 0
    }

    async fn look(&self, told: &mut bool) -> Result<Found, BackendError> {
        let session = self.any().await?;
        let plan = self.plan().await?;
        let misfit = session.live.misfit(&plan, &self.launch.state)?;
        let orphan = !session.live.facts.sidecar.alive();
        let Some(why) = misfit.or(orphan.then_some("its sidecar is gone")) else {
            return Ok(Found::Right(session));
        };
        if !std::mem::replace(told, true) {
            let version = &session.live.facts.version;
            tracing::info!(why, version, "codex is replaced when its turns are over");
        }
        let mut slot = self.live.lock().await;
        let current = slot.as_ref().is_some_and(|now| Arc::ptr_eq(now, &session));
        if !current || !session.retire().await {
            // A codex without a sidecar works as before; it is only replaced when nobody has to wait.
            let works = current && misfit.is_none();
            return Ok(if works { Found::Right(session) } else { Found::Draining(session) });
        }
        *slot = None;
        if !super::server::end_sidecar(&self.launch.state).await {
            return Err(CodexError::Sidecar("the old one did not end".to_owned()).into());
        }
        let live = self.launch.start(&plan).await?;
        tracing::info!(version = plan.codex.version, "codex was replaced");
        Ok(Found::Right(self.keep(&mut slot, Session::new(live)).await))
    }

    /// Ends the app-server that runs, so that the next one reads the login anew.
    pub(super) async fn renew(&self) {
        let mut slot = self.live.lock().await;
        if super::server::end_sidecar(&self.launch.state).await {
            self.forget_processes().await;
        }
        *slot = None;
    }

    /// Gives no connection out any more, and hands over the one there is.
    pub(super) async fn close(&self) -> Option<Arc<Session>> {
        self.closed.store(true, Ordering::SeqCst);
        self.live.lock().await.take()
    }

    /// Forgets the processes that were recorded; they have ended.
    pub(super) async fn forget_processes(&self) {
        for row in self.store.processes().await.unwrap_or_default() {
            let _ = self.store.forget_process(row.pid, row.start_time).await;
        }
    }
}

/// Counts one more while it lives.
struct Counted<'a>(&'a AtomicUsize);

impl<'a> Counted<'a> {
    fn on(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

fn passed(probed: &Probed) -> Result<(), BackendError> {
    let Some((step, detail)) = &probed.failed else { return Ok(()) };
    let version = probed.version.clone();
    Err(CodexError::Probe { version, step: step.clone(), detail: detail.clone() }.into())
}

/// Keeps the process table of the store true; a failure harms no turn.
async fn record(store: &Store, session: &Session) {
    let facts = &session.live.facts;
    let wide = |id: &Identity, role: &str| ProcessRow {
        pid: i64::from(id.pid),
        start_time: i64::try_from(id.start_time).unwrap_or(i64::MAX),
        session: i64::from(id.session),
        role: role.to_owned(),
    };
    let rows = [wide(&facts.sidecar, "sidecar"), wide(&facts.codex, "codex")];
    for old in store.processes().await.unwrap_or_default() {
        if !rows.contains(&old)
            && let Err(error) = store.forget_process(old.pid, old.start_time).await
        {
            tracing::warn!(%error, "a process row could not be removed");
        }
    }
    for row in rows {
        if let Err(error) = store.record_process(&row).await {
            tracing::warn!(%error, "a process could not be recorded");
        }
    }
}
