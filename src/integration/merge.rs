use super::{Conflict, IntegrationError};
use crate::git::{GitError, GitPath, Stage};
use std::collections::BTreeMap;

/// What a three-way merge gave.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Merged {
    pub(super) tree: String,
    pub(super) conflicts: Vec<Conflict>,
}

/// Merges `theirs` into `ours` with `ancestor` as common ancestor; all three are trees. Nothing but
/// objects is written.
pub(super) async fn merge_trees(
    stage: &Stage,
    ancestor: &str,
    ours: &str,
    theirs: &str,
) -> Result<Merged, IntegrationError> {
    // `--merge-base` came with git 2.40; commits with the ancestor as parent say the same to 2.38.
    let base = stage.commit_tree(ancestor, &[], "ancestor\n").await?;
    let parents = [base.as_str()];
    let (ours, theirs) = tokio::try_join!(
        stage.commit_tree(ours, &parents, "ours\n"),
        stage.commit_tree(theirs, &parents, "theirs\n"),
    )?;
    let out = stage
        .run("merge-tree")
        .config("merge.directoryRenames=false")
        .config("merge.renames=true")
        .config("merge.renormalize=false")
        .args(["--write-tree", "-z", "--messages", "--allow-unrelated-histories"])
        .args([&ours, &theirs])
        .output()
        .await?;
    let unexpected = || GitError::Unexpected { verb: "merge-tree".to_owned() };
    match out.code {
        0 | 1 => {
            let mut merged = parse(&out.stdout, [&ours, &theirs]).ok_or_else(unexpected)?;
            if out.code == 0 {
                merged.conflicts.clear();
            } else if merged.conflicts.is_empty() {
                return Err(unexpected().into());
            }
            Ok(merged)
        }
        code => {
            let failed =
                GitError::Failed { verb: "merge-tree".to_owned(), code, stderr: out.stderr };
            Err(failed.into())
        }
    }
}

/// Reads `merge-tree --write-tree -z --messages`: the tree; `mode oid stage TAB path` a conflicted
/// stage; an empty field; then messages, each a count of paths, the paths, a type and a text.
fn parse(bytes: &[u8], sides: [&str; 2]) -> Option<Merged> {
    let mut fields = bytes.split(|b| *b == 0);
    let tree = String::from_utf8(fields.next()?.to_vec()).ok()?;
    let mut found: BTreeMap<GitPath, Conflict> = BTreeMap::new();
    for field in fields.by_ref() {
        if field.is_empty() {
            break;
        }
        let tab = field.iter().position(|b| *b == b'\t')?;
        let path = true_path(&field[tab + 1..], sides);
        found.entry(path.clone()).or_insert_with(|| Conflict::new(path, "conflict", ""));
    }
    while let Some(count) = fields.next().filter(|f| !f.is_empty()) {
        let count: usize = std::str::from_utf8(count).ok()?.parse().ok()?;
        let paths = fields.by_ref().take(count).map(|path| true_path(path, sides));
        let paths: Vec<GitPath> = paths.collect();
        let kind = String::from_utf8_lossy(fields.next()?).into_owned();
        let text = String::from_utf8_lossy(fields.next()?).trim().to_owned();
        let Some(kind) = kind.strip_prefix("CONFLICT (").and_then(|k| k.split(')').next()) else {
            continue;
        };
        let kind: String =
            kind.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
        for path in paths {
            let conflict = Conflict::new(path.clone(), &kind, &text);
            let slot = found.entry(path).or_insert_with(|| conflict.clone());
            if slot.kind == "conflict" {
                *slot = conflict;
            }
        }
    }
    Some(Merged { tree, conflicts: found.into_values().collect() })
}

/// Where a file and a directory have one name, git calls the file `<name>~<side>`, perhaps with a number.
fn true_path(path: &[u8], sides: [&str; 2]) -> GitPath {
    let numberless = match path.iter().rposition(|b| *b == b'_') {
        Some(at) if path[at + 1..].iter().all(u8::is_ascii_digit) => &path[..at],
        _ => path,
    };
    let named = sides.iter().find_map(|side| {
        let suffix = format!("~{side}");
        [path, numberless].into_iter().find_map(|path| path.strip_suffix(suffix.as_bytes()))
    });
    GitPath::new(named.unwrap_or(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stages_and_messages_are_joined() {
        let text = "tree\x00100644 a 1\ta b\n\x00100644 b 2\ta b\n\0\x001\0a b\n\0Auto-merging\0x\n\0\
                    1\0a b\n\0CONFLICT (modify/delete)\0CONFLICT (modify/delete): a\n\0";
        let merged = parse(text.as_bytes(), ["o", "t"]).unwrap();
        assert_eq!(merged.tree, "tree");
        assert_eq!(merged.conflicts.len(), 1);
        assert_eq!(merged.conflicts[0].kind, "modify_delete");
        assert_eq!(merged.conflicts[0].path, GitPath::from("a b\n"));
        assert_eq!(parse(b"tree\0", ["o", "t"]).unwrap().conflicts, []);
    }

    #[test]
    fn a_name_that_git_made_up_is_not_shown() {
        for (given, path) in [("d~o", "d"), ("d~t_0", "d"), ("d~x", "d~x"), ("a_1", "a_1")] {
            assert_eq!(true_path(given.as_bytes(), ["o", "t"]), GitPath::from(path));
        }
    }
}
