use super::file::{LockFile, path_in};
use super::identity::ProcessMark;
use super::{LockError, Locks};
use crate::clock::Clock;
use crate::git::testbed::TestRepo;
use crate::paths::StateDir;
use crate::store::Store;

async fn locks(bed: &TestRepo, name: &str, clock: &Clock) -> (Locks, Store) {
    let state = StateDir::open(&bed.state_path().join(name)).unwrap();
    let store = Store::open(&state.store_db(), clock.clone()).await.unwrap();
    (Locks::new(store.clone(), &state, clock.clone()), store)
}

#[tokio::test]
async fn one_writer_at_a_time_and_the_other_is_named() {
    let bed = TestRepo::new(&[("a", "a\n")]).await;
    let clock = Clock::manual(1_000);
    let (locks, _) = locks(&bed, "one", &clock).await;
    let first = locks.acquire(&bed.repo, "codex_worker_integrate", None, "apply").await.unwrap();
    assert!(path_in(&bed.repo.common_dir).exists());
    clock.advance(2_000);
    match locks.acquire(&bed.repo, "other", None, "write").await.unwrap_err() {
        LockError::Busy { holder, operation, since, age } => {
            assert_eq!((holder.as_str(), operation.as_str()), ("codex_worker_integrate", "apply"));
            assert_eq!((since, age.as_millis()), (1_000, 2_000));
        }
        other => panic!("{other}"),
    }
    let epoch = first.proof().epoch();
    assert!(first.proof().check(&bed.repo.key).is_ok());
    first.release().await.unwrap();
    assert!(!path_in(&bed.repo.common_dir).exists());
    let second = locks.acquire(&bed.repo, "other", None, "write").await.unwrap();
    assert!(second.proof().epoch() > epoch);
    second.release().await.unwrap();
}

#[tokio::test]
async fn a_proof_is_good_for_its_repository_only() {
    let (bed, other) = (TestRepo::new(&[("a", "a")]).await, TestRepo::new(&[("a", "a")]).await);
    let (locks, _) = locks(&bed, "one", &Clock::system()).await;
    let guard = locks.acquire(&bed.repo, "tool", None, "write").await.unwrap();
    assert!(matches!(guard.proof().check(&other.repo.key), Err(LockError::WrongRepository)));
    guard.release().await.unwrap();
}

#[tokio::test]
async fn two_state_directories_see_each_other() {
    let bed = TestRepo::new(&[("a", "a\n")]).await;
    let clock = Clock::system();
    let ((ours, _), (theirs, store)) =
        (locks(&bed, "one", &clock).await, locks(&bed, "two", &clock).await);
    let guard = ours.acquire(&bed.repo, "first", None, "apply").await.unwrap();
    let refused = theirs.acquire(&bed.repo, "second", None, "apply").await.unwrap_err();
    let named = format!("first of another patchbay (pid {})", std::process::id());
    assert!(matches!(refused, LockError::Busy { holder, .. } if holder == named));
    assert_eq!(store.held_repo_locks().await.unwrap(), [], "a refused lock leaves no row");
    guard.release().await.unwrap();
    theirs.acquire(&bed.repo, "second", None, "apply").await.unwrap().release().await.unwrap();
}

#[tokio::test]
async fn the_file_of_a_dead_process_is_replaced_and_a_foreign_one_is_not() {
    let bed = TestRepo::new(&[("a", "a\n")]).await;
    let (locks, _) = locks(&bed, "one", &Clock::system()).await;
    let me = ProcessMark::current();
    let dead = LockFile {
        state: "elsewhere".to_owned(),
        process: ProcessMark { start_time: me.start_time + 1, ..me },
        holder: "h".to_owned(),
        operation: "o".to_owned(),
        since: 1,
    };
    let path = path_in(&bed.repo.common_dir);
    std::fs::write(&path, serde_json::to_vec(&dead).unwrap()).unwrap();
    let guard = locks.acquire(&bed.repo, "tool", None, "write").await.unwrap();
    guard.release().await.unwrap();
    std::fs::write(&path, "somebody's notes").unwrap();
    let refused = locks.acquire(&bed.repo, "tool", None, "write").await.unwrap_err();
    assert!(matches!(refused, LockError::ForeignFile(_)));
    assert_eq!(std::fs::read(&path).unwrap(), b"somebody's notes");
}

#[tokio::test]
async fn a_start_frees_what_a_dead_tool_left() {
    let bed = TestRepo::new(&[("a", "a\n")]).await;
    let (dead, store) = locks(&bed, "one", &Clock::system()).await;
    let root = bed.repo.root.as_os_str().as_encoded_bytes();
    store.seed_worker("wrk_1", bed.repo.key.as_str(), root).await;
    let guard = dead.acquire(&bed.repo, "tool", None, "write").await.unwrap();
    assert_eq!(dead.reconcile(&bed.git).await.unwrap(), [], "a living guard keeps its lock");
    assert!(path_in(&bed.repo.common_dir).exists());
    std::mem::forget(guard); // as after kill -9
    let (next, _) = locks(&bed, "one", &Clock::system()).await;
    assert_eq!(next.reconcile(&bed.git).await.unwrap().len(), 1);
    assert_eq!(store.held_repo_locks().await.unwrap(), []);
    assert!(!path_in(&bed.repo.common_dir).exists());
}

#[tokio::test]
async fn a_dropped_guard_gives_the_lock_back() {
    let bed = TestRepo::new(&[("a", "a\n")]).await;
    let (locks, store) = locks(&bed, "one", &Clock::system()).await;
    let mut changed = store.watch();
    drop(locks.acquire(&bed.repo, "tool", None, "write").await.unwrap());
    while !store.held_repo_locks().await.unwrap().is_empty() {
        changed.changed().await.unwrap();
    }
    assert!(!path_in(&bed.repo.common_dir).exists());
}
