use super::ContextError;
use super::beneath::Beneath;
use crate::paths::{AllowedRoots, PathError, RepoPath};
use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use rustix::io::Errno;
use std::ffi::OsStr;
use std::fs::File;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

/// Which paths a chat may see. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Guard {
    blocked: Arc<Blocked>,
    count: usize,
    private: Vec<PathBuf>,
}

/// Globs without regard to ASCII case. A walk asks them of every entry, so each is looked for only where it
/// can hit, and as small letters in small letters: then names and endings are looked up, not searched.
#[derive(Debug)]
struct Blocked {
    /// Within one name.
    names: GlobSet,
    /// Over several.
    paths: GlobSet,
    /// Those whose meaning small letters could change.
    odd: GlobSet,
}

impl Blocked {
    fn new<'a>(globs: impl Iterator<Item = &'a str>) -> Result<Self, globset::Error> {
        let mut sets = [(); 3].map(|()| GlobSetBuilder::new());
        for glob in globs {
            // `**/x` is `x` in every directory.
            let name = glob.strip_prefix("**/").unwrap_or(glob);
            // A class may reach from a capital to a sign.
            let (which, text) = match (glob.contains(['[', '\\']), name.contains('/')) {
                (true, _) => (2, glob.to_owned()),
                (false, true) => (1, glob.to_ascii_lowercase()),
                (false, false) => (0, name.to_ascii_lowercase()),
            };
            let mut built = GlobBuilder::new(&text);
            built.literal_separator(true).case_insensitive(which == 2);
            sets[which].add(built.build()?);
        }
        let [names, paths, odd] = sets;
        Ok(Self { names: names.build()?, paths: paths.build()?, odd: odd.build()? })
    }

    /// Whether a path, or its last name, is hit.
    fn hit(&self, path: &Path) -> bool {
        let hits = |set: &GlobSet, path: &Path, name: &OsStr| {
            !set.is_empty() && (set.is_match(path) || set.is_match(name))
        };
        let small = path.as_os_str().to_ascii_lowercase();
        let (name, small) = (path.file_name().unwrap_or_default(), Path::new(&small));
        let small_name = small.file_name().unwrap_or_default();
        self.names.is_match(small_name)
            || hits(&self.paths, small, small_name)
            || hits(&self.odd, path, name)
    }
}

impl Guard {
    /// Blocks these globs and, always, every `.git`: its config may hold credentials. A glob is
    /// compared with the relative path and with the name, of the path and of each of its parents,
    /// without regard to case (a file system may not regard it either).
    pub(super) fn new(globs: &[String]) -> Result<Self, ContextError> {
        let all = globs.iter().map(String::as_str).chain([".git"]);
        let blocked =
            Blocked::new(all).map_err(|error| ContextError::Pattern(error.to_string()))?;
        Ok(Self { blocked: Arc::new(blocked), count: globs.len(), private: Vec::new() })
    }

    pub(super) fn hide(&mut self, canonical: PathBuf) {
        self.private.push(canonical);
    }

    /// How many globs the operator blocks.
    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// Whether a canonical path is in a private directory.
    pub(super) fn is_private(&self, canonical: &Path) -> bool {
        // Letters first: nearly every path differs in them, and they are compared fast.
        let letters = canonical.as_os_str().as_bytes();
        let may = |dir: &&PathBuf| letters.starts_with(dir.as_os_str().as_bytes());
        self.private.iter().filter(may).any(|dir| canonical.starts_with(dir))
    }

    /// Whether a path relative to its workspace is blocked, by itself or by one of its parents.
    pub(super) fn is_blocked(&self, relative: &Path) -> bool {
        relative.ancestors().filter(|path| !path.as_os_str().is_empty()).any(|path| self.hits(path))
    }

    /// As [`Guard::is_blocked`] for a path whose parents were checked already.
    pub(super) fn hits(&self, relative: &Path) -> bool {
        self.blocked.hit(relative)
    }

    /// Takes a path of a chat to one relative to `root`, by its letters alone: an absolute path
    /// below the root is accepted, `..` is not. For what may not exist on disk.
    pub(super) fn relative(&self, root: &Path, named: &Path) -> Result<PathBuf, ContextError> {
        let text = || named.to_string_lossy().into_owned();
        let inner = if named.is_absolute() {
            named.strip_prefix(root).map_err(|_| ContextError::Escapes(text()))?
        } else {
            named
        };
        let mut clean = PathBuf::new();
        for part in inner.components() {
            match part {
                Component::Normal(name) => clean.push(name),
                Component::CurDir => {}
                _ => return Err(ContextError::Escapes(text())),
            }
        }
        if self.is_blocked(&clean) {
            return Err(ContextError::Blocked(text()));
        }
        Ok(clean)
    }

