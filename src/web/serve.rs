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

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use rustix::process::{PidfdFlags, PidfdGetfdFlags, getpid, pidfd_getfd, pidfd_open};
    use std::net::SocketAddr;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    /// The server's end of a connection to this process: a copy of its descriptor.
    fn accepted(client: SocketAddr) -> Option<std::net::TcpStream> {
        let me = pidfd_open(getpid(), PidfdFlags::empty()).ok()?;
        let copy = |entry: std::fs::DirEntry| {
            let number = entry.file_name().to_str()?.parse().ok()?;
            let copy = pidfd_getfd(&me, number, PidfdGetfdFlags::empty()).ok()?;
            let stream = std::net::TcpStream::from(copy);
            (stream.peer_addr().ok()? == client).then_some(stream)
        };
        std::fs::read_dir("/proc/self/fd").ok()?.flatten().find_map(copy)
    }

    #[tokio::test]
    async fn accepted_connections_do_not_wait() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let cancel = CancellationToken::new();
        let serving = tokio::spawn(serve(listener, Router::new(), cancel.clone()));
        let mut client = TcpStream::connect(address).await.unwrap();
        client.write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
        assert!(client.read_u8().await.is_ok(), "it answers, so it has accepted");
        assert!(accepted(client.local_addr().unwrap()).unwrap().nodelay().unwrap());
        drop(client);
        cancel.cancel();
        serving.await.unwrap().unwrap();
    }
}
