use super::diff::{changes_between, parse_changes, unexpected};
use super::path::nul_joined;
use super::{Change, Entry, Git, GitError, GitPath, GitRun, Repo, index};
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// Settings under which a tree says exactly what is on disk.
const EXACT: &[&str] = &[
    "core.trustctime=true",
    "core.checkStat=default",
    "core.splitIndex=false",
    "core.safecrlf=false",
    "add.ignoreErrors=false",
    "advice.addEmbeddedRepo=false",
    "advice.addIgnoredFile=false",
    "advice.updateSparsePath=false",
];

/// A private index over a working tree: what is on disk becomes a tree while the checkout's own
/// index, and (with private objects) its object directory, stay as they are.
#[derive(Debug, Clone)]
pub struct Stage {
    git: Git,
    git_dir: PathBuf,
    pub(super) work_tree: PathBuf,
    index: PathBuf,
    objects: Option<PathBuf>,
    shared_objects: PathBuf,
}

impl Stage {
    /// A stage over the checkout `repo`, its index at `index`. Nothing is read yet.
    #[must_use]
    pub fn new(repo: &Repo, index: PathBuf) -> Self {
        Self {
            git: repo.git.clone(),
            git_dir: repo.git_dir.clone(),
            work_tree: repo.root.clone(),
            index,
            objects: None,
            shared_objects: repo.common_dir.join("objects"),
        }
    }

    /// The same repository, another checkout.
    #[must_use]
    pub fn over(mut self, git_dir: &Path, work_tree: &Path) -> Self {
        self.git_dir = git_dir.to_path_buf();
        self.work_tree = work_tree.to_path_buf();
        self
    }

    /// The same checkout's git directory and index, another place for the files.
    #[must_use]
    pub fn over_work_tree(mut self, work_tree: &Path) -> Self {
        self.work_tree = work_tree.to_path_buf();
        self
    }

    /// The same, with another index.
    #[must_use]
    pub fn with_index(mut self, index: PathBuf) -> Self {
        self.index = index;
        self
    }

    /// New objects go to `dir`; the repository's own are read beside them.
    #[must_use]
    pub fn private_objects(mut self, dir: &Path) -> Self {
        self.objects = Some(dir.to_path_buf());
        self
    }

    /// Begins a run of git with this index, working tree and object directory.
    pub fn run(&self, verb: &str) -> GitRun {
        let mut run = self
            .git
            .run(&self.work_tree, verb)
            .env("GIT_DIR", &self.git_dir)
            .env("GIT_WORK_TREE", &self.work_tree)
            .env("GIT_INDEX_FILE", &self.index);
        if let Some(objects) = &self.objects {
            run = run
                .env("GIT_OBJECT_DIRECTORY", objects)
                .env("GIT_ALTERNATE_OBJECT_DIRECTORIES", quoted(&self.shared_objects));
        }
        EXACT.iter().fold(run, |run, setting| run.config(setting))
    }

