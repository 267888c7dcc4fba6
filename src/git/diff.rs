use super::{GitError, GitPath, GitRun, Repo};
use std::collections::HashMap;

/// Mode of a symbolic link in a tree.
pub const MODE_LINK: u32 = 0o120_000;
/// Mode of a submodule (a commit of another repository) in a tree.
pub const MODE_SUBMODULE: u32 = 0o160_000;
/// Mode of an executable file in a tree.
pub const MODE_EXECUTABLE: u32 = 0o100_755;

/// What happened to a path between two trees.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ChangeKind {
    /// It is new.
    Added,
    /// Content or mode differ.
    Modified,
    /// It is gone.
    Deleted,
    /// It has moved, perhaps with edits.
    Renamed,
    /// It became another kind of thing: file, link or submodule.
    TypeChanged,
}

/// One side of a path: its mode and object. Absent = the path does not exist there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// `100644`, `100755`, `120000` or `160000`, as a number.
    pub mode: u32,
    /// The object's id.
    pub oid: String,
}

/// One changed path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Where it is now; for a deleted path, where it was.
    pub path: GitPath,
    /// What happened.
    pub kind: ChangeKind,
    /// Where a renamed path was.
    pub old_path: Option<GitPath>,
    /// Before.
    pub old: Option<Entry>,
    /// After.
    pub new: Option<Entry>,
    /// Whether git takes the content for binary.
    pub binary: bool,
    /// Added lines; 0 for binary content.
    pub additions: u64,
    /// Removed lines; 0 for binary content.
    pub deletions: u64,
}

impl Change {
    /// Whether the executable bit, or the kind of file, changed.
    #[must_use]
    pub fn mode_changed(&self) -> bool {
        matches!((&self.old, &self.new), (Some(old), Some(new)) if old.mode != new.mode)
    }
}

/// A diff as text.
#[derive(Debug, Clone)]
pub struct FileDiff {
    /// Unified diff, exact bytes, at most as many as were asked for.
    pub text: Vec<u8>,
    /// Whether something was cut off.
    pub truncated: bool,
    /// Length before the cut.
    pub total_bytes: usize,
}

/// A file as a tree holds it.
#[derive(Debug, Clone)]
pub struct FileAt {
    /// Mode and object.
    pub entry: Entry,
    /// Content (the target, for a link); empty for a submodule.
    pub bytes: Vec<u8>,
}

impl Repo {
    /// The paths that differ between two trees (or commits), renames found, ordered by path.
    ///
    /// # Errors
    /// When git fails, or an id names nothing.
    pub async fn changes(&self, from: &str, to: &str) -> Result<Vec<Change>, GitError> {
        changes_between(self.git.run(&self.root, "diff-tree"), from, to, true).await
    }

    /// The unified diff of one path (and of its old path, if it moved) between two trees.
    ///
    /// # Errors
    /// When git fails, or an id names nothing.
    pub async fn file_diff(
        &self,
        from: &str,
        to: &str,
        paths: &[&GitPath],
        max_bytes: usize,
    ) -> Result<FileDiff, GitError> {
        let mut text = self
            .git
            .run(&self.root, "diff-tree")
            .args(["-r", "-p", "-M", "--full-index", "--no-color", "--no-ext-diff"])
            .args(["--no-textconv", "--src-prefix=a/", "--dst-prefix=b/"])
            .args(["--end-of-options", from, to, "--"])
            .args(paths.iter().map(|p| p.as_path()))
            .ok()
            .await?
            .stdout;
        let total_bytes = text.len();
        text.truncate(max_bytes);
        Ok(FileDiff { truncated: text.len() < total_bytes, text, total_bytes })
    }

    /// The file at `path` in a tree (or commit); `None` when there is none, or a directory.
    ///
    /// # Errors
    /// When git fails, or the id names nothing.
    pub async fn file_at(&self, tree: &str, path: &GitPath) -> Result<Option<FileAt>, GitError> {
        let Some(entry) = self.entry_at(tree, path).await? else { return Ok(None) };
        let bytes =
            if entry.mode == MODE_SUBMODULE { Vec::new() } else { self.blob(&entry.oid).await? };
        Ok(Some(FileAt { entry, bytes }))
    }

    /// Mode and object of `path` in a tree (or commit); `None` when there is none, or a directory.
    ///
    /// # Errors
    /// When git fails, or the id names nothing.
    pub async fn entry_at(&self, tree: &str, path: &GitPath) -> Result<Option<Entry>, GitError> {
        entry_from(self.git.run(&self.root, "ls-tree"), tree, path).await
    }

    /// Content of a blob.
    ///
    /// # Errors
    /// When there is none with this id.
    pub async fn blob(&self, oid: &str) -> Result<Vec<u8>, GitError> {
        let run = self.git.run(&self.root, "cat-file").args(["blob", oid]);
        Ok(run.ok().await?.stdout)
    }
}

