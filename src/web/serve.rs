use axum::Router;
use axum::serve::ListenerExt;
use std::io;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

/// How long answers may take to get out after the end was asked for.
const GRACE: Duration = Duration::from_secs(5);

/// Serves HTTP until `cancel` fires, then for at most 5 seconds more.
///
/// # Errors
/// When the listener breaks.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    cancel: CancellationToken,
) -> io::Result<()> {
    let stop = cancel.clone().cancelled_owned();
    let serving = axum::serve(listener.tap_io(quick), router).with_graceful_shutdown(stop);
    tokio::select! {
        done = serving => done,
        () = late(cancel) => Ok(()),
    }
}

async fn late(cancel: CancellationToken) {
    cancel.cancelled().await;
    tokio::time::sleep(GRACE).await;
}

/// Sends small packets at once: with Nagle's algorithm each answer over SSE takes 44 ms (measured).
fn quick(stream: &mut TcpStream) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "TCP_NODELAY could not be set");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::serve::Listener;

    #[tokio::test]
    async fn accepted_connections_do_not_wait() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut listener = listener.tap_io(quick);
        let (client, (stream, _)) = tokio::join!(TcpStream::connect(address), listener.accept());
        assert!(client.is_ok());
        assert!(stream.nodelay().unwrap());
    }
}
