use super::Finding;
use crate::config::{Config, TunnelMode};
use crate::mcp::socket::{self, Want};
use crate::paths::{Env, StateDir};
use crate::secret::Secret;
use crate::tunnel;
use tokio::net::TcpListener;

/// With less the next worktree may not fit, in bytes.
const LITTLE: u64 = 2 << 30;
/// With less the store itself may not be written, in bytes.
const TOO_LITTLE: u64 = 200 << 20;

/// The port: free, or ours already.
pub(super) async fn port(state: &StateDir, config: &Config) -> Finding {
    const ID: &str = "port";
    let (host, port) = (config.server.host.as_str(), config.server.port);
    let error = match TcpListener::bind((host, port)).await {
        Ok(_) => return Finding::pass(ID, format!("{host}:{port} is free")),
        Err(error) => error,
    };
    if let Some(url) = own_engine(state).await {
        return Finding::pass(ID, format!("patchbay runs already: {url}"));
    }
    Finding::fail(
        ID,
        format!("{host}:{port} cannot be listened on: {error}"),
        "End what listens there, or name another port with --port (0 picks a free one).",
    )
}

/// The program of the tunnel, where the configuration asks for one.
pub(super) fn tunnel(env: &Env, config: &Config) -> Option<Finding> {
    const ID: &str = "tunnel";
    if config.tunnel.mode == TunnelMode::Off {
        return None;
    }
    Some(match tunnel::find(config.tunnel.cloudflared.as_deref(), env) {
        Ok(program) => Finding::pass(ID, format!("{} opens it", program.display())),
        Err(error) => Finding::fail(ID, error.to_string(), error.hint()),
    })
}

/// Where the engine of this state directory serves, when one runs.
async fn own_engine(state: &StateDir) -> Option<String> {
    let token = Secret::read_token(state).ok()??;
    let (_, answer) = socket::ask(state, &token, Want::Status).await.ok()?;
    Some(answer["url"].as_str().unwrap_or("on its private socket only").to_owned())
}

/// The path of the private socket, which has a short bound.
pub(super) fn socket(state: &StateDir) -> Finding {
    const ID: &str = "state";
    const MOST: usize = 103;
    let length = socket::socket_path(state).as_os_str().len();
    if length > MOST {
        let detail = format!("{} is too long for a socket in it", state.root().display());
        return Finding::fail(ID, detail, "Name a shorter directory in PATCHBAY_HOME.");
    }
    Finding::pass(ID, format!("{} is private", state.root().display()))
}

/// Free space where worktrees and the store are.
pub(super) fn disk(state: &StateDir) -> Finding {
    const ID: &str = "disk";
    let room = match rustix::fs::statvfs(state.root()) {
        Ok(room) => room,
        Err(error) => {
            let detail = format!("free space is not known: {error}");
            return Finding::warn(ID, detail, "Look at it yourself: `df`.");
        }
    };
    let free = room.f_bavail.saturating_mul(room.f_frsize);
    let detail = format!("{:.1} GiB free for worktrees and the store", gib(free));
    let fix = "Free some space, or name a directory on a larger disk in PATCHBAY_HOME.";
    if room.f_files > 0 && room.f_favail < 10_000 {
        return Finding::warn(ID, format!("only {} files may still be made", room.f_favail), fix);
    }
    match free {
        0..TOO_LITTLE => Finding::fail(ID, detail, fix),
        TOO_LITTLE..LITTLE => Finding::warn(ID, detail, fix),
        _ => Finding::pass(ID, detail),
    }
}

#[allow(clippy::cast_precision_loss)] // shown with one digit
fn gib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 30)
}
