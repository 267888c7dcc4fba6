use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

/// Why a path is refused.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum PathError {
    /// It leaves the root, by `..`, by a link, or because it is absolute.
    #[error("the path leaves the repository: {0}")]
    Escapes(String),
    /// It has a NUL byte, or a component that is no name.
    #[error("not a usable path: {0:?}")]
    Malformed(String),
    /// It is not below any allowed root.
    #[error("not under an allowed root: {0}")]
    NotAllowed(String),
    /// It does not exist.
    #[error("no such directory: {0}")]
    Missing(String),
}

/// A path below a repository, in both forms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RepoPath {
    /// Relative to the root, with `/` between the components; empty for the root itself.
    pub relative: PathBuf,
    /// Absolute; every existing part of it is free of links that leave the root.
    pub absolute: PathBuf,
}

/// The directories a chat may name repositories in.
#[derive(Debug, Clone, Default)]
pub struct AllowedRoots {
    roots: Vec<PathBuf>,
}

impl AllowedRoots {
    /// Takes the roots in the operator's order; the first is the default repository's.
    ///
    /// # Errors
    /// [`PathError::Missing`] for a root that does not exist.
    pub fn new(roots: impl IntoIterator<Item = PathBuf>) -> Result<Self, PathError> {
        let mut canonical: Vec<PathBuf> = Vec::new();
        for root in roots {
            let root = root
                .canonicalize()
                .map_err(|_| PathError::Missing(root.to_string_lossy().into_owned()))?;
            if !canonical.contains(&root) {
                canonical.push(root);
            }
        }
        Ok(Self { roots: canonical })
    }

    /// The roots, canonical, in the operator's order.
    #[must_use]
    pub fn all(&self) -> &[PathBuf] {
        &self.roots
    }

    /// Whether a canonical path is one of the roots or below one.
    #[must_use]
    pub fn contains(&self, canonical: &Path) -> bool {
        self.roots.iter().any(|root| canonical.starts_with(root))
    }

    /// The directory that a chat's selector names: the first root when it is missing or blank, an
    /// absolute path, or a path relative to the first root.
    ///
    /// # Errors
    /// [`PathError::Missing`] or [`PathError::NotAllowed`].
    pub fn resolve(&self, selector: Option<&str>) -> Result<PathBuf, PathError> {
        let text = selector.map(str::trim).unwrap_or_default();
        let first = self.roots.first().ok_or_else(|| PathError::NotAllowed(text.to_owned()))?;
        if text.is_empty() {
            return Ok(first.clone());
        }
        if text.contains('\0') {
            return Err(PathError::Malformed(text.to_owned()));
        }
        let found = first.join(text).canonicalize();
        // Outside of the roots a missing path and a forbidden one answer alike: no probing.
        match found {
            Ok(path) if !self.contains(&path) => Err(PathError::NotAllowed(text.to_owned())),
            Ok(path) if path.is_dir() => Ok(path),
            Ok(_) => Err(PathError::Missing(text.to_owned())),
            Err(_) if Path::new(text).is_absolute() => Err(PathError::NotAllowed(text.to_owned())),
            Err(_) => Err(PathError::Missing(text.to_owned())),
        }
    }

    /// Resolves `relative` below `root` without ever leaving it; the last components need not exist.
    ///
    /// # Errors
    /// [`PathError::Escapes`] or [`PathError::Malformed`].
    pub fn inside(root: &Path, relative: impl AsRef<Path>) -> Result<RepoPath, PathError> {
        let relative = relative.as_ref();
        let text = || relative.to_string_lossy().into_owned();
        let escapes = || PathError::Escapes(text());
        if relative.as_os_str().as_bytes().contains(&0) {
            return Err(PathError::Malformed(text()));
        }
        let mut clean = PathBuf::new();
        for part in relative.components() {
            match part {
                Component::Normal(name) => clean.push(name),
                Component::CurDir => {}
                Component::ParentDir | Component::RootDir | Component::Prefix(_) => {
                    return Err(escapes());
                }
            }
        }
        let root = root.canonicalize().map_err(|_| escapes())?;
        let absolute = resolve_existing(&root.join(&clean)).ok_or_else(escapes)?;
        if !absolute.starts_with(&root) {
            return Err(escapes());
        }
        Ok(RepoPath { relative: clean, absolute })
    }
}

/// Canonicalizes the longest existing part of `path` and appends the rest. A dangling link counts as
/// escaping: what it will point at is not known.
fn resolve_existing(path: &Path) -> Option<PathBuf> {
    let mut rest: Vec<OsString> = Vec::new();
    let mut current = path.to_path_buf();
    loop {
        if let Ok(mut canonical) = current.canonicalize() {
            canonical.extend(rest.iter().rev());
            return Some(canonical);
        }
        if std::fs::symlink_metadata(&current).is_ok() {
            return None;
        }
        rest.push(current.file_name()?.to_os_string());
        current = current.parent()?.to_path_buf();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_leaves_the_root() {
        let dir = tempfile::tempdir_in("target").unwrap();
        let root = dir.path().join("repo");
        std::fs::create_dir_all(root.join("sub")).unwrap();
        std::fs::write(dir.path().join("outside"), "x").unwrap();
        std::os::unix::fs::symlink("../outside", root.join("link")).unwrap();
        std::os::unix::fs::symlink("../nowhere", root.join("dangling")).unwrap();
        for bad in ["../outside", "/etc/passwd", "link", "dangling", "sub/../../outside", "a\0b"] {
            assert!(AllowedRoots::inside(&root, bad).is_err(), "{bad:?}");
        }
        let new = AllowedRoots::inside(&root, "./sub/new/file.txt").unwrap();
        assert_eq!(new.relative, Path::new("sub/new/file.txt"));
        assert!(new.absolute.ends_with("repo/sub/new/file.txt"));
    }

    #[test]
    fn selectors_stay_under_the_roots() {
        let dir = tempfile::tempdir_in("target").unwrap();
        std::fs::create_dir_all(dir.path().join("a/inner")).unwrap();
        std::fs::create_dir_all(dir.path().join("b")).unwrap();
        let roots = AllowedRoots::new([dir.path().join("a")]).unwrap();
        let a = dir.path().join("a").canonicalize().unwrap();
        assert_eq!(roots.resolve(None).unwrap(), a);
        assert_eq!(roots.resolve(Some(" ")).unwrap(), a);
        assert_eq!(roots.resolve(Some("inner")).unwrap(), a.join("inner"));
        assert!(matches!(roots.resolve(Some("../b")), Err(PathError::NotAllowed(_))));
        assert!(matches!(roots.resolve(Some("/no/such")), Err(PathError::NotAllowed(_))));
    }
}
