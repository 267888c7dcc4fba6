use crate::codex::control::{Answer, Ask};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{mpsc, oneshot, watch};

/// A wish to end everything; the sender is told when it is done.
pub(super) type End = oneshot::Sender<()>;

/// What the connections of servers share.
#[derive(Debug, Clone)]
pub(super) struct Desk {
    /// What codex is; `None` while it starts.
    pub(super) answer: watch::Receiver<Option<Answer>>,
    /// Where wishes to end go.
    pub(super) ends: mpsc::Sender<End>,
    /// How many servers are connected.
    pub(super) connected: Arc<AtomicUsize>,
}

/// Serves the control socket until the process ends.
pub(super) async fn serve(listener: UnixListener, desk: Desk) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                let desk = desk.clone();
                tokio::spawn(async move {
                    desk.connected.fetch_add(1, Ordering::SeqCst);
                    let _ = converse(stream, &desk).await;
                    desk.connected.fetch_sub(1, Ordering::SeqCst);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "the control socket failed");
                tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            }
        }
    }
}

async fn converse(stream: UnixStream, desk: &Desk) -> std::io::Result<()> {
    let (read, mut write) = stream.into_split();
    let mut lines = BufReader::new(read).lines();
    while let Some(line) = lines.next_line().await? {
        let answer = match serde_json::from_str(&line)? {
            Ask::Hello => hello(desk).await,
            Ask::End => end(desk).await,
        };
        let mut text = serde_json::to_string(&answer)?;
        text.push('\n');
        write.write_all(text.as_bytes()).await?;
    }
    Ok(())
}

async fn hello(desk: &Desk) -> Answer {
    let mut answer = desk.answer.clone();
    match answer.wait_for(Option::is_some).await {
        Ok(answer) => answer.clone().unwrap_or(Answer::Ended),
        Err(_) => Answer::Ended,
    }
}

async fn end(desk: &Desk) -> Answer {
    let (done, ended) = oneshot::channel();
    if desk.ends.send(done).await.is_ok() {
        let _ = ended.await;
    }
    Answer::Ended
}
