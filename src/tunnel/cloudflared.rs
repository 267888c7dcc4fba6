use super::hear::Heard;
use super::{TunnelError, TunnelOptions, health};
use crate::paths::Env;
use crate::process::{Identity, Io, Ladder, Spawn};
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::process::Child;

/// Patience of the stop ladder: what goes through a tunnel is answered already when it ends.
const END: Ladder = Ladder { first: Duration::from_secs(3), second: Duration::from_secs(1) };

/// Finds cloudflared: the one that is named, else the first on `PATH`.
///
/// # Errors
/// [`TunnelError::Missing`].
pub fn find(named: Option<&Path>, env: &Env) -> Result<PathBuf, TunnelError> {
    if let Some(path) = named {
        let missing = || TunnelError::Missing(format!("{} does not exist", path.display()));
        return path.is_file().then(|| path.to_path_buf()).ok_or_else(missing);
    }
    let path = env.get("PATH").unwrap_or_default();
    let mut places = std::env::split_paths(path).map(|dir| dir.join("cloudflared"));
    places
        .find(|file| file.is_absolute() && file.is_file())
        .ok_or_else(|| TunnelError::Missing("none is on PATH".to_owned()))
}

/// A tunnel's process that is healthy.
pub(super) struct Running {
    child: Child,
    identity: Option<Identity>,
    heard: Arc<Heard>,
    /// Its public host.
    pub(super) host: String,
}

impl Running {
    /// Starts the program and waits until it has told its host. Dropping the future ends the process.
    pub(super) async fn start(options: &TunnelOptions) -> Result<Self, TunnelError> {
        let (mut child, heard) = spawn(options)?;
        let identity = child.id().and_then(|pid| Identity::of(i32::try_from(pid).ok()?));
        let told = tokio::select! {
            host = heard.host() => Ok(host),
            status = child.wait() => Err(ended(&status, &heard, options).await),
            () = tokio::time::sleep(options.patience) => Err(TunnelError::Silent {
                seconds: options.patience.as_secs(),
                said: said(&heard, options),
            }),
        };
        match told {
            Ok(host) => Ok(Self { child, identity, heard, host }),
            Err(error) => {
                end(&mut child, identity).await;
                Err(error)
            }
        }
    }

    /// Waits until the public host leads to us; `probe` is what our health answer carries.
    pub(super) async fn healthy(
        &mut self,
        options: &TunnelOptions,
        probe: &str,
    ) -> Result<(), TunnelError> {
        tokio::select! {
            done = health::until_healthy(options, &self.host, probe) => done,
            status = self.child.wait() => Err(ended(&status, &self.heard, options).await),
        }
    }

    /// Waits for the end of the process; gives its last words.
    pub(super) async fn over(&mut self, options: &TunnelOptions) -> String {
        let status = self.child.wait().await;
        ended(&status, &self.heard, options).await.to_string()
    }

    /// Ends the process.
    pub(super) async fn end(mut self) {
        end(&mut self.child, self.identity).await;
    }
}

async fn end(child: &mut Child, identity: Option<Identity>) {
    if let Some(identity) = identity {
        END.end(&identity).await;
    }
    let _ = child.start_kill();
    let _ = child.wait().await;
}

fn spawn(options: &TunnelOptions) -> Result<(Child, Arc<Heard>), TunnelError> {
    let spawn = match &options.leash {
        Some(leash) => {
            Spawn::new(leash).arg("leash").arg(std::process::id().to_string()).arg(&options.program)
        }
        None => Spawn::new(&options.program),
    };
    let vars = ["PATH", "HOME"].into_iter().filter_map(|n| Some((n, options.env.get(n)?)));
    let mut child = spawn
        .args(["tunnel", "--no-autoupdate", "--url"])
        .arg(origin(options.bound))
        .envs(vars)
        .stdout(Io::Pipe)
        .stderr(Io::Pipe)
        .kill_on_drop()
        .start()
        .map_err(|e| TunnelError::Start {
            program: options.program.clone(),
            reason: e.to_string(),
        })?;
    let heard = Arc::new(Heard::new());
    if let Some(out) = child.stdout.take() {
        let heard = heard.clone();
        tokio::spawn(async move { heard.listen(out).await });
    }
    if let Some(out) = child.stderr.take() {
        let heard = heard.clone();
        tokio::spawn(async move { heard.listen(out).await });
    }
    Ok((child, heard))
}

/// Our own port, as the tunnel reaches it.
fn origin(bound: SocketAddr) -> String {
    let ip = match bound.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::from([127, 0, 0, 1]),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::from([127, 0, 0, 1]),
        ip => ip,
    };
    format!("http://{}", SocketAddr::new(ip, bound.port()))
}

async fn ended(
    status: &std::io::Result<std::process::ExitStatus>,
    heard: &Heard,
    options: &TunnelOptions,
) -> TunnelError {
    // Its last words may still be in the pipe.
    tokio::time::sleep(Duration::from_millis(50)).await;
    let how = status.as_ref().map_or_else(ToString::to_string, ToString::to_string);
    TunnelError::Ended(format!("{how}\n{}", said(heard, options)))
}

/// Its last words. cloudflared prints addresses of requests that failed, and the secret is in ours.
fn said(heard: &Heard, options: &TunnelOptions) -> String {
    options.token.redact(&heard.last_words())
}
