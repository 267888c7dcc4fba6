use super::diff::entry_from;
use super::stage::split_paths;
use super::{Change, Entry, GitError, GitPath, MODE_SUBMODULE, Output, Stage};
use std::collections::{BTreeSet, HashMap, HashSet};
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

/// What [`Stage::add_all`] found.
#[derive(Debug)]
pub struct Added {
    /// Differences between the reference tree and the index now; renames are not looked for.
    pub changes: Vec<Change>,
    /// Nested repositories that were left out: git could only record a commit, not their files.
    pub nested: Vec<GitPath>,
    /// The tree of the index now.
    pub tree: String,
    /// Files that git refuses to hold, by name or because a filter fails: the index says of them what
    /// it said before.
    pub refused: Vec<GitPath>,
}

impl Stage {
    /// Brings the index up to what is on disk (ignored files stay out), writes it as a tree and says how
    /// it differs from `reference`, a tree or commit. Nested repositories are left out and named.
    /// Submodules stay as they are recorded: to look into one, git would run what its own configuration
    /// names.
    ///
    /// # Errors
    /// When git fails for another reason than one of the files.
    pub async fn add_all(&self, reference: &str) -> Result<Added, GitError> {
        let submodules = self.submodules_on_disk().await?;
        self.set_entries(&submodules.iter().map(|(p, _)| (p.clone(), None)).collect::<Vec<_>>())
            .await?;
        let mut left_out: Vec<GitPath> = submodules.iter().map(|(p, _)| p.clone()).collect();
        let mut nested: Vec<GitPath> =
            left_out.iter().filter(|path| self.holds_something(path)).cloned().collect();
        let mut refused = Vec::new();
        let first = self.add_all_but(&left_out).await?;
        if first.code != 0 {
            // A nested repository without a commit stops git altogether.
            let found = self.nested_untracked().await?;
            nested.extend(found.into_iter().filter(|path| !left_out.contains(path)));
            left_out.extend(nested.iter().cloned());
            let again = self.add_all_but(&left_out).await?;
            if again.code != 0 {
                refused = self.add_what_goes(&left_out).await?;
            }
            if again.code != 0 && refused.is_empty() {
                let (verb, code) = ("add".to_owned(), again.code);
                return Err(GitError::Failed { verb, code, stderr: again.stderr });
            }
        }
        self.set_entries(&submodules).await?;
        let (mut changes, mut tree) =
            tokio::try_join!(self.cached_changes(reference), self.write_tree())?;
        let links = new_links(&changes);
        if !links.is_empty() {
            self.forget(&links).await?;
            (changes, tree) = tokio::try_join!(self.cached_changes(reference), self.write_tree())?;
            nested.extend(links);
        }
        nested.sort();
        nested.dedup();
        Ok(Added { changes, nested, tree, refused })
    }

    /// Mode and object of `path` in a tree, as this stage sees objects; `None` when there is none, or a
    /// directory.
    ///
    /// # Errors
    /// When git fails, or the id names nothing.
    pub async fn entry_at(&self, tree: &str, path: &GitPath) -> Result<Option<Entry>, GitError> {
        entry_from(self.run("ls-tree"), tree, path).await
    }

    /// What the index has at these paths, unmerged ones left out.
    ///
    /// # Errors
    /// When git fails.
    pub async fn staged(&self, paths: &[&GitPath]) -> Result<HashMap<GitPath, Entry>, GitError> {
        let wanted: HashSet<&[u8]> = paths.iter().map(|path| path.as_bytes()).collect();
        let out = self.run("ls-files").args(["-s", "-z"]).ok().await?;
        let records = out.stdout.split(|b| *b == 0);
        let read = |record: &[u8]| {
            let tab = record.iter().position(|b| *b == b'\t')?;
            let path = wanted.get(record.get(tab + 1..)?)?;
            let head = std::str::from_utf8(record.get(..tab)?).ok()?;
            let [mode, oid, "0"] = head.split(' ').collect::<Vec<_>>()[..] else { return None };
            let mode = u32::from_str_radix(mode, 8).ok()?;
            Some((GitPath::new(*path), Entry { mode, oid: oid.to_owned() }))
        };
        Ok(records.filter_map(read).collect())
    }

    /// The paths at which the disk is not as the index says, ignored ones left out; told by the times of
    /// files first, by their content where those differ.
    ///
    /// # Errors
    /// When git fails.
    pub async fn unlike_the_disk(&self) -> Result<BTreeSet<GitPath>, GitError> {
        let which = ["--modified", "--deleted", "--others"];
        Ok(self.unlike_the_index(&which, &[]).await?.into_iter().collect())
    }

