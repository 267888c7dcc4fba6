use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// A path as git stores it: bytes, relative to the top, `/` between the components.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GitPath(Vec<u8>);

impl GitPath {
    /// Takes the bytes as they are.
    #[must_use]
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Self(bytes.into())
    }

    /// The exact bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The same as a path of the file system.
    #[must_use]
    pub fn as_path(&self) -> &Path {
        Path::new(OsStr::from_bytes(&self.0))
    }

    /// For people: bytes that are not UTF-8 are replaced.
    #[must_use]
    pub fn lossy(&self) -> String {
        String::from_utf8_lossy(&self.0).into_owned()
    }

    /// The exact bytes as base64 when [`GitPath::lossy`] loses something, else `None`.
    #[must_use]
    pub fn exact_b64(&self) -> Option<String> {
        std::str::from_utf8(&self.0).is_err().then(|| self.b64())
    }

    /// The exact bytes as base64.
    #[must_use]
    pub fn b64(&self) -> String {
        STANDARD.encode(&self.0)
    }

    /// The inverse of [`GitPath::b64`].
    #[must_use]
    pub fn from_b64(text: &str) -> Option<Self> {
        STANDARD.decode(text).ok().map(Self)
    }

    /// Whether writing there could only mean the checkout: no empty, `.`, `..` or `.git` component.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        !self.0.is_empty()
            && !self.0.contains(&0)
            && self.0.split(|b| *b == b'/').all(|part| {
                !part.is_empty()
                    && part != b"."
                    && part != b".."
                    && !part.eq_ignore_ascii_case(b".git")
            })
    }
}

impl From<&str> for GitPath {
    fn from(text: &str) -> Self {
        Self(text.as_bytes().to_vec())
    }
}

/// Paths as git reads them from standard input with `-z`.
pub(crate) fn nul_joined<'a>(paths: impl IntoIterator<Item = &'a GitPath>) -> Vec<u8> {
    let mut joined = Vec::new();
    for path in paths {
        joined.extend_from_slice(path.as_bytes());
        joined.push(0);
    }
    joined
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_paths_of_the_checkout_are_plain() {
        for good in ["a", "a/b c", ".gitignore", "x/.github/y", "new\nline"] {
            assert!(GitPath::from(good).is_plain(), "{good:?}");
        }
        for bad in ["", "/a", "a//b", "../a", "a/./b", ".git/config", "a/.GIT/hooks", "a\0b"] {
            assert!(!GitPath::from(bad).is_plain(), "{bad:?}");
        }
    }

    #[test]
    fn bytes_survive() {
        let path = GitPath::new(b"caf\xe9".to_vec());
        assert_eq!(path.lossy(), "caf\u{fffd}");
        assert_eq!(GitPath::from_b64(&path.exact_b64().unwrap()).unwrap(), path);
        assert_eq!(GitPath::from("plain").exact_b64(), None);
    }
}
