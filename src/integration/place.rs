use super::IntegrationError;
use crate::git::GitPath;
use rustix::fs::{AtFlags, Mode, OFlags};
use rustix::io::Errno;
use std::collections::HashSet;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// What is on the disk at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Found {
    Absent,
    File { permissions: u32, bytes: Vec<u8> },
    Link { target: Vec<u8> },
    Directory,
    Other,
}

/// What shall be at a path.
#[derive(Debug)]
pub(super) enum Content {
    /// A file; with permissions, or as the umask gives them to a plain or executable file.
    File {
        permissions: Option<u32>,
        executable: bool,
        bytes: Vec<u8>,
    },
    Link {
        target: Vec<u8>,
    },
}

/// The files of a checkout, reached from its top one component at a time: no link is followed, so
/// nothing outside is ever read or written.
#[derive(Debug)]
pub(super) struct Place {
    root: OwnedFd,
    path: PathBuf,
}

const DIRECTORY: OFlags =
    OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

impl Place {
    pub(super) fn open(root: &Path) -> Result<Self, IntegrationError> {
        let fd = rustix::fs::open(root, DIRECTORY, Mode::empty());
        let root_fd = fd.map_err(|error| IntegrationError::io(root)(error.into()))?;
        Ok(Self { root: root_fd, path: root.to_path_buf() })
    }

    /// What is at `path`.
    pub(super) fn look(&self, path: &GitPath) -> Result<Found, IntegrationError> {
        let Some((parent, name)) = self.parent(path, false)? else { return Ok(Found::Absent) };
        let stat = match rustix::fs::statat(&parent, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => stat,
            Err(Errno::NOENT) => return Ok(Found::Absent),
            Err(error) => return Err(self.io(path, error)),
        };
        Ok(match rustix::fs::FileType::from_raw_mode(stat.st_mode) {
            rustix::fs::FileType::RegularFile => {
                let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
                let fd = rustix::fs::openat(&parent, name, flags, Mode::empty())
                    .map_err(|error| self.io(path, error))?;
                let mut bytes = Vec::new();
                File::from(fd)
                    .read_to_end(&mut bytes)
                    .map_err(IntegrationError::io(&self.path.join(path.as_path())))?;
                Found::File { permissions: stat.st_mode & 0o7777, bytes }
            }
            rustix::fs::FileType::Symlink => {
                let target = rustix::fs::readlinkat(&parent, name, Vec::new());
                Found::Link { target: target.map_err(|e| self.io(path, e))?.into_bytes() }
            }
            rustix::fs::FileType::Directory => Found::Directory,
            _ => Found::Other,
        })
    }

    /// Puts `content` at `path`: a temporary file beside it, then a rename. Missing directories are
    /// made; an empty directory at the path gives way.
    pub(super) fn put(
        &self,
        path: &GitPath,
        temporary: &str,
        content: &Content,
    ) -> Result<(), IntegrationError> {
        let (parent, name) =
            self.parent(path, true)?.ok_or_else(|| IntegrationError::Obstructed(path.clone()))?;
        let io = |error: Errno| self.io(path, error);
        match rustix::fs::unlinkat(&parent, temporary, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => {}
            Err(error) => return Err(io(error)),
        }
        match content {
            Content::Link { target } => {
                rustix::fs::symlinkat(OsStr::from_bytes(target), &parent, temporary).map_err(io)?;
            }
            Content::File { permissions, executable, bytes } => {
                let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
                let mode = Mode::from_raw_mode(if *executable { 0o777 } else { 0o666 });
                let fd = rustix::fs::openat(&parent, temporary, flags, mode).map_err(io)?;
                let mut file = File::from(fd);
                file.write_all(bytes)
                    .map_err(IntegrationError::io(&self.path.join(path.as_path())))?;
                if let Some(permissions) = permissions {
                    rustix::fs::fchmod(&file, Mode::from_raw_mode(*permissions)).map_err(io)?;
                }
            }
        }
        if let Err(Errno::ISDIR | Errno::NOTEMPTY | Errno::EXIST) =
            rustix::fs::renameat(&parent, temporary, &parent, name)
        {
            self.clear_empty(path)?;
            rustix::fs::renameat(&parent, temporary, &parent, name).map_err(io)?;
        }
        Ok(())
    }

