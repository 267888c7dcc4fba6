use super::guard::Guard;
use ignore::{DirEntry, WalkBuilder};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Most threads of one walk.
const MAX_THREADS: usize = 8;

/// How many threads walk and search at once.
pub(super) fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get).min(MAX_THREADS)
}

/// When work must stop, and whether it had to. Clones share the answer.
#[derive(Debug, Clone)]
pub(super) struct Deadline {
    at: Instant,
    hit: Arc<AtomicBool>,
}

impl Deadline {
    pub(super) fn after(limit: Duration) -> Self {
        Self { at: Instant::now() + limit, hit: Arc::new(AtomicBool::new(false)) }
    }

    /// Whether the time is over; remembers it.
    pub(super) fn over(&self) -> bool {
        if self.was_hit() {
            return true;
        }
        let over = Instant::now() >= self.at;
        if over {
            self.hit.store(true, Ordering::Relaxed);
        }
        over
    }

    /// Whether anybody saw the time end.
    pub(super) fn was_hit(&self) -> bool {
        self.hit.load(Ordering::Relaxed)
    }
}

/// What of a workspace is walked: everything a chat may see below one directory, links not followed.
#[derive(Debug, Clone)]
pub(super) struct Walk {
    /// Top of the workspace.
    pub(super) root: PathBuf,
    /// Where to begin; canonical, at or below the root.
    pub(super) start: PathBuf,
    /// Whether names that begin with a dot are seen.
    pub(super) hidden: bool,
    /// Whether what `.gitignore` and `.ignore` name is seen.
    pub(super) ignored: bool,
    pub(super) guard: Guard,
    pub(super) deadline: Deadline,
}

impl Walk {
    /// A walker that enters nothing blocked, and nothing more once the time is over.
    pub(super) fn builder(&self) -> WalkBuilder {
        let mut builder = WalkBuilder::new(&self.start);
        builder
            .follow_links(false)
            .hidden(!self.hidden)
            .parents(!self.ignored && self.start != self.root)
            .ignore(!self.ignored)
            .git_ignore(!self.ignored)
            .git_exclude(!self.ignored)
            .git_global(!self.ignored);
        let walk = self.clone();
        builder.filter_entry(move |entry| walk.admits(entry));
        builder
    }

    /// The path of an entry relative to the root of the workspace.
    pub(super) fn relative<'a>(&self, path: &'a Path) -> &'a Path {
        // A walk asks this of every entry, twice, and letters are compared faster than components.
        let root = self.root.as_os_str().as_bytes();
        match path.as_os_str().as_bytes().strip_prefix(root) {
            Some([b'/', rest @ ..]) => Path::new(OsStr::from_bytes(rest)),
            _ => path.strip_prefix(&self.root).unwrap_or(path),
        }
    }

    fn admits(&self, entry: &DirEntry) -> bool {
        !self.deadline.over()
            && !self.guard.hits(self.relative(entry.path()))
            && !self.guard.is_private(entry.path())
    }
}
