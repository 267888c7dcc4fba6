use super::IntegrationError;
use super::moves::{Move, Moves, Side, Way};
use super::place::{Found, Place};
use super::plan::Plan;
use crate::git::{Change, Entry, GitPath, MODE_EXECUTABLE, MODE_LINK, Repo, Stage};
use crate::ids::IntegrationId;
use std::path::Path;

/// Reads the affected files as they are and as they are to be, and stores both as blobs.
pub(super) async fn capture(
    plan: &Plan,
    place: &Place,
    id: &IntegrationId,
) -> Result<Moves, IntegrationError> {
    let contents = plan.scratch.path().join("contents");
    let mut moves = Moves { id: id.to_string(), list: Vec::new(), contents };
    make_directories(&moves.contents)?;
    let after_place = Place::open(&plan.out())?;
    let mut files = Vec::new();
    for (n, change) in plan.affected.iter().enumerate() {
        let mut sides = [None, None];
        let wanted = [(&change.old, place, Way::Back), (&change.new, &after_place, Way::Forward)];
        for (slot, (entry, place, way)) in sides.iter_mut().zip(wanted) {
            let Some(entry) = entry else { continue };
            let (side, bytes) = read_side(place, change, entry, way)?;
            let file = moves.content_file(n, way);
            std::fs::write(&file, bytes).map_err(IntegrationError::io(&file))?;
            files.push(file);
            *slot = Some(side);
        }
        let [before, after] = sides;
        let after = after.map(|side| keep_permissions(side, before.as_ref()));
        moves.list.push(Move::new(&change.path, before, after));
    }
    let mut ids = plan.stage.write_files(&files).await?.into_iter();
    for one in &mut moves.list {
        for side in [&mut one.before, &mut one.after].into_iter().flatten() {
            side.raw = ids.next().unwrap_or_default();
        }
    }
    Ok(moves)
}

/// Keeps an apply under a ref: a commit of the base's tree before, whose parents are the base's HEAD,
/// the exact bytes before and after as two directories of one commit, and the tree after.
pub(super) async fn keep(
    plan: &Plan,
    repo: &Repo,
    moves: &Moves,
    undo_ref: &str,
) -> Result<(), IntegrationError> {
    let stage = Stage::new(repo, plan.scratch.path().join("undo-index"));
    let mut entries = Vec::new();
    for one in &moves.list {
        for (prefix, side) in [("before/", &one.before), ("after/", &one.after)] {
            let Some(side) = side else { continue };
            let mut path = prefix.as_bytes().to_vec();
            path.extend_from_slice(one.path().as_bytes());
            let entry = Entry { mode: side.mode, oid: side.raw.clone() };
            entries.push((GitPath::new(path), Some(entry)));
        }
    }
    stage.set_entries(&entries).await?;
    let tree = stage.write_tree().await?;
    let bytes = stage.commit_tree(&tree, &[], "patchbay: bytes before and after\n").await?;
    let preview = &plan.preview;
    let after = stage.commit_tree(&preview.merged_tree, &[], "patchbay: the tree after\n").await?;
    let parents = [preview.base_head.as_str(), bytes.as_str(), after.as_str()];
    let message = format!("patchbay undo {}\n", moves.id);
    let commit = stage.commit_tree(&preview.ours_tree, &parents, &message).await?;
    let update = repo.git.run(&repo.root, "update-ref").args([undo_ref, &commit]);
    update.ok().await?;
    Ok(())
}

/// Brings the contents back from the blobs, after a crash.
pub(super) async fn restore_contents(repo: &Repo, moves: &Moves) -> Result<(), IntegrationError> {
    make_directories(&moves.contents)?;
    let mut blobs = Vec::new();
    for (n, one) in moves.list.iter().enumerate() {
        for (side, way) in [(&one.before, Way::Back), (&one.after, Way::Forward)] {
            blobs.extend(side.as_ref().map(|side| (side.raw.clone(), moves.content_file(n, way))));
        }
    }
    Ok(repo.blobs_to_files(&blobs).await?)
}

fn make_directories(contents: &Path) -> Result<(), IntegrationError> {
    for side in ["before", "after"] {
        let directory = contents.join(side);
        std::fs::create_dir_all(&directory).map_err(IntegrationError::io(&directory))?;
    }
    Ok(())
}

fn read_side(
    place: &Place,
    change: &Change,
    entry: &Entry,
    way: Way,
) -> Result<(Side, Vec<u8>), IntegrationError> {
    let changed = || IntegrationError::BaseChanged(change.path.clone());
    let side = |mode, permissions| Side { mode, permissions, raw: String::new() };
    match (place.look(&change.path)?, entry.mode == MODE_LINK) {
        (Found::Link { target }, true) => Ok((side(MODE_LINK, None), target)),
        (Found::File { permissions, bytes }, false) if way == Way::Back => {
            // What is on the disk counts: with core.fileMode=false the entry may say otherwise.
            let mode = if permissions & 0o100 != 0 { MODE_EXECUTABLE } else { 0o100_644 };
            Ok((side(mode, Some(permissions)), bytes))
        }
        (Found::File { bytes, .. }, false) => Ok((side(entry.mode, None), bytes)),
        _ => Err(changed()),
    }
}

/// A file that is replaced keeps its permissions but for the executable bits.
fn keep_permissions(mut after: Side, before: Option<&Side>) -> Side {
    if after.mode != MODE_LINK {
        after.permissions = before.and_then(|side| side.permissions).map(|bits| {
            if after.mode == MODE_EXECUTABLE { bits | ((bits & 0o444) >> 2) } else { bits & !0o111 }
        });
    }
    after
}
