use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use tokio::net::UnixStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;

/// Largest message that is taken from the app-server, in bytes.
const LARGEST: usize = 256 << 20;

/// Where the app-server's socket really is. Codex makes `path` a link into a directory of its own below
/// /tmp (seen on 0.169.0); what does not belong to us with mode 0700 is not connected to.
fn real_socket(path: &Path) -> io::Result<PathBuf> {
    let meta = std::fs::symlink_metadata(path)?;
    let real = if meta.is_symlink() { std::fs::read_link(path)? } else { path.to_path_buf() };
    let us = rustix::process::geteuid().as_raw();
    let dir = real.parent().ok_or_else(|| io::Error::other("the socket has no directory"))?;
    let around = std::fs::symlink_metadata(dir)?;
    let socket = std::fs::symlink_metadata(&real)?;
    let private = around.is_dir() && around.uid() == us && around.permissions().mode() & 0o077 == 0;
    if private && socket.file_type().is_socket() && socket.uid() == us {
        return Ok(real);
    }
    Err(io::Error::new(
        io::ErrorKind::PermissionDenied,
        "the socket of codex is not in a private directory of this user",
    ))
}

/// Connects and shakes hands: WebSocket, one JSON-RPC message a text frame.
pub(super) async fn connect(path: &Path) -> io::Result<WebSocketStream<UnixStream>> {
    let stream = UnixStream::connect(real_socket(path)?).await?;
    let config =
        WebSocketConfig::default().max_message_size(Some(LARGEST)).max_frame_size(Some(LARGEST));
    tokio_tungstenite::client_async_with_config("ws://localhost/", stream, Some(config))
        .await
        .map(|(socket, _)| socket)
        .map_err(io::Error::other)
}

/// Removes what a dead app-server left: the link, and the socket that it names.
pub(super) fn remove_stale(path: &Path) {
    if let Ok(real) = real_socket(path) {
        let _ = std::fs::remove_file(real);
    }
    let _ = std::fs::remove_file(path);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_socket_in_an_open_directory_is_refused() {
        std::fs::create_dir_all("target/tmp").unwrap();
        let dir = tempfile::tempdir_in("target/tmp").unwrap();
        let mode = |bits| {
            std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(bits)).unwrap();
        };
        mode(0o700);
        let target = dir.path().join("t.sock");
        let _listener = tokio::net::UnixListener::bind(&target).unwrap();
        let link = dir.path().join("link.sock");
        std::os::unix::fs::symlink(target.canonicalize().unwrap(), &link).unwrap();
        assert!(real_socket(&link).is_ok());
        mode(0o755);
        assert_eq!(real_socket(&link).unwrap_err().kind(), io::ErrorKind::PermissionDenied);
    }
}
