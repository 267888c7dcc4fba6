use rustix::fd::OwnedFd;
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use std::fs::File;
use std::path::Path;

/// How files are opened: never through a link, never waiting for the other end of a FIFO.
const FLAGS: OFlags =
    OFlags::RDONLY.union(OFlags::CLOEXEC).union(OFlags::NOFOLLOW).union(OFlags::NONBLOCK);

/// An open directory below which files are opened without following any link, so that a link that is
/// put there after a path was checked is refused.
#[derive(Debug)]
pub(super) struct Beneath {
    root: OwnedFd,
}

impl Beneath {
    /// Opens the directory; it may itself be reached by links.
    pub(super) fn new(root: &Path) -> Result<Self, Errno> {
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::DIRECTORY;
        Ok(Self { root: rustix::fs::open(root, flags, Mode::empty())? })
    }

    /// Opens what is at a relative path of plain names; [`Errno::LOOP`] says a link is in it.
    pub(super) fn open(&self, relative: &Path) -> Result<File, Errno> {
        #[cfg(target_os = "linux")]
        match self.open_at_once(relative) {
            // An old kernel, or a container that does not let the call through.
            Err(Errno::NOSYS | Errno::PERM) => {}
            other => return other,
        }
        self.open_by_steps(relative)
    }

    #[cfg(target_os = "linux")]
    fn open_at_once(&self, relative: &Path) -> Result<File, Errno> {
        use rustix::fs::ResolveFlags;
        let relative = if relative.as_os_str().is_empty() { Path::new(".") } else { relative };
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
        rustix::fs::openat2(&self.root, relative, FLAGS, Mode::empty(), resolve).map(File::from)
    }

    fn open_by_steps(&self, relative: &Path) -> Result<File, Errno> {
        let mut at = rustix::fs::openat(&self.root, ".", FLAGS, Mode::empty())?;
        for part in relative.components() {
            at = rustix::fs::openat(&at, part.as_os_str(), FLAGS, Mode::empty())?;
        }
        Ok(File::from(at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn both_ways_open_files_and_refuse_links() {
        let dir = crate::context::testbed::tmp();
        std::fs::create_dir_all(dir.path().join("a/b")).unwrap();
        std::fs::write(dir.path().join("a/b/f"), "x").unwrap();
        symlink("a", dir.path().join("la")).unwrap();
        symlink("f", dir.path().join("a/b/lf")).unwrap();
        let beneath = Beneath::new(dir.path()).unwrap();
        for open in [Beneath::open, Beneath::open_by_steps] {
            assert!(open(&beneath, Path::new("a/b/f")).unwrap().metadata().unwrap().is_file());
            assert!(open(&beneath, Path::new("")).unwrap().metadata().unwrap().is_dir());
            for link in ["la/b/f", "a/b/lf"] {
                let refused = open(&beneath, Path::new(link)).unwrap_err();
                assert!(matches!(refused, Errno::LOOP | Errno::NOTDIR), "{link}: {refused}");
            }
            assert_eq!(open(&beneath, Path::new("a/none")).unwrap_err(), Errno::NOENT);
        }
    }
}
