use super::program::Begun;
use super::{GitError, Repo};

/// Two runs of git that write down a commit and the ref that keeps it as soon as they are known. They start
/// while its tree is still being made, because each start takes as long as the work itself.
#[derive(Debug)]
pub struct Pen {
    commit: Begun,
    reference: Begun,
}

/// What a commit is made of.
#[derive(Debug, Clone, Copy)]
pub struct NewCommit<'a> {
    /// Id of its tree.
    pub tree: &'a str,
    /// Ids of its parents.
    pub parents: &'a [&'a str],
    /// Its time, in Unix milliseconds.
    pub at: i64,
    /// Its message; ends with a newline.
    pub message: &'a str,
}

impl NewCommit<'_> {
    /// The object as git stores it.
    fn text(&self) -> String {
        let mut text = format!("tree {}\n", self.tree);
        for parent in self.parents {
            text.push_str(&format!("parent {parent}\n"));
        }
        let seconds = self.at.div_euclid(1000);
        for role in ["author", "committer"] {
            text.push_str(&format!("{role} patchbay <patchbay@localhost> {seconds} +0000\n"));
        }
        text + "\n" + self.message
    }
}

impl Pen {
    /// Starts both runs. Dropped unused, they end.
    ///
    /// # Errors
    /// When git cannot be started.
    pub fn ready(repo: &Repo) -> Result<Self, GitError> {
        let commit = repo.git.run(&repo.root, "hash-object");
        let commit = commit.args(["-t", "commit", "-w", "--stdin"]).begin()?;
        let reference = repo.git.run(&repo.root, "update-ref").args(["-z", "--stdin"]).begin()?;
        Ok(Self { commit, reference })
    }

    /// Writes the commit, then a new ref to it; returns its id.
    ///
    /// # Errors
    /// When git fails, or there is such a ref.
    pub async fn write(self, commit: NewCommit<'_>, reference: &str) -> Result<String, GitError> {
        let id = self.commit.end(commit.text().into_bytes()).await?.line();
        let create = format!("create {reference}\0{id}\0");
        self.reference.end(create.into_bytes()).await?;
        Ok(id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::git::testbed::TestRepo;

    #[tokio::test]
    async fn a_commit_is_what_git_itself_would_write() {
        let bed = TestRepo::new(&[("a", "a\n")]).await;
        let (head, tree) =
            (bed.run(&["rev-parse", "HEAD"]).await, bed.run(&["rev-parse", "HEAD^{tree}"]).await);
        let parents = [head.as_str(), head.as_str()];
        let commit = NewCommit {
            tree: &tree,
            parents: &parents[..1],
            at: 1_700_000_000_999,
            message: "m\n",
        };
        let pen = || Pen::ready(&bed.repo).unwrap();
        let id = pen().write(commit, "refs/patchbay/one").await.unwrap();
        assert_eq!(bed.run(&["rev-parse", "refs/patchbay/one"]).await, id);
        let theirs = bed.git.run(&bed.repo.root, "commit-tree").stdin(b"m\n".to_vec());
        let theirs = theirs.env("GIT_AUTHOR_DATE", "1700000000 +0000");
        let theirs = theirs.env("GIT_COMMITTER_DATE", "1700000000 +0000");
        let theirs = theirs.args(["-p", &head, "-F", "-", &tree]).ok().await.unwrap();
        assert_eq!(theirs.line(), id);
        assert!(pen().write(commit, "refs/patchbay/one").await.is_err(), "a ref is not replaced");
        let nothing = NewCommit { tree: "no tree", ..commit };
        assert!(pen().write(nothing, "refs/patchbay/two").await.is_err());
        drop(pen());
        bed.run(&["fsck", "--strict"]).await;
    }
}
