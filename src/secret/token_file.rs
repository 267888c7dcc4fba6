use super::{BadSecret, Secret};
use crate::paths::StateDir;
use rustix::fs::{Mode, OFlags};
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Why the token file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// Group or others have access.
    #[error("the token file is open to group or others: {}", .0.display())]
    TooOpen(PathBuf),
    /// Its content is no token.
    #[error("the token file {}: {source}", path.display())]
    Bad {
        /// The file.
        path: PathBuf,
        /// What is wrong with the content.
        source: BadSecret,
    },
    /// The file system refused, or the file is a link.
    #[error("the token file {}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
}

impl Secret {
    /// The token of a state directory, or `None` when none was made yet.
    ///
    /// # Errors
    /// A file that is a link, that others can read, or that holds no token is refused.
    pub fn read_token(state: &StateDir) -> Result<Option<Self>, TokenError> {
        let path = state.token();
        let io = |source| TokenError::Io { path: path.clone(), source };
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mut file = match rustix::fs::open(&path, flags, Mode::empty()) {
            Ok(file) => File::from(file),
            Err(rustix::io::Errno::NOENT) => return Ok(None),
            Err(errno) => return Err(io(errno.into())),
        };
        if file.metadata().map_err(io)?.permissions().mode() & 0o077 != 0 {
            return Err(TokenError::TooOpen(path));
        }
        let mut text = String::new();
        Read::by_ref(&mut file).take(4096).read_to_string(&mut text).map_err(io)?;
        match Self::from_text(text.trim()) {
            Ok(token) => Ok(Some(token)),
            Err(source) => Err(TokenError::Bad { path, source }),
        }
    }

    /// The token of a state directory, made on the first call. Two processes that call at the same
    /// time get the same one.
    ///
    /// # Errors
    /// As [`Secret::read_token`], and when no random bytes or no file can be had.
    pub fn ensure_token(state: &StateDir) -> Result<Self, TokenError> {
        if let Some(token) = Self::read_token(state)? {
            return Ok(token);
        }
        let path = state.token();
        let bad = |source| TokenError::Bad { path: path.clone(), source };
        let io = |source| TokenError::Io { path: path.clone(), source };
        let token = Self::generate().map_err(bad)?;
        publish(&path, token.expose()).map_err(io)?;
        // Another process may have been first: what is in the file counts.
        Self::read_token(state)?.ok_or_else(|| io(io::ErrorKind::NotFound.into()))
    }
}

/// Puts a whole file at `path` unless there is one.
fn publish(path: &Path, text: &str) -> io::Result<()> {
    let directory = path.parent().unwrap_or(path);
    let mut file = tempfile::Builder::new().prefix(".token-").tempfile_in(directory)?;
    writeln!(file, "{text}")?;
    file.as_file().sync_all()?;
    match file.persist_noclobber(path) {
        Err(error) if error.error.kind() != io::ErrorKind::AlreadyExists => Err(error.error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_made_once_and_kept_private() {
        std::fs::create_dir_all("target/tmp").unwrap();
        let dir = tempfile::tempdir_in("target/tmp").unwrap();
        let state = StateDir::open(&dir.path().canonicalize().unwrap().join("state")).unwrap();
        assert!(Secret::read_token(&state).unwrap().is_none());
        let makers: Vec<_> = (0..8)
            .map(|_| {
                let state = state.clone();
                std::thread::spawn(move || {
                    Secret::ensure_token(&state).unwrap().expose().to_owned()
                })
            })
            .collect();
        let mut tokens: Vec<_> = makers.into_iter().map(|m| m.join().unwrap()).collect();
        tokens.dedup();
        assert_eq!(tokens.len(), 1);
        let mode = std::fs::metadata(state.token()).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(std::fs::read_dir(state.root()).unwrap().count(), 4, "no temporary file stays");

        std::fs::set_permissions(state.token(), std::fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(Secret::ensure_token(&state), Err(TokenError::TooOpen(_))));
        std::fs::remove_file(state.token()).unwrap();
        std::os::unix::fs::symlink("elsewhere", state.token()).unwrap();
        assert!(matches!(Secret::ensure_token(&state), Err(TokenError::Io { .. })));
        std::fs::remove_file(state.token()).unwrap();
        state.write_private(&state.token(), b"short\n").unwrap();
        assert!(matches!(Secret::ensure_token(&state), Err(TokenError::Bad { .. })));
    }
}
