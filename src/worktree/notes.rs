use super::{Snapshot, WorktreeError};
use crate::git::{GitPath, Repo};

/// Most ignored names that a snapshot remembers.
const NAMED: usize = 50;

/// What a snapshot says beside its tree; kept in the message and parents of its commit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SnapshotNotes {
    /// Nested repositories: their files are not in the snapshot.
    pub nested: Vec<GitPath>,
    /// Files that git refuses to hold, by name or because a filter fails: not in the snapshot's tree;
    /// their bytes are in `raw_commit`.
    pub refused: Vec<GitPath>,
    /// How many ignored files or directories there were; none of them is in the snapshot.
    pub ignored_count: usize,
    /// The first fifty of them, in git's order.
    pub ignored: Vec<GitPath>,
    /// A commit with the exact bytes of files that git's filters would not give back.
    pub raw_commit: Option<String>,
}

impl SnapshotNotes {
    pub(super) fn message(&self, snapshot: &str) -> String {
        let mut text = format!("patchbay snapshot {snapshot}\n\nignored: {}\n", self.ignored_count);
        for path in &self.nested {
            text.push_str(&format!("nested-b64: {}\n", path.b64()));
        }
        for path in &self.refused {
            text.push_str(&format!("refused-b64: {}\n", path.b64()));
        }
        for path in self.ignored.iter().take(NAMED) {
            text.push_str(&format!("ignored-b64: {}\n", path.b64()));
        }
        text
    }

    /// Reads the notes of a snapshot back.
    ///
    /// # Errors
    /// When the snapshot's commit is gone.
    pub async fn read(repo: &Repo, snapshot: &Snapshot) -> Result<Self, WorktreeError> {
        let run = repo.git.run(&repo.root, "cat-file").args(["commit", &snapshot.commit]);
        Ok(Self::parse(&String::from_utf8_lossy(&run.ok().await?.stdout)))
    }

    fn parse(commit: &str) -> Self {
        let (head, message) = commit.split_once("\n\n").unwrap_or((commit, ""));
        let raw_commit =
            head.lines().filter_map(|line| line.strip_prefix("parent ")).nth(1).map(str::to_owned);
        let mut notes = Self { raw_commit, ..Self::default() };
        for line in message.lines() {
            match line.split_once(": ") {
                Some(("ignored", count)) => notes.ignored_count = count.parse().unwrap_or(0),
                Some(("nested-b64", path)) => notes.nested.extend(GitPath::from_b64(path)),
                Some(("refused-b64", path)) => notes.refused.extend(GitPath::from_b64(path)),
                Some(("ignored-b64", path)) => notes.ignored.extend(GitPath::from_b64(path)),
                _ => {}
            }
        }
        notes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_survive_a_commit() {
        let notes = SnapshotNotes {
            nested: vec![GitPath::new(b"n\n\xff".to_vec())],
            refused: vec![GitPath::from("git~1")],
            ignored_count: 2,
            ignored: vec![GitPath::from("target/"), GitPath::from("a b")],
            raw_commit: Some("f".repeat(40)),
        };
        let head = format!("tree t\nparent p\nparent {}\nauthor a", "f".repeat(40));
        let commit = format!("{head}\n\n{}", notes.message("snp_1"));
        assert_eq!(SnapshotNotes::parse(&commit), notes);
    }
}
