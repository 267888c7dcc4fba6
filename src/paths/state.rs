use super::Env;
use rustix::fs::{Mode, OFlags};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// Why a directory cannot hold patchbay's state.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// Neither `PATCHBAY_HOME`, `XDG_STATE_HOME` nor `HOME` is set.
    #[error("no home directory is known")]
    NoHome,
    /// The path is relative.
    #[error("the state directory must be an absolute path: {0}")]
    Relative(PathBuf),
    /// The path is a symbolic link.
    #[error("the state directory is a symbolic link: {0}")]
    Symlink(PathBuf),
    /// Somebody else owns the directory.
    #[error("the state directory belongs to another user: {0}")]
    ForeignOwner(PathBuf),
    /// Group or others have access.
    #[error("the state directory is open to group or others: {0}")]
    TooOpen(PathBuf),
    /// The file system refused.
    #[error("state directory {path}: {source}")]
    Io {
        /// What was being made or read.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
}

/// Whether the file system refused because there is no room: no space, no quota, or a file beyond the size
/// that the process may write.
#[must_use]
pub fn is_full(error: &io::Error) -> bool {
    use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
    matches!(error.kind(), StorageFull | QuotaExceeded | FileTooLarge)
}

impl StateError {
    /// Whether the same call can succeed later, when there is room.
    #[must_use]
    pub fn is_full(&self) -> bool {
        matches!(self, Self::Io { source, .. } if is_full(source))
    }
}

/// The directory that holds everything patchbay keeps. Mode 0700, owned by the user, no link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateDir {
    root: PathBuf,
}

impl StateDir {
    /// Where the state directory is: `$PATCHBAY_HOME`, else `$XDG_STATE_HOME/patchbay`, else
    /// `~/.local/state/patchbay`. Nothing is created.
    ///
    /// # Errors
    /// [`StateError::NoHome`], or [`StateError::Relative`].
    pub fn locate(env: &Env) -> Result<PathBuf, StateError> {
        let path = env
            .path("PATCHBAY_HOME")
            .or_else(|| env.path("XDG_STATE_HOME").map(|p| p.join("patchbay")))
            .or_else(|| env.home().map(|p| p.join(".local/state/patchbay")))
            .ok_or(StateError::NoHome)?;
        if path.is_absolute() { Ok(path) } else { Err(StateError::Relative(path)) }
    }

    /// Opens the directory at `path`, making it (and its parents) when it is missing.
    ///
    /// # Errors
    /// A link, a foreign owner, or access for group or others is refused; see [`StateError`].
    pub fn open(path: &Path) -> Result<Self, StateError> {
        let io = |source| StateError::Io { path: path.to_path_buf(), source };
        if !path.is_absolute() {
            return Err(StateError::Relative(path.to_path_buf()));
        }
        if let Err(error) = std::fs::symlink_metadata(path) {
            if error.kind() != io::ErrorKind::NotFound {
                return Err(io(error));
            }
            std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(io)?;
        }
        let meta = std::fs::symlink_metadata(path).map_err(io)?;
        if meta.file_type().is_symlink() {
            return Err(StateError::Symlink(path.to_path_buf()));
        }
        if meta.uid() != rustix::process::geteuid().as_raw() {
            return Err(StateError::ForeignOwner(path.to_path_buf()));
        }
        if meta.permissions().mode() & 0o077 != 0 {
            return Err(StateError::TooOpen(path.to_path_buf()));
        }
        let root = path.canonicalize().map_err(io)?;
        let state = Self { root };
        for dir in [state.run(), state.logs(), state.worktrees()] {
            state.private_dir(&dir)?;
        }
        Ok(state)
    }

    /// Makes a directory below the state directory, with mode 0700, and gives it back.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn private_dir(&self, dir: &Path) -> Result<PathBuf, StateError> {
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(dir)
            .map_err(|source| StateError::Io { path: dir.to_path_buf(), source })?;
        Ok(dir.to_path_buf())
    }

    /// Writes a private file (mode 0600) in one step: temporary file, then rename.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn write_private(&self, path: &Path, content: &[u8]) -> Result<(), StateError> {
        let io = |source| StateError::Io { path: path.to_path_buf(), source };
        let mut name = path.file_name().unwrap_or_default().to_os_string();
        name.push(format!(".{}.new", rustix::process::getpid().as_raw_nonzero()));
        let temporary = path.with_file_name(name);
        let mut file = self.private_file(&temporary)?;
        io::Write::write_all(&mut file, content).map_err(io)?;
        std::fs::rename(&temporary, path).map_err(io)
    }

    /// Makes an empty private file (mode 0600) to write to; an earlier one is emptied.
    ///
    /// # Errors
    /// When the file system refuses, or the name is a link.
    pub fn private_file(&self, path: &Path) -> Result<std::fs::File, StateError> {
        let flags =
            OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        rustix::fs::open(path, flags, Mode::from_raw_mode(0o600))
            .map(std::fs::File::from)
            .map_err(|e| StateError::Io { path: path.to_path_buf(), source: io::Error::from(e) })
    }

    /// The directory itself, canonical.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The SQLite file.
    #[must_use]
    pub fn store_db(&self) -> PathBuf {
        self.root.join("store.db")
    }

    /// The file whose lock makes a process the engine.
    #[must_use]
    pub fn engine_lock(&self) -> PathBuf {
        self.root.join("engine.lock")
    }

    /// The file that holds the access token.
    #[must_use]
    pub fn token(&self) -> PathBuf {
        self.root.join("token")
    }

    /// The configuration that is read when none is named.
    #[must_use]
    pub fn config(&self) -> PathBuf {
        self.root.join("config.yaml")
    }

    /// Codex's own home (`CODEX_HOME`).
    #[must_use]
    pub fn codex_home(&self) -> PathBuf {
        self.root.join("codex")
    }

    /// Where `install-codex` puts a version.
    #[must_use]
    pub fn codex_bin(&self, version: &str) -> PathBuf {
        self.root.join("codex-bin").join(version)
    }

    /// Where worktrees are made, one directory a repository.
    #[must_use]
    pub fn worktrees(&self) -> PathBuf {
        self.root.join("worktrees")
    }

    /// Logs of the server, the sidecar and codex.
    #[must_use]
    pub fn logs(&self) -> PathBuf {
        self.root.join("logs")
    }

    /// Sockets, pid files and spools of running processes.
    #[must_use]
    pub fn run(&self) -> PathBuf {
        self.root.join("run")
    }
}