    /// The files of attributes that the index has.
    ///
    /// # Errors
    /// When git fails.
    pub async fn attribute_files(&self) -> Result<Vec<GitPath>, GitError> {
        let run = self.run("ls-files").env("GIT_LITERAL_PATHSPECS", "0");
        let out = run.args(["-z", "--", ":(top,glob)**/.gitattributes"]).ok().await?;
        Ok(split_paths(&out.stdout))
    }

    async fn nested_untracked(&self) -> Result<Vec<GitPath>, GitError> {
        let args = ["-z", "--others", "--exclude-standard"];
        let out = self.run("ls-files").args(args).ok().await?;
        // Files are listed one by one; only a repository is listed as a directory.
        let directories = split_paths(&out.stdout)
            .into_iter()
            .filter_map(|path| path.as_bytes().strip_suffix(b"/").map(GitPath::new));
        Ok(directories.collect())
    }

    /// Adds what has changed in ever smaller parts, and returns the paths at which git fails alone.
    async fn add_what_goes(&self, left_out: &[GitPath]) -> Result<Vec<GitPath>, GitError> {
        let paths =
            self.unlike_the_index(&["--modified", "--deleted", "--others"], left_out).await?;
        let args = ["--add", "--remove", "--replace", "-z", "--stdin"];
        let given: Vec<&GitPath> = paths.iter().collect();
        let mut refused =
            self.failing(&given, |stage| stage.run("update-index").args(args)).await?;
        // A reserved name is passed over without a word.
        let rest = self.unlike_the_index(&["--others"], left_out).await?;
        let silent: Vec<GitPath> = rest.into_iter().filter(|p| !refused.contains(p)).collect();
        refused.extend(silent);
        refused.sort();
        Ok(refused)
    }

    async fn unlike_the_index(
        &self,
        which: &[&str],
        left_out: &[GitPath],
    ) -> Result<Vec<GitPath>, GitError> {
        let args = ["-z", "--exclude-standard", "--deduplicate"];
        let out = self.run("ls-files").args(args).args(which).ok().await?;
        let mut paths = split_paths(&out.stdout);
        paths.retain(|path| !path.as_bytes().ends_with(b"/") && !left_out.contains(path));
        Ok(paths)
    }

    async fn add_all_but(&self, left_out: &[GitPath]) -> Result<Output, GitError> {
        let run = self.run("add").args(["-A", "--sparse"]);
        if left_out.is_empty() {
            return run.output().await;
        }
        let excludes = left_out.iter().map(|path| {
            let mut spec = b":(exclude,literal)".to_vec();
            spec.extend_from_slice(path.as_bytes());
            OsString::from_vec(spec)
        });
        run.env("GIT_LITERAL_PATHSPECS", "0").args(["--", "."]).args(excludes).output().await
    }

    /// The submodules of the index that are directories on disk.
    async fn submodules_on_disk(&self) -> Result<Vec<(GitPath, Option<Entry>)>, GitError> {
        if self.holds_only_files() {
            return Ok(Vec::new());
        }
        let out = self.run("ls-files").args(["-s", "-z"]).ok().await?;
        let records = out.stdout.split(|b| *b == 0).filter(|line| line.starts_with(b"160000 "));
        let mut found = Vec::new();
        for record in records {
            let tab = record.iter().position(|b| *b == b'\t').unwrap_or(record.len());
            let (head, path) = record.split_at(tab);
            let path = GitPath::new(path.get(1..).unwrap_or_default());
            let oid = String::from_utf8_lossy(head).split(' ').nth(1).unwrap_or("").to_owned();
            if self.work_tree.join(path.as_path()).symlink_metadata().is_ok_and(|m| m.is_dir()) {
                found.push((path, Some(Entry { mode: MODE_SUBMODULE, oid })));
            }
        }
        Ok(found)
    }

    fn holds_something(&self, directory: &GitPath) -> bool {
        std::fs::read_dir(self.work_tree.join(directory.as_path()))
            .is_ok_and(|mut entries| entries.next().is_some())
    }
}

fn new_links(changes: &[Change]) -> Vec<GitPath> {
    let link = |entry: &Option<Entry>| entry.as_ref().is_some_and(|e| e.mode == MODE_SUBMODULE);
    let new = changes.iter().filter(|change| link(&change.new) && !link(&change.old));
    new.map(|change| change.path.clone()).collect()
}