    /// Copies the checkout's index, its time included: git tells by that time which files may have
    /// changed within the same clock tick. No index there means an empty one here.
    ///
    /// # Errors
    /// When the file system refuses.
    pub async fn copy_index(&self) -> Result<(), GitError> {
        let from = self.git_dir.join("index");
        let io = |source| GitError::Io { path: self.index.clone(), source };
        match tokio::fs::metadata(&from).await.and_then(|m| m.modified()) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(io(error)),
            Ok(time) => {
                tokio::fs::copy(&from, &self.index).await.map_err(io)?;
                let file = std::fs::File::options().write(true).open(&self.index).map_err(io)?;
                file.set_modified(time).map_err(io)
            }
        }
    }

    /// Fills the index from a tree.
    ///
    /// # Errors
    /// When git fails.
    pub async fn read_tree(&self, tree: &str) -> Result<(), GitError> {
        self.run("read-tree").args(["--reset", tree]).ok().await.map(drop)
    }

    /// Brings the index up to what is on disk at exactly these paths, ignored or not; a path that is
    /// missing on disk is taken out.
    ///
    /// # Errors
    /// When git fails.
    pub async fn add_paths(&self, paths: &[&GitPath]) -> Result<(), GitError> {
        let args = ["--add", "--remove", "--replace", "-z", "--stdin"];
        let run = self.run("update-index").args(args);
        run.stdin(nul_joined(paths.iter().copied())).ok().await.map(drop)
    }

    /// Writes files of the index into the working tree, filters applied, attributes as the index
    /// has them (as long as the working tree has none of its own).
    ///
    /// # Errors
    /// When git fails.
    pub async fn checkout(&self, paths: &[&GitPath]) -> Result<(), GitError> {
        let run = self.run("checkout-index").args(["-f", "-q", "-z", "--stdin"]);
        run.stdin(nul_joined(paths.iter().copied())).ok().await.map(drop)
    }

    /// Like [`Stage::checkout`]; a path at which a filter fails is left out and returned.
    ///
    /// # Errors
    /// When git cannot be started.
    pub async fn checkout_what_goes(&self, paths: &[&GitPath]) -> Result<Vec<GitPath>, GitError> {
        self.failing(paths, |stage| stage.run("checkout-index").args(["-f", "-q", "-z", "--stdin"]))
            .await
    }

    /// Feeds paths to a run of git, in ever smaller parts where it fails, and returns those at which it
    /// fails alone.
    pub(super) async fn failing(
        &self,
        paths: &[&GitPath],
        run: impl Fn(&Self) -> GitRun,
    ) -> Result<Vec<GitPath>, GitError> {
        let (mut parts, mut failing) = (vec![paths], Vec::new());
        while let Some(part) = parts.pop() {
            if part.is_empty() {
                continue;
            }
            let done = run(self).stdin(nul_joined(part.iter().copied())).output().await?;
            match part {
                _ if done.code == 0 => {}
                [path] => failing.push((*path).clone()),
                _ => {
                    let (left, right) = part.split_at(part.len() / 2);
                    parts.extend([right, left]);
                }
            }
        }
        Ok(failing)
    }

    /// Of these paths, the ones whose bytes on disk may differ from their blob: an attribute or a
    /// setting asks for a conversion.
    ///
    /// # Errors
    /// When git fails.
    pub async fn filtered(&self, paths: &[&GitPath]) -> Result<Vec<GitPath>, GitError> {
        if paths.is_empty() {
            return Ok(Vec::new());
        }
        let names = ["text", "eol", "crlf", "filter", "ident", "working-tree-encoding"];
        let input = nul_joined(paths.iter().copied());
        let run = self.run("check-attr").args(["-z", "--stdin"]).args(names).stdin(input);
        let setting = self.run("config").args(["--get", "core.autocrlf"]);
        let (setting, out) = tokio::try_join!(setting.output(), run.ok())?;
        let off = ["", "false", "no", "off", "0"];
        if !off.contains(&setting.line().to_ascii_lowercase().as_str()) {
            return Ok(paths.iter().map(|path| (*path).clone()).collect());
        }
        let fields: Vec<&[u8]> = out.stdout.split(|b| *b == 0).collect();
        let mut found: Vec<GitPath> = fields
            .chunks_exact(3)
            .filter(|record| record[2] != b"unspecified" && record[2] != b"unset")
            .map(|record| GitPath::new(record[0]))
            .collect();
        found.dedup();
        Ok(found)
    }

    /// Writes the index as a tree and returns its id.
    ///
    /// # Errors
    /// When git fails.
    pub async fn write_tree(&self) -> Result<String, GitError> {
        // In a partial clone, blobs outside the checkout are allowed to be missing.
        Ok(self.run("write-tree").arg("--missing-ok").ok().await?.line())
    }

    /// Makes a commit of `tree` with these parents and returns its id.
    ///
    /// # Errors
    /// When git fails.
    pub async fn commit_tree(
        &self,
        tree: &str,
        parents: &[&str],
        message: &str,
    ) -> Result<String, GitError> {
        let parents = parents.iter().flat_map(|parent| ["-p", parent]);
        let run = self.run("commit-tree").args(parents).args(["-F", "-", tree]);
        Ok(run.stdin(message.as_bytes().to_vec()).ok().await?.line())
    }

    /// Sets entries of the index directly; `None` takes the path out. Removals come first, so that a
    /// file can take the place of a directory.
    ///
    /// # Errors
    /// When git fails.
    pub async fn set_entries(&self, entries: &[(GitPath, Option<Entry>)]) -> Result<(), GitError> {
        self.forget(entries.iter().filter(|(_, entry)| entry.is_none()).map(|(p, _)| p)).await?;
        if entries.iter().all(|(_, entry)| entry.is_none()) {
            return Ok(());
        }
        let mut lines = Vec::new();
        for (path, entry) in entries {
            let Some(entry) = entry else { continue };
            lines.extend_from_slice(format!("{:06o} {}\t", entry.mode, entry.oid).as_bytes());
            lines.extend_from_slice(path.as_bytes());
            lines.push(0);
        }
        // Names that git refuses elsewhere are data here; what is checked out was never set so.
        let run = self.run("update-index").config("core.protectNTFS=false");
        let run = run.config("core.protectHFS=false").args(["-z", "--index-info"]).stdin(lines);
        run.ok().await.map(drop)
    }

    /// The paths that differ between two trees as this stage sees objects; `renames` finds moves.
    ///
    /// # Errors
    /// When git fails.
    pub async fn tree_changes(
        &self,
        from: &str,
        to: &str,
        renames: bool,
    ) -> Result<Vec<Change>, GitError> {
        changes_between(self.run("diff-tree"), from, to, renames).await
    }

    /// Stores files as blobs as they are, no filter applied; the names must be free of newlines.
    /// Returns their ids in the same order.
    ///
    /// # Errors
    /// When git fails.
    pub async fn write_files(&self, files: &[PathBuf]) -> Result<Vec<String>, GitError> {
        if files.is_empty() {
            return Ok(Vec::new());
        }
        let mut names = Vec::new();
        for file in files {
            names.extend_from_slice(file.as_os_str().as_bytes());
            names.push(b'\n');
        }
        let run = self.run("hash-object").args(["-w", "--no-filters", "--stdin-paths"]);
        let out = run.stdin(names).ok().await?.line();
        Ok(out.lines().map(str::to_owned).collect())
    }

    /// The paths of the index that git does not compare with the disk, or cannot: with their tag of
    /// `ls-files -v` (`S` outside a sparse checkout, `M` unmerged, lower case assumed unchanged).
    ///
    /// # Errors
    /// When git fails.
    pub async fn odd_entries(&self) -> Result<Vec<(u8, GitPath)>, GitError> {
        let out = self.run("ls-files").args(["-v", "-z"]).ok().await?;
        let records = out.stdout.split(|b| *b == 0);
        Ok(records
            .filter_map(|record| match record {
                [tag, b' ', path @ ..] if *tag != b'H' => Some((*tag, GitPath::new(path))),
                _ => None,
            })
            .collect())
    }

    /// How the index differs from a tree; renames are not looked for.
    ///
    /// # Errors
    /// When git fails.
    pub async fn cached_changes(&self, reference: &str) -> Result<Vec<Change>, GitError> {
        let args = ["--cached", "--raw", "-z", "--no-renames", "--no-abbrev"];
        let run = self.run("diff-index").args(args).args(["--end-of-options", reference, "--"]);
        parse_changes(&run.ok().await?.stdout).ok_or_else(|| unexpected("diff-index"))
    }

    /// The ignored files; a directory that is ignored whole is listed as one, with `/` at its end.
    ///
    /// # Errors
    /// When git fails.
    pub async fn ignored(&self) -> Result<Vec<GitPath>, GitError> {
        let args = ["-z", "--others", "--ignored", "--exclude-standard", "--directory"];
        let out = self.run("ls-files").args(args).arg("--no-empty-directory").ok().await?;
        Ok(split_paths(&out.stdout))
    }

    pub(super) async fn forget<'a>(
        &self,
        paths: impl IntoIterator<Item = &'a GitPath>,
    ) -> Result<(), GitError> {
        let paths = nul_joined(paths);
        // Even with nothing to do, git reads and writes the whole index.
        if paths.is_empty() {
            return Ok(());
        }
        let run = self.run("update-index").args(["--force-remove", "-z", "--stdin"]);
        run.stdin(paths).ok().await.map(drop)
    }

    /// Whether the index is known to hold no submodule, without asking git.
    pub(super) fn holds_only_files(&self) -> bool {
        std::fs::read(&self.index).is_ok_and(|bytes| index::only_files(&bytes))
    }
}

