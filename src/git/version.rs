use super::{Git, GitError};
use std::path::Path;

/// The oldest git that has `merge-tree --write-tree`, which integration is built on.
const OLDEST: (u32, u32) = (2, 38);

impl Git {
    /// The version of the git program, as in `2.47.3`.
    ///
    /// # Errors
    /// [`GitError::NoProgram`]; [`GitError::TooOld`] below 2.38; [`GitError::Unexpected`] when the
    /// program states no version.
    pub async fn version(&self) -> Result<String, GitError> {
        let said = self.run(Path::new("/"), "version").ok().await?.line();
        let version = said.split_whitespace().nth(2).unwrap_or_default().to_owned();
        match numbers(&version) {
            Some(found) if found >= OLDEST => Ok(version),
            Some(_) => Err(GitError::TooOld(version)),
            None => Err(GitError::Unexpected { verb: "version".to_owned() }),
        }
    }
}

fn numbers(version: &str) -> Option<(u32, u32)> {
    let mut parts = version.split('.').map(|part| part.parse().ok());
    Some((parts.next()??, parts.next()??))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::paths::Env;

    #[tokio::test]
    async fn the_program_states_its_version() {
        let version = Git::new(&Env::from_process()).version().await.unwrap();
        assert!(numbers(&version).unwrap() >= OLDEST, "{version}");
    }

    #[tokio::test]
    async fn an_old_git_is_refused_and_none_at_all_is_told() {
        std::fs::create_dir_all("target/tmp").unwrap();
        let dir = tempfile::tempdir_in("target/tmp").unwrap();
        let git = |path: &Path| Git::new(&Env::of([("PATH", path)]));
        let missing = git(dir.path()).version().await;
        assert!(matches!(missing, Err(GitError::NoProgram(_))), "{missing:?}");
        let old = dir.path().canonicalize().unwrap();
        std::fs::write(old.join("git"), "#!/bin/sh\necho git version 2.37.9\n").unwrap();
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(old.join("git"), mode).unwrap();
        let refused = git(&old).version().await;
        assert!(matches!(refused, Err(GitError::TooOld(v)) if v == "2.37.9"));
    }
}
