use super::SidecarArgs;
use super::guard::{self, Orphans, Sole};
use super::idle::Idle;
use super::serve::{Desk, End, serve};
use crate::codex::control::{self, Answer, Facts};
use crate::codex::socket;
use crate::codex::{CodexError, activity};
use crate::paths::{Env, StateDir};
use crate::process::{Identity, Io, Ladder, Spawn, zombie_children};
use std::ffi::OsString;
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::net::UnixListener;
use tokio::process::Child;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

/// The hidden command `sidecar`: runs until codex has ended. `env` is what codex gets.
/// Exit code 2 for arguments of another form, 1 for a failure; a second sidecar of a state directory ends
/// at once with 0.
pub async fn main(args: Vec<OsString>, env: Env) -> ExitCode {
    let Some(args) = SidecarArgs::from_args(&args) else { return ExitCode::from(2) };
    match run(&args, &env).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(%error, "the sidecar failed");
            ExitCode::FAILURE
        }
    }
}

async fn run(args: &SidecarArgs, env: &Env) -> Result<(), CodexError> {
    own_session();
    let sidecar = |e: &dyn std::fmt::Display| CodexError::Sidecar(e.to_string());
    let state = StateDir::open(&args.state).map_err(|e| sidecar(&e))?;
    let Some(_sole) = Sole::wait(&state).await.map_err(|e| sidecar(&e))? else { return Ok(()) };
    guard::sweep(&state).await;
    let listener = bind(&state).map_err(|e| sidecar(&e))?;
    let (known, answer) = watch::channel(None);
    let (ends, wishes) = mpsc::channel(4);
    let connected = Arc::new(AtomicUsize::new(0));
    tokio::spawn(serve(listener, Desk { answer, ends, connected: Arc::clone(&connected) }));
    let watchers = Watchers {
        children: signal(SignalKind::child()).map_err(|e| sidecar(&e))?,
        terminate: signal(SignalKind::terminate()).map_err(|e| sidecar(&e))?,
        wishes,
    };
    match start(args, env, &state).await {
        Ok((child, facts)) => {
            record(&state, &facts);
            known.send_replace(Some(Answer::Up(facts.clone())));
            let idle = Idle::new(Duration::from_secs(args.idle_seconds), Instant::now());
            supervise(&state, child, &facts, idle, watchers, &connected, &known).await;
        }
        Err(detail) => {
            known.send_replace(Some(Answer::Failed { detail }));
            let asked = tell(&connected, watchers.wishes).await;
            guard::end_rest(&state).await;
            guard::forget(&state);
            answer_wish(asked).await;
        }
    }
    Ok(())
}

/// A session of our own, so that nothing aimed at the server's terminal or group reaches us; and the
/// place where orphans below us go. Where the system knows no subreaper they go to init.
fn own_session() {
    let _ = rustix::process::setsid();
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::set_child_subreaper(Some(rustix::process::getpid())) {
        tracing::warn!(%error, "orphans of codex will not come to the sidecar");
    }
}

