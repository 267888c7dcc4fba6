use super::{Entry, GitError, GitPath, Repo};
use std::path::PathBuf;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};

impl Repo {
    /// Every file, link and submodule of a tree (or commit), ordered by path.
    ///
    /// # Errors
    /// When git fails, or the id names nothing.
    pub async fn entries(&self, tree: &str) -> Result<Vec<(GitPath, Entry)>, GitError> {
        let args = ["-r", "-z", "--full-tree", "--end-of-options", tree];
        let out = self.git.run(&self.root, "ls-tree").args(args).ok().await?;
        let records = out.stdout.split(|b| *b == 0).filter(|record| !record.is_empty());
        let read = |record: &[u8]| {
            let tab = record.iter().position(|b| *b == b'\t')?;
            let head = std::str::from_utf8(&record[..tab]).ok()?;
            let mut words = head.split(' ');
            let mode = u32::from_str_radix(words.next()?, 8).ok()?;
            let oid = words.nth(1)?.to_owned();
            Some((GitPath::new(&record[tab + 1..]), Entry { mode, oid }))
        };
        let unexpected = || GitError::Unexpected { verb: "ls-tree".to_owned() };
        records.map(|record| read(record).ok_or_else(unexpected)).collect()
    }

    /// Writes blobs into files, in one run of git and without holding more than a piece in memory.
    ///
    /// # Errors
    /// When a blob is missing, or a file cannot be written.
    pub async fn blobs_to_files(&self, wanted: &[(String, PathBuf)]) -> Result<(), GitError> {
        if wanted.is_empty() {
            return Ok(());
        }
        let run = self.git.run(&self.root, "cat-file").arg("--batch").stdin(Vec::new());
        let mut child = run.command().spawn().map_err(GitError::NoProgram)?;
        let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
        let feed = async {
            if let Some(mut pipe) = stdin {
                for (oid, _) in wanted {
                    // A git that ends early says so with what it printed.
                    let _ = pipe.write_all(format!("{oid}\n").as_bytes()).await;
                }
            }
        };
        let read = async {
            let unexpected = || GitError::Unexpected { verb: "cat-file".to_owned() };
            let mut pipe = BufReader::new(stdout.ok_or_else(unexpected)?);
            for (_, path) in wanted {
                let io = |source| GitError::Io { path: path.clone(), source };
                let mut head = String::new();
                pipe.read_line(&mut head).await.map_err(GitError::NoProgram)?;
                let size = head.trim_end().split(" blob ").nth(1).and_then(|n| n.parse().ok());
                let size: u64 = size.ok_or_else(unexpected)?;
                let mut file = tokio::fs::File::create(path).await.map_err(io)?;
                let copied = tokio::io::copy(&mut (&mut pipe).take(size), &mut file).await;
                if copied.map_err(io)? != size || pipe.read_u8().await.ok() != Some(b'\n') {
                    return Err(unexpected());
                }
                file.flush().await.map_err(io)?;
            }
            Ok(())
        };
        let ((), read) = tokio::join!(feed, read);
        read?;
        child.wait().await.map_err(GitError::NoProgram)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::git::GitPath;
    use crate::git::testbed::TestRepo;

    #[tokio::test]
    async fn blobs_come_as_they_are_and_a_missing_one_is_an_error() {
        let bed = TestRepo::new(&[("a", "a\n\n"), ("empty", ""), ("d/b", "no newline")]).await;
        let entries = bed.repo.entries("HEAD").await.unwrap();
        let names: Vec<String> = entries.iter().map(|(path, _)| path.lossy()).collect();
        assert_eq!(names, ["a", "d/b", "empty"]);
        let file = |n: usize| bed.dir.path().join(n.to_string());
        let wanted: Vec<_> =
            entries.iter().enumerate().map(|(n, (_, e))| (e.oid.clone(), file(n))).collect();
        bed.repo.blobs_to_files(&wanted).await.unwrap();
        let texts: Vec<_> = (0..3).map(|n| std::fs::read_to_string(file(n)).unwrap()).collect();
        assert_eq!(texts, ["a\n\n", "no newline", ""]);
        assert_eq!(entries[0].0, GitPath::from("a"));
        let missing = [("1".repeat(40), file(0))];
        assert!(bed.repo.blobs_to_files(&missing).await.is_err());
    }
}
