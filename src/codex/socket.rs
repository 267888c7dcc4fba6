use super::websocket::WebSocket;
use crate::process::{Identity, descendants};
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use tokio::net::UnixStream;

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

/// A socket in the file system, by device and inode: another one in its place is another one.
pub(super) type SocketId = (u64, u64);

/// Which socket `path` leads to now; `None` when it leads to none that may be used.
pub(super) fn id(path: &Path) -> Option<SocketId> {
    let meta = std::fs::symlink_metadata(real_socket(path).ok()?).ok()?;
    Some((meta.dev(), meta.ino()))
}

/// Where the link at `path` leads, while it leads to a socket that may be used.
pub(super) fn target(path: &Path) -> Option<PathBuf> {
    real_socket(path).ok()
}

/// Whether the process that listens is this one, or a child of it.
fn listens(stream: &UnixStream, codex: &Identity) -> bool {
    let Some(pid) = stream.peer_cred().ok().and_then(|peer| peer.pid()) else { return false };
    pid == codex.pid || descendants(codex.pid).iter().any(|p| p.pid == pid)
}

/// Connects to the app-server that is `codex`: at `path`, else at `real`, where its socket was when it
/// started. What somebody else put into the place of either is not spoken to.
pub(super) async fn connect_to(
    path: &Path,
    real: Option<&Path>,
    codex: &Identity,
) -> io::Result<WebSocket> {
    let mut last = io::Error::from(io::ErrorKind::NotFound);
    for place in [Some(path), real].into_iter().flatten() {
        let stream = match real_socket(place) {
            Ok(socket) => UnixStream::connect(socket).await,
            Err(error) => Err(error),
        };
        match stream {
            Ok(stream) if listens(&stream, codex) => return WebSocket::over(stream).await,
            Ok(_) => last = io::Error::other("the socket of codex belongs to another process"),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// Connects and shakes hands: WebSocket, one JSON-RPC message a text frame.
pub(super) async fn connect(path: &Path) -> io::Result<WebSocket> {
    WebSocket::over(UnixStream::connect(real_socket(path)?).await?).await
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

    #[tokio::test]
    async fn a_socket_of_another_process_is_not_spoken_to() {
        std::fs::create_dir_all("target/tmp").unwrap();
        let dir = tempfile::tempdir_in("target/tmp").unwrap();
        std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o700)).unwrap();
        let path = dir.path().join("s.sock");
        let _listener = tokio::net::UnixListener::bind(&path).unwrap();
        let other = Identity { pid: i32::MAX, start_time: 0, session: 0 };
        let refused = connect_to(&path, Some(&path), &other).await.unwrap_err();
        assert!(refused.to_string().contains("another process"), "{refused}");
    }
}
