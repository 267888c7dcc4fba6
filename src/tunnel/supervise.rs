use super::cloudflared::Running;
use super::{TunnelError, TunnelOptions};
use crate::mcp::{Reach, TunnelState};
use crate::secret::Secret;
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// A tunnel that lived this long counts as a good one.
const GOOD: Duration = Duration::from_secs(600);

/// A tunnel that is kept up.
pub struct Tunnel {
    cancel: CancellationToken,
    task: JoinHandle<()>,
    reach: Reach,
    /// The public host, as `quick-fox.trycloudflare.com`.
    pub host: String,
}

impl Tunnel {
    /// Starts a tunnel, waits until its public address leads to us, and keeps it up from then on: one
    /// that ends is started again, under a new address, a bounded number of times. `reach` knows the
    /// state at any time, and its host is let in as long as the tunnel is there.
    ///
    /// # Errors
    /// When the first tunnel does not become healthy; then nothing is left of it.
    pub async fn start(options: TunnelOptions, reach: Reach) -> Result<Self, TunnelError> {
        let cancel = CancellationToken::new();
        let running = open(&options, &reach).await?;
        let host = running.host.clone();
        let task = tokio::spawn(keep(running, options, reach.clone(), cancel.clone()));
        Ok(Self { cancel, task, reach, host })
    }

    /// Ends the tunnel.
    pub async fn end(self) {
        self.cancel.cancel();
        let _ = self.task.await;
        self.reach.set(TunnelState::Ended, None, "ended with the server");
    }
}

/// A tunnel that is healthy; else nothing of it is left.
async fn open(options: &TunnelOptions, reach: &Reach) -> Result<Running, TunnelError> {
    reach.set(TunnelState::Starting, None, "cloudflared is starting");
    let probe = probe(options)?;
    let mut running = Running::start(options).await.inspect_err(|error| failed(reach, error))?;
    // The check itself comes from that host.
    reach.expect(&running.host, &probe);
    match running.healthy(options, &probe).await {
        Ok(()) => {
            reach.set(TunnelState::Up, Some(&running.host), "the public address leads here");
            tracing::info!(host = running.host, "the tunnel is up");
            Ok(running)
        }
        Err(error) => {
            failed(reach, &error);
            running.end().await;
            Err(error)
        }
    }
}

fn probe(options: &TunnelOptions) -> Result<String, TunnelError> {
    let bytes = Secret::random_bytes().map_err(|e| TunnelError::Start {
        program: options.program.clone(),
        reason: e.to_string(),
    })?;
    Ok(hex::encode(&bytes[..8]))
}

fn failed(reach: &Reach, error: &TunnelError) {
    reach.set(TunnelState::Down, None, error.to_string().lines().next().unwrap_or_default());
}

/// Keeps a tunnel up until it is cancelled or given up.
async fn keep(
    mut running: Running,
    options: TunnelOptions,
    reach: Reach,
    cancel: CancellationToken,
) {
    let mut attempts = 0;
    loop {
        let begun = Instant::now();
        let words = tokio::select! {
            words = running.over(&options) => words,
            () = cancel.cancelled() => return running.end().await,
        };
        if begun.elapsed() > GOOD {
            attempts = 0;
        }
        tracing::warn!(words, "the tunnel has ended; the public address is gone");
        reach.set(TunnelState::Down, None, "it has ended and is started again");
        let next = tokio::select! {
            next = again(&options, &reach, &mut attempts) => next,
            () = cancel.cancelled() => return,
        };
        match next {
            Some(next) => {
                reach.restarted();
                tracing::warn!(host = next.host, "the tunnel has a new public address");
                running = next;
            }
            None => {
                tracing::error!("the tunnel is given up; the server goes on without it");
                let text = "given up; start patchbay again for a new one";
                return reach.set(TunnelState::Ended, None, text);
            }
        }
    }
}

/// The next healthy tunnel, or none when all attempts are spent.
async fn again(options: &TunnelOptions, reach: &Reach, attempts: &mut u32) -> Option<Running> {
    while *attempts < options.pauses.times {
        tokio::time::sleep(options.pauses.first * 2_u32.pow((*attempts).min(10))).await;
        *attempts += 1;
        match open(options, reach).await {
            Ok(running) => return Some(running),
            Err(error) => tracing::warn!(%error, "the tunnel could not be started again"),
        }
    }
    None
}
