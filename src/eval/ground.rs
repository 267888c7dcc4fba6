use crate::stage::{Found, Stage, files_below};
use anyhow::{bail, ensure};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::path::Path;

/// What git keeps for worktrees, snapshots and itself; the rest of `.git` is the user's.
const OURS: [&str; 6] =
    ["objects/", "worktrees/", "refs/patchbay/", "logs/refs/patchbay/", "patchbay.lock", "gc.pid"];

/// How a base and its `.git` are at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Ground {
    files: BTreeMap<String, Found>,
    git: BTreeMap<String, String>,
}

impl Ground {
    /// Looks at the base of a stage, without any help of git.
    pub(super) fn of(stage: &Stage) -> anyhow::Result<Self> {
        let mut git = BTreeMap::new();
        digests(&stage.repo.common_dir, "", &mut git)?;
        Ok(Self { files: files_below(&stage.repo.root)?, git })
    }

    /// The files of the checkout.
    pub(super) fn files(&self) -> &BTreeMap<String, Found> {
        &self.files
    }

    /// The same now as then; names what differs.
    pub(super) fn same(&self, now: &Self) -> anyhow::Result<()> {
        same_files(&self.files, &now.files)?;
        self.same_git(now)
    }

    /// The same `.git` now as then, apart from objects, worktrees and our own refs.
    pub(super) fn same_git(&self, now: &Self) -> anyhow::Result<()> {
        for path in self.git.keys().chain(now.git.keys()) {
            ensure!(self.git.get(path) == now.git.get(path), ".git/{path} is not as it was");
        }
        Ok(())
    }
}

/// Two sets of files are the same; names the first that differs.
pub(super) fn same_files(
    expected: &BTreeMap<String, Found>,
    found: &BTreeMap<String, Found>,
) -> anyhow::Result<()> {
    for path in expected.keys().chain(found.keys()) {
        match (expected.get(path), found.get(path)) {
            (Some(a), Some(b)) if a == b => {}
            (Some(a), Some(b)) if a.0 != b.0 => bail!("{path} has another mode than it should"),
            (Some(a), Some(b)) => bail!("{path} holds {}, expected {}", text(&b.1), text(&a.1)),
            (Some(_), None) => bail!("{path} is missing"),
            _ => bail!("{path} should not be there"),
        }
    }
    Ok(())
}

fn text(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    format!("{:?}", text.chars().take(120).collect::<String>())
}

fn digests(dir: &Path, below: &str, found: &mut BTreeMap<String, String>) -> anyhow::Result<()> {
    for entry in std::fs::read_dir(dir)? {
        let entry = entry?;
        let name = format!("{below}{}", entry.file_name().to_string_lossy());
        if entry.file_type()?.is_dir() {
            let name = format!("{name}/");
            if !OURS.contains(&name.as_str()) {
                digests(&entry.path(), &name, found)?;
            }
        } else if !OURS.contains(&name.as_str()) {
            let bytes = std::fs::read(entry.path())?;
            found.insert(name, hex::encode(Sha256::digest(bytes)));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_difference_is_named() {
        let files = |list: &[(&str, bool, &str)]| -> BTreeMap<String, Found> {
            list.iter().map(|(p, x, t)| ((*p).to_owned(), (*x, (*t).into()))).collect()
        };
        let base = files(&[("a", false, "1"), ("b", true, "2")]);
        assert!(same_files(&base, &base).is_ok());
        for (other, words) in [
            (files(&[("a", false, "1")]), "b is missing"),
            (files(&[("a", true, "1"), ("b", true, "2")]), "a has another mode"),
            (files(&[("a", false, "1"), ("b", true, "3")]), "b holds"),
            (files(&[("a", false, "1"), ("b", true, "2"), ("c", false, "")]), "c should not"),
        ] {
            let said = same_files(&base, &other).unwrap_err().to_string();
            assert!(said.contains(words), "{said}");
        }
    }
}