fn bind(state: &StateDir) -> std::io::Result<UnixListener> {
    let path = control::own_socket(state);
    let _ = std::fs::remove_file(&path);
    let listener = UnixListener::bind(&path)?;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

fn record(state: &StateDir, facts: &Facts) {
    let written = serde_json::to_vec(facts).map_err(|e| e.to_string()).and_then(|json| {
        state.write_private(&control::record(state), &json).map_err(|e| e.to_string())
    });
    if let Err(error) = written {
        tracing::warn!(error, "the sidecar could not record itself");
    }
}

/// Starts codex and waits until it accepts connections. The error is the end of what it said.
async fn start(args: &SidecarArgs, env: &Env, state: &StateDir) -> Result<(Child, Facts), String> {
    let log = control::codex_log(state);
    let from = trimmed(&log);
    let path = control::codex_socket(state);
    let mut listen = OsString::from("unix://");
    listen.push(&path);
    let mut child = Spawn::new(&args.bin)
        .args(["app-server", "--strict-config", "--listen"])
        .arg(listen)
        .envs(env.iter())
        .dir(state.root())
        .stdout(Io::Append(log.clone()))
        .stderr(Io::Append(log.clone()))
        .start()
        .map_err(|e| e.to_string())?;
    let pid = child.id().and_then(|id| i32::try_from(id).ok()).unwrap_or_default();
    let deadline = Instant::now() + Duration::from_secs(30);
    while socket::connect(&path).await.is_err() {
        if let Ok(Some(status)) = child.try_wait() {
            return Err(format!("{status}: {}", said(&log, from)));
        }
        if Instant::now() > deadline {
            let _ = child.kill().await;
            return Err(format!("no socket after 30 s: {}", said(&log, from)));
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let (Some(codex), Some(sidecar)) = (Identity::of(pid), Identity::own()) else {
        return Err("codex ended at once".to_owned());
    };
    let facts = Facts {
        sidecar,
        codex,
        version: args.version.clone(),
        bin: args.bin.clone(),
        config: args.config.clone(),
        socket: socket::target(&path),
    };
    Ok((child, facts))
}

/// Empties a log over 4 MiB; gives its length.
fn trimmed(log: &Path) -> u64 {
    let length = std::fs::metadata(log).map_or(0, |meta| meta.len());
    if length > 4 << 20 && std::fs::File::create(log).is_ok() { 0 } else { length }
}

/// The last words since `from`: from codex's `Error:` on, else the last lines, at most 2 kB.
fn said(log: &Path, from: u64) -> String {
    let mut text = Vec::new();
    if let Ok(mut file) = std::fs::File::open(log)
        && file.seek(SeekFrom::Start(from)).is_ok()
    {
        let _ = file.take(64 << 10).read_to_end(&mut text);
    }
    let text = String::from_utf8_lossy(&text);
    let start = text.find("Error:").unwrap_or_else(|| text.len().saturating_sub(1000));
    let start = (start..text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(text.len());
    text[start..].trim().chars().take(2000).collect()
}

/// Gives servers 10 s to ask why codex failed; ends at once when one wishes so.
async fn tell(connected: &AtomicUsize, mut wishes: mpsc::Receiver<End>) -> Option<End> {
    let mut tick = tokio::time::interval(Duration::from_millis(250));
    for round in 0..40 {
        tokio::select! {
            wish = wishes.recv() => return wish,
            _ = tick.tick() => {}
        }
        if round > 1 && connected.load(Ordering::SeqCst) == 0 {
            break;
        }
    }
    None
}

async fn answer_wish(asked: Option<End>) {
    if let Some(done) = asked {
        let _ = done.send(());
        // The answer leaves before the process does.
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

struct Watchers {
    children: Signal,
    terminate: Signal,
    wishes: mpsc::Receiver<End>,
}

/// Keeps codex until it ends, is asked to end, or has been alone for long enough.
async fn supervise(
    state: &StateDir,
    mut child: Child,
    facts: &Facts,
    mut idle: Idle,
    mut watchers: Watchers,
    connected: &AtomicUsize,
    known: &watch::Sender<Option<Answer>>,
) {
    let codex = &facts.codex;
    let mut tick = tokio::time::interval(Duration::from_secs(1));
    let mut asked = None;
    let mut orphans = Orphans::default();
    loop {
        tokio::select! {
            status = child.wait() => {
                tracing::warn!(?status, "codex ended by itself");
                break;
            }
            wish = watchers.wishes.recv() => {
                asked = wish;
                break;
            }
            _ = watchers.terminate.recv() => break,
            _ = watchers.children.recv() => reap(codex.pid),
            _ = tick.tick() => {
                orphans.look(codex.pid, Instant::now());
                if connected.load(Ordering::SeqCst) > 0 {
                    idle.served(Instant::now());
                } else if idle.due(Instant::now()) {
                    let activity = activity::look(state, facts).await;
                    if idle.judge(activity, Instant::now()) {
                        break;
                    }
                }
            }
        }
    }
    known.send_replace(Some(Answer::Ended));
    Ladder::default().end(codex).await;
    let _ = child.wait().await;
    guard::end_rest(state).await;
    reap(codex.pid);
    guard::forget(state);
    answer_wish(asked).await;
}

/// Reaps orphans that came to us. Codex itself belongs to its own handle.
fn reap(codex: i32) {
    use rustix::process::{Pid, WaitOptions, getpid, waitpid};
    for pid in zombie_children(getpid().as_raw_nonzero().get()) {
        if pid != codex {
            let _ = waitpid(Pid::from_raw(pid), WaitOptions::NOHANG);
        }
    }
}
