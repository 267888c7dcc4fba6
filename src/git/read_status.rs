use super::{GitError, Repo};
use std::time::Duration;

/// Most bytes of a status that are read: about 100,000 changed paths.
const MAX_BYTES: usize = 8 << 20;

/// How a checkout differs from its commit, as `git status` sees it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Status {
    /// The commit of HEAD; none before the first.
    pub head: Option<String>,
    /// The branch; none when HEAD is detached.
    pub branch: Option<String>,
    /// The branch's upstream.
    pub upstream: Option<String>,
    /// Commits that the upstream has not; known only with an upstream that exists.
    pub ahead: Option<u64>,
    /// Commits of the upstream that the branch has not.
    pub behind: Option<u64>,
    /// A merge, rebase, cherry-pick, revert or bisect that is under way.
    pub operation: Option<&'static str>,
    /// Changed and untracked paths, sorted; an untracked directory is one entry that ends with `/`.
    pub entries: Vec<StatusEntry>,
    /// Whether there were more than are listed.
    pub cut: bool,
}

/// One changed or untracked path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusEntry {
    /// Path relative to the root.
    pub path: Vec<u8>,
    /// Where a renamed or copied file was.
    pub from: Option<Vec<u8>>,
    /// Index against HEAD: git's letter, `.` for unchanged, `?` for untracked.
    pub index: char,
    /// Working tree against index: git's letter, `.` for unchanged, `?` for untracked.
    pub worktree: char,
    /// Whether a merge left it in conflict.
    pub conflict: bool,
}

impl StatusEntry {
    /// Whether git does not track it.
    #[must_use]
    pub fn untracked(&self) -> bool {
        self.index == '?'
    }
}

impl Repo {
    /// Reads the status of the checkout without writing to it. What is inside a submodule's working
    /// tree is not looked at; a submodule at another commit counts as modified.
    ///
    /// # Errors
    /// When git fails or takes longer than `limit`.
    pub async fn status(&self, limit: Duration) -> Result<Status, GitError> {
        let page = self
            .look("status")
            .await?
            .args(["--porcelain=v2", "-z", "--branch", "--untracked-files=normal"])
            .args(["--ignore-submodules=dirty", "--find-renames", "--ahead-behind"])
            .page(MAX_BYTES, limit)
            .await?;
        let mut status = parse(&page.stdout, page.cut)?;
        status.operation = self.operation();
        Ok(status)
    }

    fn operation(&self) -> Option<&'static str> {
        [
            ("rebase-merge", "rebase"),
            ("rebase-apply", "rebase"),
            ("MERGE_HEAD", "merge"),
            ("CHERRY_PICK_HEAD", "cherry-pick"),
            ("REVERT_HEAD", "revert"),
            ("BISECT_LOG", "bisect"),
        ]
        .into_iter()
        .find(|(mark, _)| self.git_dir.join(mark).symlink_metadata().is_ok())
        .map(|(_, operation)| operation)
    }
}

fn parse(raw: &[u8], cut: bool) -> Result<Status, GitError> {
    let mut status = Status { cut, ..Status::default() };
    let mut records: Vec<&[u8]> = raw.split(|b| *b == 0).collect();
    // After the last NUL stands nothing, or a record that was cut.
    records.pop();
    let mut records = records.into_iter();
    while let Some(record) = records.next() {
        match record.first() {
            Some(b'#') => header(&mut status, &String::from_utf8_lossy(record)),
            Some(b'1') => status.entries.extend(entry(record, 8, None)),
            Some(b'2') => match records.next() {
                Some(from) => status.entries.extend(entry(record, 9, Some(from.to_vec()))),
                None if cut => break,
                None => return Err(GitError::Unexpected { verb: "status".to_owned() }),
            },
            Some(b'u') => {
                let found = entry(record, 10, None);
                status.entries.extend(found.map(|e| StatusEntry { conflict: true, ..e }));
            }
            Some(b'?') => status.entries.push(StatusEntry {
                path: record.get(2..).unwrap_or_default().to_vec(),
                from: None,
                index: '?',
                worktree: '?',
                conflict: false,
            }),
            _ => return Err(GitError::Unexpected { verb: "status".to_owned() }),
        }
    }
    status.entries.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(status)
}

fn header(status: &mut Status, line: &str) {
    let mut words = line.split(' ').skip(1);
    let (key, value) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    match (key, value) {
        ("branch.oid", "(initial)") | ("branch.head", "(detached)") => {}
        ("branch.oid", oid) => status.head = Some(oid.to_owned()),
        ("branch.head", name) => status.branch = Some(name.to_owned()),
        ("branch.upstream", name) => status.upstream = Some(name.to_owned()),
        ("branch.ab", ahead) => {
            status.ahead = ahead.trim_start_matches('+').parse().ok();
            status.behind = words.next().and_then(|w| w.trim_start_matches('-').parse().ok());
        }
        _ => {}
    }
}

/// Reads `<kind> <XY> …` where the path is the field `at`, counted from 0.
fn entry(record: &[u8], at: usize, from: Option<Vec<u8>>) -> Option<StatusEntry> {
    let path = record.splitn(at + 1, |b| *b == b' ').nth(at)?.to_vec();
    let (index, worktree) = (char::from(*record.get(2)?), char::from(*record.get(3)?));
    Some(StatusEntry { path, from, index, worktree, conflict: false })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_record_is_read() {
        let raw = b"# branch.oid 12ab\0# branch.head ma in\0# branch.upstream origin/x\0# branch.ab +2 -3\0\
            1 .M N... 100644 100644 100644 aa bb name with space\0\
            2 R. N... 100644 100644 100644 aa bb R100 new\xff\0old\nname\0\
            u UU N... 100644 100644 100644 100644 aa bb cc torn\0\
            ? dir/\0";
        let status = parse(raw, false).unwrap();
        assert_eq!((status.ahead, status.behind), (Some(2), Some(3)));
        assert_eq!(status.upstream.as_deref(), Some("origin/x"));
        let paths: Vec<&[u8]> = status.entries.iter().map(|e| e.path.as_slice()).collect();
        assert_eq!(paths, [b"dir/".as_slice(), b"name with space", b"new\xff", b"torn"]);
        assert!(status.entries[0].untracked());
        assert_eq!((status.entries[1].index, status.entries[1].worktree), ('.', 'M'));
        assert_eq!(status.entries[2].from.as_deref(), Some(b"old\nname".as_slice()));
        assert!(status.entries[3].conflict);
    }

    #[test]
    fn a_cut_record_is_dropped_and_a_strange_one_refused() {
        let status = parse(b"? a\0? half", true).unwrap();
        assert_eq!(status.entries.len(), 1);
        assert!(parse(b"x what\0", false).is_err());
    }
}