    /// Resolves a path of a chat below `root`: what it names and what links make of it must both be
    /// inside, not blocked and not private.
    pub(super) fn resolve(&self, root: &Path, named: &Path) -> Result<RepoPath, ContextError> {
        let text = || named.to_string_lossy().into_owned();
        let relative = self.relative(root, named)?;
        let found = AllowedRoots::inside(root, &relative).map_err(|error| match error {
            PathError::Malformed(_) => ContextError::Malformed(text()),
            _ => ContextError::Escapes(text()),
        })?;
        let real = found.absolute.strip_prefix(root).map_err(|_| ContextError::Escapes(text()))?;
        if self.is_blocked(real) || self.is_private(&found.absolute) {
            return Err(ContextError::Blocked(text()));
        }
        Ok(found)
    }

    /// Opens a resolved path for reading; a link put there in the meantime is refused.
    pub(super) fn open(&self, root: &Path, place: &RepoPath) -> Result<File, ContextError> {
        let shown = || place.relative.to_string_lossy().into_owned();
        let real = place.absolute.strip_prefix(root).map_err(|_| ContextError::Escapes(shown()))?;
        let opened = Beneath::new(root).and_then(|beneath| beneath.open(real));
        opened.map_err(|source| match source {
            Errno::NOENT | Errno::NOTDIR => ContextError::NoFile(shown()),
            Errno::LOOP | Errno::XDEV => ContextError::Escapes(shown()),
            Errno::NXIO => ContextError::NotAFile(shown()),
            other => ContextError::Io { path: shown(), source: other.into() },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guard() -> Guard {
        Guard::new(&crate::config::SecurityConfig::default().blocked_globs).unwrap()
    }

    #[test]
    fn blocked_globs_reach_parents_names_and_any_case() {
        let guard = guard();
        for hidden in [
            ".git",
            ".git/config",
            "sub/.git/config",
            ".GIT/HEAD",
            ".env",
            "a/.env.local",
            "k/x.PEM",
        ] {
            assert!(guard.is_blocked(Path::new(hidden)), "{hidden}");
        }
        for shown in ["", ".gitignore", "src/env", "environment", "key", "git/config"] {
            assert!(!guard.is_blocked(Path::new(shown)), "{shown}");
        }
    }

    #[test]
    fn any_glob_is_without_regard_to_case() {
        let globs =
            ["Keys/**", "*.[A-C]x", "\\Z*", "ÄRGER-*", "{One,two}.txt", "{c/d,e}.md", "**/a/Deep"]
                .map(str::to_owned);
        let guard = Guard::new(&globs).unwrap();
        for hidden in [
            "kEYS/a",
            "y.bX",
            "y.CX",
            "zoo",
            "Zoo",
            "ÄRGER-x",
            "ÄRgEr-1",
            "oNE.TXT",
            "x/two.txt",
            "E.md",
            "x/e.md",
            "C/d.md",
            "x/A/deep",
        ] {
            assert!(guard.hits(Path::new(hidden)), "{hidden}");
        }
        for shown in ["keys", "y.dx", "a/zoo/b", "two.text", "x/c/d.md", "deep"] {
            assert!(!guard.hits(Path::new(shown)), "{shown}");
        }
    }

    #[test]
    fn a_link_swapped_in_after_resolution_is_refused() {
        let dir = crate::context::testbed::tmp();
        let root = dir.path().join("repo");
        std::fs::create_dir_all(root.join("a")).unwrap();
        let root = root.canonicalize().unwrap();
        std::fs::write(root.join("a/file"), "mine").unwrap();
        std::fs::create_dir(dir.path().join("other")).unwrap();
        std::fs::write(dir.path().join("other/file"), "secret").unwrap();
        let guard = guard();
        let place = guard.resolve(&root, Path::new("a/file")).unwrap();
        assert!(guard.open(&root, &place).is_ok());
        std::fs::rename(root.join("a"), root.join("b")).unwrap();
        std::os::unix::fs::symlink("../other", root.join("a")).unwrap();
        assert!(guard.open(&root, &place).is_err());
    }

    #[test]
    fn absolute_paths_count_below_the_root_only() {
        let guard = guard();
        let root = Path::new("/r/repo");
        assert_eq!(guard.relative(root, Path::new("/r/repo/a/b")).unwrap(), Path::new("a/b"));
        assert!(matches!(
            guard.relative(root, Path::new("/r/other")),
            Err(ContextError::Escapes(_))
        ));
        assert!(matches!(guard.relative(root, Path::new("a/../b")), Err(ContextError::Escapes(_))));
        assert!(matches!(guard.relative(root, Path::new(".env")), Err(ContextError::Blocked(_))));
    }
}
