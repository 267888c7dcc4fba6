use super::{WorktreeError, Worktrees};
use crate::git::{Repo, Stage};
use sha2::{Digest, Sha256};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

impl Worktrees {
    /// Says what a base checkout and its repository hold, without touching either: the tree of the
    /// files (ignored ones excepted), the staged entries, refs (ours excepted), HEAD, configuration
    /// and hooks. Equal texts = nothing of that changed in between.
    ///
    /// # Errors
    /// When git or the file system fails.
    pub async fn read_only_fingerprint(&self, repo: &Repo) -> Result<String, WorktreeError> {
        let scratch = self.scratch()?;
        let objects = scratch.path().join("objects");
        std::fs::create_dir(&objects).map_err(WorktreeError::io(&objects))?;
        let stage = Stage::new(repo, scratch.path().join("index")).private_objects(&objects);
        stage.copy_index().await?;
        let staged = stage.run("ls-files").args(["-s", "-z"]).ok().await?;
        let tree = stage.add_all("HEAD").await?.tree;
        let refs = repo
            .git
            .run(&repo.root, "for-each-ref")
            .args(["--format=%(refname) %(objectname) %(symref)", "--exclude=refs/patchbay"]);
        let refs = match refs.output().await? {
            out if out.code == 0 => out.stdout,
            // Before git 2.42 there is no --exclude.
            _ => own_refs_left_out(repo).await?,
        };
        let mut digest = Sha256::new();
        digest.update(&staged.stdout);
        digest.update(&refs);
        for (base, name) in [
            (&repo.git_dir, "HEAD"),
            (&repo.git_dir, "config.worktree"),
            (&repo.common_dir, "config"),
            (&repo.common_dir, "hooks"),
            (&repo.common_dir, "info"),
        ] {
            digest_path(&mut digest, &base.join(name));
        }
        Ok(format!("{tree}:{}", hex::encode(&digest.finalize()[..16])))
    }
}

async fn own_refs_left_out(repo: &Repo) -> Result<Vec<u8>, WorktreeError> {
    let run = repo.git.run(&repo.root, "for-each-ref");
    let out = run.arg("--format=%(refname) %(objectname) %(symref)").ok().await?;
    let lines = out.stdout.split_inclusive(|b| *b == b'\n');
    Ok(lines.filter(|line| !line.starts_with(b"refs/patchbay/")).flatten().copied().collect())
}

/// Feeds a file, or a directory with all that is in it, in order of the names.
fn digest_path(digest: &mut Sha256, path: &Path) {
    digest.update(path.as_os_str().as_bytes());
    if let Ok(target) = std::fs::read_link(path) {
        digest.update(target.as_os_str().as_bytes());
    } else if let Ok(entries) = std::fs::read_dir(path) {
        let mut names: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
        names.sort();
        names.iter().for_each(|name| digest_path(digest, name));
    } else if let Ok(bytes) = std::fs::read(path) {
        digest.update((bytes.len() as u64).to_le_bytes());
        digest.update(&bytes);
    }
}
