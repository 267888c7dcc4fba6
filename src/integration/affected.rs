use super::place::{Found, Place};
use super::{Conflict, IntegrationError};
use crate::git::{Change, GitPath, MODE_SUBMODULE, Stage};
use std::collections::{BTreeMap, HashSet};

/// The tag of a path of the base that git refuses to hold as it is.
pub(super) const REFUSED: u8 = b'!';

/// Looks at every affected path for what the merge of trees cannot see: what is on the disk but in no
/// tree, and entries that git does not compare with the disk.
pub(super) fn check(
    place: &Place,
    odd: &BTreeMap<GitPath, u8>,
    affected: &[Change],
) -> Result<Vec<Conflict>, IntegrationError> {
    let leaving: HashSet<&GitPath> =
        affected.iter().filter(|c| c.new.is_none()).map(|c| &c.path).collect();
    let mut conflicts = Vec::new();
    for change in affected {
        if let Some((kind, detail)) = check_one(place, odd, change, &leaving)? {
            conflicts.push(Conflict::new(change.path.clone(), kind, detail));
        }
    }
    Ok(conflicts)
}

/// What a branch cannot get.
pub(super) fn check_names(affected: &[Change]) -> Vec<Conflict> {
    let finding = |change: &Change| of_name(change).map(|found| (change.path.clone(), found));
    let found = affected.iter().filter_map(finding);
    found.map(|(path, (kind, detail))| Conflict::new(path, kind, detail)).collect()
}

fn of_name(change: &Change) -> Finding {
    if !change.path.is_plain() {
        return Some(("unsafe_path", "not a path of a checkout"));
    }
    let sides = [&change.old, &change.new];
    let link = sides.into_iter().flatten().any(|entry| entry.mode == MODE_SUBMODULE);
    link.then_some(("submodule", "patchbay does not change submodules"))
}

type Finding = Option<(&'static str, &'static str)>;

fn check_one(
    place: &Place,
    odd: &BTreeMap<GitPath, u8>,
    change: &Change,
    leaving: &HashSet<&GitPath>,
) -> Result<Finding, IntegrationError> {
    let path = &change.path;
    if let Some(finding) = of_name(change) {
        return Ok(Some(finding));
    }
    match odd.get(path) {
        Some(b'M') => return Ok(Some(("unmerged_in_base", "a merge is not finished in the base"))),
        Some(b'S' | b's') => {
            return Ok(Some(("outside_sparse_checkout", "the path is not checked out")));
        }
        Some(&REFUSED) => {
            return Ok(Some(("unstorable_in_base", "git cannot hold what the base has there")));
        }
        Some(_) => return Ok(Some(("assumed_unchanged", "git is told not to look at this file"))),
        None => {}
    }
    let found = match place.look(path) {
        Err(IntegrationError::Obstructed(_)) if change.old.is_none() => {
            return Ok(obstructed(place, path, leaving));
        }
        other => other?,
    };
    Ok(match (change.old.is_some(), found) {
        (true, Found::File { .. } | Found::Link { .. }) | (false, Found::Absent) => None,
        (false, Found::Directory) if place.only_holds(path, leaving)? => None,
        (false, Found::Directory) => {
            Some(("directory_not_empty", "a directory with other files is there"))
        }
        (false, _) => {
            Some(("ignored_file_in_the_way", "a file that git ignores would be overwritten"))
        }
        (true, _) => Some(("path_obstructed", "the base changed while it was looked at")),
    })
}

/// The way to a new path may lead through a file only if that file leaves in the same apply.
fn obstructed(place: &Place, path: &GitPath, leaving: &HashSet<&GitPath>) -> Finding {
    let through = place.first_obstacle(path);
    if through.is_some_and(|obstacle| leaving.contains(&obstacle)) {
        return None;
    }
    Some(("path_obstructed", "the way there leads through a link or a file"))
}

/// The odd entries of a base's index, by path.
pub(super) async fn odd_entries(stage: &Stage) -> Result<BTreeMap<GitPath, u8>, IntegrationError> {
    Ok(stage.odd_entries().await?.into_iter().map(|(tag, path)| (path, tag)).collect())
}