/// Ends a run of `ls-tree` that was begun elsewhere.
pub(super) async fn entry_from(
    run: GitRun,
    tree: &str,
    path: &GitPath,
) -> Result<Option<Entry>, GitError> {
    let args = ["-z", "--full-tree", "--end-of-options", tree, "--"];
    let out = run.args(args).arg(path.as_path()).ok().await?;
    let line = out.stdout.split(|b| *b == 0).next().unwrap_or_default();
    let head = line.split(|b| *b == b'\t').next().unwrap_or_default();
    let text = String::from_utf8_lossy(head);
    let mut words = text.split(' ');
    Ok(match (words.next().and_then(octal), words.next(), words.next()) {
        (Some(mode), Some("blob" | "commit"), Some(oid)) => {
            Some(Entry { mode, oid: oid.to_owned() })
        }
        _ => None,
    })
}

/// Ends a run of `diff-tree` that was begun elsewhere.
pub(super) async fn changes_between(
    run: GitRun,
    from: &str,
    to: &str,
    renames: bool,
) -> Result<Vec<Change>, GitError> {
    let run = run
        .args(["-r", "-z", "--raw", "--numstat", "--no-abbrev"])
        .arg(if renames { "-M" } else { "--no-renames" })
        .args(["--no-ext-diff", "--no-textconv", "--end-of-options", from, to, "--"]);
    parse_changes(&run.ok().await?.stdout).ok_or_else(|| unexpected("diff-tree"))
}

pub(super) fn unexpected(verb: &str) -> GitError {
    GitError::Unexpected { verb: verb.to_owned() }
}

fn octal(text: &str) -> Option<u32> {
    u32::from_str_radix(text, 8).ok()
}

/// Reads `--raw -z` records, optionally followed by `--numstat -z` ones.
pub(super) fn parse_changes(bytes: &[u8]) -> Option<Vec<Change>> {
    let mut fields = bytes.split(|b| *b == 0).filter(|f| !f.is_empty());
    let mut changes = Vec::new();
    let mut index: HashMap<GitPath, usize> = HashMap::new();
    while let Some(field) = fields.next() {
        if field.first() == Some(&b':') {
            let change = parse_raw(std::str::from_utf8(field).ok()?, &mut fields)?;
            index.insert(change.path.clone(), changes.len());
            changes.push(change);
        } else {
            let (path, additions, deletions) = parse_numstat(field, &mut fields)?;
            let change = changes.get_mut(*index.get(&path)?)?;
            change.binary = additions.is_none();
            change.additions = additions.unwrap_or(0);
            change.deletions = deletions.unwrap_or(0);
        }
    }
    changes.sort_by(|a, b| a.path.cmp(&b.path));
    Some(changes)
}

fn parse_raw<'a>(head: &str, rest: &mut impl Iterator<Item = &'a [u8]>) -> Option<Change> {
    let mut words = head.get(1..)?.split(' ');
    let (old_mode, new_mode) = (octal(words.next()?)?, octal(words.next()?)?);
    let (old_oid, new_oid) = (words.next()?.to_owned(), words.next()?.to_owned());
    let status = words.next()?.as_bytes().first().copied()?;
    let first = GitPath::new(rest.next()?);
    let (path, old_path) = match status {
        b'R' | b'C' => (GitPath::new(rest.next()?), Some(first)),
        _ => (first, None),
    };
    let kind = match status {
        b'A' | b'C' => ChangeKind::Added,
        b'D' => ChangeKind::Deleted,
        b'R' => ChangeKind::Renamed,
        b'T' => ChangeKind::TypeChanged,
        _ => ChangeKind::Modified,
    };
    let side = |mode, oid| (mode != 0).then_some(Entry { mode, oid });
    Some(Change {
        path,
        kind,
        old_path,
        old: side(old_mode, old_oid),
        new: side(new_mode, new_oid),
        binary: false,
        additions: 0,
        deletions: 0,
    })
}

type Counts = (GitPath, Option<u64>, Option<u64>);

fn parse_numstat<'a>(field: &[u8], rest: &mut impl Iterator<Item = &'a [u8]>) -> Option<Counts> {
    let mut parts = field.splitn(3, |b| *b == b'\t');
    let mut count = || std::str::from_utf8(parts.next()?).ok().map(|text| text.parse().ok());
    let (additions, deletions) = (count()?, count()?);
    let path = match parts.next()? {
        // A rename: the old path and the new one follow.
        [] => {
            rest.next()?;
            GitPath::new(rest.next()?)
        }
        path => GitPath::new(path),
    };
    Some((path, additions, deletions))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_of_both_kinds_are_joined_by_path() {
        let zero = "0".repeat(40);
        let (a, b) = ("a".repeat(40), "b".repeat(40));
        let text = format!(
            ":000000 100755 {zero} {a} A\0new file\0:100644 100644 {a} {b} R090\0old\0moved\n\0\
             :100644 120000 {a} {b} T\0link\03\t0\tnew file\0-\t-\t\0old\0moved\n\01\t1\tlink\0"
        );
        let changes = parse_changes(text.as_bytes()).unwrap();
        let names: Vec<String> = changes.iter().map(|c| c.path.lossy()).collect();
        assert_eq!(names, ["link", "moved\n", "new file"]);
        assert_eq!(changes[1].kind, ChangeKind::Renamed);
        assert!(changes[1].binary);
        assert_eq!(changes[1].old_path, Some(GitPath::from("old")));
        assert_eq!(changes[2].additions, 3);
        assert_eq!(changes[2].new.as_ref().unwrap().mode, MODE_EXECUTABLE);
        assert!(changes[0].mode_changed());
        assert!(parse_changes(b":100644 garbage\0x\0").is_none());
    }
}