pub(super) fn split_paths(bytes: &[u8]) -> Vec<GitPath> {
    bytes.split(|b| *b == 0).filter(|p| !p.is_empty()).map(GitPath::new).collect()
}

/// A path as git reads it in a colon-separated list: quoted, so that a colon in it is no separator.
fn quoted(path: &Path) -> OsString {
    let mut text = vec![b'"'];
    for byte in path.as_os_str().as_bytes() {
        match byte {
            b'"' | b'\\' => text.extend([b'\\', *byte]),
            b'\n' => text.extend(b"\\n"),
            other => text.push(*other),
        }
    }
    text.push(b'"');
    OsStr::from_bytes(&text).to_os_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::git::testbed::TestRepo;

    #[tokio::test]
    async fn the_copy_of_an_index_has_its_time() {
        let bed = TestRepo::new(&[("a", "a\n")]).await;
        let path = bed.repo.git_dir.join("index");
        let old = std::time::UNIX_EPOCH + std::time::Duration::new(1_700_000_000, 123_456_789);
        std::fs::File::options().write(true).open(&path).unwrap().set_modified(old).unwrap();
        let stage = Stage::new(&bed.repo, bed.dir.path().canonicalize().unwrap().join("index"));
        stage.copy_index().await.unwrap();
        assert_eq!(std::fs::metadata(&stage.index).unwrap().modified().unwrap(), old);
    }

    #[test]
    fn a_colon_or_a_quote_in_a_path_is_no_separator() {
        assert_eq!(quoted(Path::new("/a:b")), "\"/a:b\"");
        assert_eq!(quoted(Path::new("/a\"b\\c\n")), "\"/a\\\"b\\\\c\\n\"");
    }
}