    /// Removes the file or link at `path`, and the directories above it that become empty.
    pub(super) fn remove(&self, path: &GitPath) -> Result<(), IntegrationError> {
        let Some((parent, name)) = self.parent(path, false)? else { return Ok(()) };
        match rustix::fs::unlinkat(&parent, name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => {}
            Err(error) => return Err(self.io(path, error)),
        }
        let mut above = path.as_path().parent();
        while let Some(directory) = above.filter(|d| !d.as_os_str().is_empty()) {
            let directory_path = GitPath::new(directory.as_os_str().as_bytes());
            let Some((parent, name)) = self.parent(&directory_path, false)? else { break };
            if rustix::fs::unlinkat(&parent, name, AtFlags::REMOVEDIR).is_err() {
                break;
            }
            above = directory.parent();
        }
        Ok(())
    }

    /// Removes a temporary file that a crash left beside `path`.
    pub(super) fn remove_temporary(&self, path: &GitPath, name: &str) {
        if let Ok(Some((parent, _))) = self.parent(path, false) {
            let _ = rustix::fs::unlinkat(&parent, name, AtFlags::empty());
        }
    }

    /// Whether every file below the directory at `path` is one of `leaving`.
    pub(super) fn only_holds(
        &self,
        path: &GitPath,
        leaving: &HashSet<&GitPath>,
    ) -> Result<bool, IntegrationError> {
        let directory = self.path.join(path.as_path());
        for entry in std::fs::read_dir(&directory).map_err(IntegrationError::io(&directory))? {
            let entry = entry.map_err(IntegrationError::io(&directory))?;
            let below = path.as_path().join(entry.file_name());
            let below = GitPath::new(below.as_os_str().as_bytes());
            let is_directory = entry.file_type().is_ok_and(|kind| kind.is_dir());
            let fits = if is_directory {
                self.only_holds(&below, leaving)?
            } else {
                leaving.contains(&below)
            };
            if !fits {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The first component on the way to `path` that is there and is no directory.
    pub(super) fn first_obstacle(&self, path: &GitPath) -> Option<GitPath> {
        let mut above: Vec<&Path> = path.as_path().ancestors().skip(1).collect();
        above.reverse();
        above
            .into_iter()
            .filter(|prefix| !prefix.as_os_str().is_empty())
            .find(|prefix| {
                std::fs::symlink_metadata(self.path.join(prefix)).is_ok_and(|meta| !meta.is_dir())
            })
            .map(|prefix| GitPath::new(prefix.as_os_str().as_bytes()))
    }

    /// Removes a tree of directories that holds no file.
    fn clear_empty(&self, path: &GitPath) -> Result<(), IntegrationError> {
        let directory = self.path.join(path.as_path());
        for entry in std::fs::read_dir(&directory).map_err(IntegrationError::io(&directory))? {
            let entry = entry.map_err(IntegrationError::io(&directory))?;
            if !entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                return Err(IntegrationError::BaseChanged(path.clone()));
            }
            let below = path.as_path().join(entry.file_name());
            self.clear_empty(&GitPath::new(below.as_os_str().as_bytes()))?;
        }
        std::fs::remove_dir(&directory).map_err(IntegrationError::io(&directory))
    }

    /// The directory that `path` is in, and its name there; `None` when the directory is missing and
    /// is not to be made.
    fn parent<'a>(
        &self,
        path: &'a GitPath,
        make: bool,
    ) -> Result<Option<(OwnedFd, &'a OsStr)>, IntegrationError> {
        let mut parts: Vec<&OsStr> =
            path.as_bytes().split(|b| *b == b'/').map(OsStr::from_bytes).collect();
        let name = parts.pop().filter(|_| path.is_plain());
        let name = name.ok_or_else(|| IntegrationError::Obstructed(path.clone()))?;
        let mut here = self.root.try_clone().map_err(IntegrationError::io(&self.path))?;
        for part in parts {
            let mut next = rustix::fs::openat(&here, part, DIRECTORY, Mode::empty());
            if matches!(next, Err(Errno::NOENT)) {
                if !make {
                    return Ok(None);
                }
                match rustix::fs::mkdirat(&here, part, Mode::from_raw_mode(0o777)) {
                    Ok(()) | Err(Errno::EXIST) => {}
                    Err(error) => return Err(self.io(path, error)),
                }
                next = rustix::fs::openat(&here, part, DIRECTORY, Mode::empty());
            }
            here = match next {
                Ok(next) => next,
                Err(Errno::NOTDIR | Errno::LOOP) => {
                    return Err(IntegrationError::Obstructed(path.clone()));
                }
                Err(error) => return Err(self.io(path, error)),
            };
        }
        Ok(Some((here, name)))
    }

    fn io(&self, path: &GitPath, error: Errno) -> IntegrationError {
        IntegrationError::io(&self.path.join(path.as_path()))(error.into())
    }
}
