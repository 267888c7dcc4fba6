use super::{GitError, GitRun, Page, Repo};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::time::Duration;

/// Most bytes of a list of changed paths that are read.
const MAX_LIST: usize = 16 << 20;

/// Which difference of a checkout is meant.
#[derive(Debug, Clone, Default)]
pub struct DiffScope {
    /// Index against HEAD; otherwise working tree against index.
    pub staged: bool,
    /// Only this path and what is below it, relative to the root.
    pub only: Option<Vec<u8>>,
    /// Paths that are left out.
    pub without: Vec<Vec<u8>>,
}

/// One path that differs, without its lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DiffStat {
    /// Path relative to the root.
    pub path: Vec<u8>,
    /// Where a renamed or copied file was.
    pub from: Option<Vec<u8>>,
    /// Git's letter: A, C, D, M, R, T (type), U (conflict).
    pub kind: char,
    /// File modes before and after, `000000` for absent.
    pub modes: (String, String),
    /// Added lines; none for a binary file or a conflict.
    pub additions: Option<u64>,
    /// Removed lines; none for a binary file or a conflict.
    pub deletions: Option<u64>,
}

impl Repo {
    /// The paths that differ, sorted, with their line counts, and whether there were more. Untracked
    /// files are not among them. Nothing is written and no program of the repository runs.
    ///
    /// # Errors
    /// When git fails or takes longer than `limit`.
    pub async fn diff_stats(
        &self,
        scope: &DiffScope,
        limit: Duration,
    ) -> Result<(Vec<DiffStat>, bool), GitError> {
        let run = self.diff(scope, &["--raw", "--numstat", "-z", "--abbrev=40"]).await?;
        let page = run.page(MAX_LIST, limit).await?;
        let stats = parse(&page.stdout, page.cut);
        stats.map(|s| (s, page.cut)).ok_or(GitError::Unexpected { verb: "diff".to_owned() })
    }

    /// The difference as a patch of at most `max` bytes.
    ///
    /// # Errors
    /// When git fails or takes longer than `limit`.
    pub async fn diff_patch(
        &self,
        scope: &DiffScope,
        max: usize,
        limit: Duration,
    ) -> Result<Page, GitError> {
        self.diff(scope, &["--patch", "--unified=3"]).await?.page(max, limit).await
    }

    async fn diff(&self, scope: &DiffScope, form: &[&str]) -> Result<GitRun, GitError> {
        let mut run = self
            .look("diff")
            .await?
            .config("diff.orderFile=/dev/null")
            .config("diff.suppressBlankEmpty=false")
            .config("diff.interHunkContext=0")
            .config("core.quotePath=true")
            .args(["--no-color", "--no-ext-diff", "--no-textconv", "--find-renames"])
            .args(["--no-relative", "--src-prefix=a/", "--dst-prefix=b/"])
            .args(["--ignore-submodules=dirty", "--submodule=short"])
            .args(form);
        if scope.staged {
            run = run.arg("--cached");
        }
        // Excluding needs pathspec magic; every path in it is literal.
        let only = scope.only.as_deref().unwrap_or_default();
        run = run.env("GIT_LITERAL_PATHSPECS", "0").arg("--");
        run = run.arg(pathspec(":(top,literal)", only));
        Ok(run.args(scope.without.iter().map(|p| pathspec(":(top,exclude,literal)", p))))
    }
}

fn pathspec(magic: &str, path: &[u8]) -> OsString {
    OsString::from_vec([magic.as_bytes(), path].concat())
}

/// Reads `--raw --numstat -z`: first all raw records, then all counts.
fn parse(raw: &[u8], cut: bool) -> Option<Vec<DiffStat>> {
    let mut fields: Vec<&[u8]> = raw.split(|b| *b == 0).collect();
    fields.pop();
    let mut fields = fields.into_iter();
    let mut found: BTreeMap<Vec<u8>, (DiffStat, bool)> = BTreeMap::new();
    while let Some(field) = fields.next() {
        let read = if field.first() == Some(&b':') {
            raw_record(field, &mut fields).map(|stat| {
                let same = stat.kind == 'M' && stat.modes.0 == stat.modes.1;
                // A conflict has a second record, against our side; the first one counts.
                found.entry(stat.path.clone()).or_insert((stat, !same));
            })
        } else {
            count_record(field, &mut fields).map(|(path, additions, deletions)| {
                if let Some((stat, real)) = found.get_mut(&path).filter(|(s, _)| s.kind != 'U') {
                    *real = true;
                    (stat.additions, stat.deletions) = (additions, deletions);
                }
            })
        };
        match read {
            Some(()) => {}
            None if cut => break,
            None => return None,
        }
    }
    // A file that was only touched has a raw record and no counts: it does not differ.
    Some(found.into_values().filter(|(_, real)| *real).map(|(stat, _)| stat).collect())
}

fn raw_record<'a>(field: &[u8], rest: &mut impl Iterator<Item = &'a [u8]>) -> Option<DiffStat> {
    let text = std::str::from_utf8(field.get(1..)?).ok()?;
    let words: Vec<&str> = text.split(' ').collect();
    let [old, new, _, _, letter] = words.as_slice() else { return None };
    let kind = letter.chars().next()?;
    let first = rest.next()?.to_vec();
    let (path, from) = if matches!(kind, 'R' | 'C') {
        (rest.next()?.to_vec(), Some(first))
    } else {
        (first, None)
    };
    let modes = ((*old).to_owned(), (*new).to_owned());
    Some(DiffStat { path, from, kind, modes, additions: None, deletions: None })
}

type Counts = (Vec<u8>, Option<u64>, Option<u64>);

fn count_record<'a>(field: &[u8], rest: &mut impl Iterator<Item = &'a [u8]>) -> Option<Counts> {
    let mut parts = field.splitn(3, |b| *b == b'\t');
    let mut number = || Some(std::str::from_utf8(parts.next()?).ok()?.parse().ok());
    let (additions, deletions) = (number()?, number()?);
    let path = match parts.next()? {
        b"" => {
            rest.next()?;
            rest.next()?.to_vec()
        }
        path => path.to_vec(),
    };
    Some((path, additions, deletions))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn touched_files_do_not_differ_and_counts_find_their_path() {
        let raw = b":100644 100644 a b M\0touched\0:100644 100644 a b M\0bin\0\
            :100644 100755 a a M\0mode\0:100644 100644 a b R090\0old\0new name\0\
            :000000 000000 a b U\0torn\0\
            -\t-\tbin\0\x30\t0\tmode\0\x33\t1\t\0old\0new name\0";
        let stats = parse(raw, false).unwrap();
        let seen: Vec<(&[u8], char, Option<u64>)> =
            stats.iter().map(|s| (s.path.as_slice(), s.kind, s.additions)).collect();
        assert_eq!(
            seen,
            [
                (b"bin".as_slice(), 'M', None),
                (b"mode", 'M', Some(0)),
                (b"new name", 'R', Some(3)),
                (b"torn", 'U', None)
            ]
        );
        assert_eq!(stats[2].from.as_deref(), Some(b"old".as_slice()));
    }
}
