//! A crash between two moves, at each place.

use super::*;

const FILES: &[(&str, &str)] =
    &[("a", "1\n"), ("dir/x", "x\n"), ("file", "f\n"), ("gone", "g\n"), ("z", "z\n")];

async fn bed_with_work() -> Bed {
    let bed = Bed::new(FILES).await;
    write_in(&bed, "a", b"one\n");
    std::fs::remove_dir_all(bed.tree.path.join("dir")).unwrap();
    write_in(&bed, "dir", b"a file\n");
    std::fs::remove_file(bed.tree.path.join("file")).unwrap();
    write_in(&bed, "file/deep", b"a directory\n");
    std::fs::remove_file(bed.tree.path.join("gone")).unwrap();
    write_in(&bed, "new", b"new\n");
    make_executable(&bed.tree.path.join("z"), true);
    bed.snapshot().await;
    bed
}

#[tokio::test]
async fn an_interrupted_apply_is_finished() {
    for moves in 1..=8 {
        let bed = bed_with_work().await;
        crash_after(&bed, moves).await;
        let recovered = bed.integrations.reconcile(&bed.base.git).await.unwrap();
        assert_eq!(recovered.len(), 1);
        assert_eq!(recovered[0].state, "applied", "after {moves} moves");
        assert_eq!(bed.checkout(), files_of(&bed.tree.path), "after {moves} moves");
        assert_eq!(bed.preview().await.reason, Some("no_changes"));
        assert_eq!(bed.integrations.reconcile(&bed.base.git).await.unwrap(), []);
    }
}

#[tokio::test]
async fn an_edit_after_the_crash_is_kept_and_the_rest_put_back() {
    for moves in [1, 3, 5, 7] {
        let bed = bed_with_work().await;
        let before = bed.checkout();
        crash_after(&bed, moves).await;
        bed.base.write("z", b"the user's\n");
        let recovered = bed.integrations.reconcile(&bed.base.git).await.unwrap();
        assert_eq!(recovered[0].state, "rolled_back", "after {moves} moves");
        let (mine, rest): (Vec<_>, Vec<_>) =
            bed.checkout().into_iter().partition(|(path, ..)| path == Path::new("z"));
        assert_eq!(mine[0].2, b"the user's\n");
        let before: Vec<_> =
            before.into_iter().filter(|(path, ..)| path != Path::new("z")).collect();
        assert_eq!(rest, before, "after {moves} moves");
    }
}

#[tokio::test]
async fn the_lock_of_the_dead_apply_is_no_obstacle() {
    let bed = bed_with_work().await;
    crash_after(&bed, 3).await;
    // As after kill -9: row and file of the lock are still there.
    std::mem::forget(bed.locks.acquire(&bed.base.repo, "dead", None, "apply").await.unwrap());
    let (store, clock) = (bed.store.clone(), Clock::system());
    let state = StateDir::open(&bed.base.state_path()).unwrap();
    let locks = Locks::new(store.clone(), &state, clock.clone());
    let next_life = Integrations::new(store, locks, bed.trees.clone(), clock);
    let recovered = next_life.reconcile(&bed.base.git).await.unwrap();
    assert_eq!(recovered[0].state, "applied");
    assert_eq!(bed.checkout(), files_of(&bed.tree.path));
    assert!(!bed.base.repo.common_dir.join("patchbay.lock").exists());
}

#[tokio::test]
async fn the_next_apply_ends_a_broken_one_first() {
    let bed = bed_with_work().await;
    let token = bed.preview().await.token.unwrap();
    crash_after(&bed, 3).await;
    let error = bed.apply(&token).await.unwrap_err();
    assert!(matches!(&error, IntegrationError::NotApplicable(p) if p.reason == Some("no_changes")));
    assert_eq!(bed.checkout(), files_of(&bed.tree.path));
    assert_eq!(bed.store.integrations_applying().await.unwrap(), []);
}

#[tokio::test]
async fn a_temporary_file_is_swept() {
    let bed = bed_with_work().await;
    crash_after(&bed, 2).await;
    let row = bed.store.integrations_applying().await.unwrap().remove(0);
    // The moves whose paths are at the top, where their temporary files would be.
    for n in [0, 1, 3, 5, 6, 7] {
        bed.base.write(&format!(".patchbay-{}-{n}", row.id), b"half");
    }
    bed.integrations.reconcile(&bed.base.git).await.unwrap();
    assert_eq!(bed.checkout(), files_of(&bed.tree.path));
}

#[tokio::test]
async fn the_bytes_from_before_are_kept_under_the_undo_ref() {
    let bed = bed_with_work().await;
    let applied = bed.preview_and_apply().await;
    let repo = &bed.base.repo;
    let raw = format!("{}^2", applied.undo_ref);
    let before = repo.file_at(&raw, &GitPath::from("before/gone")).await.unwrap().unwrap();
    assert_eq!(before.bytes, b"g\n");
    let after = repo.file_at(&raw, &GitPath::from("after/dir")).await.unwrap().unwrap();
    assert_eq!(after.bytes, b"a file\n");
    let tree = bed.base.run(&["rev-parse", &format!("{}^{{tree}}", applied.undo_ref)]).await;
    assert_eq!(tree, applied.tree_before);
}
