use super::*;
use crate::clock::Clock;
use crate::ids::{TurnId, WorkerId};
use crate::paths::StateDir;
use crate::store::{NewEvent, NewTurn, NewWorker, Store, WorkerMode};
use std::io::Read;
use std::path::{Path, PathBuf};

pub(crate) struct Room {
    pub(crate) _dir: tempfile::TempDir,
    pub(crate) state: StateDir,
    pub(crate) store: Store,
    pub(crate) journal: Journal,
    pub(crate) worker: WorkerId,
    pub(crate) turn: TurnId,
}

pub(crate) async fn room() -> Room {
    std::fs::create_dir_all("target/tmp").unwrap();
    let dir = tempfile::tempdir_in("target/tmp").unwrap();
    let path = Path::new(dir.path()).canonicalize().unwrap().join("state");
    let state = StateDir::open(&path).unwrap();
    let clock = Clock::manual(1_000);
    let store = Store::open(&state.store_db(), clock.clone()).await.unwrap();
    let (worker, turn) = (WorkerId::mint(&clock), TurnId::mint(&clock));
    let new = NewWorker {
        id: worker.clone(),
        repo_key: "key".to_owned(),
        repo_root: PathBuf::from("/repo"),
        repo_name: "repo".to_owned(),
        name: "Ada".to_owned(),
        mode: WorkerMode::IsolatedWrite,
        model: None,
        effort: None,
        owner_ref: "chat_1".to_owned(),
        owner_label: None,
    };
    let first = NewTurn {
        id: turn.clone(),
        worker: worker.clone(),
        brief: "go".to_owned(),
        model: None,
        effort: None,
    };
    store.accept_worker(&new, &first).await.unwrap();
    let journal = Journal::start(store.clone(), state.clone());
    Room { _dir: dir, state, store, journal, worker, turn }
}

fn event(room: &Room, item: &str, payload: &str) -> NewEvent {
    NewEvent {
        turn: room.turn.clone(),
        item: item.to_owned(),
        phase: "completed".to_owned(),
        kind: "agentMessage".to_owned(),
        payload: payload.to_owned(),
        at: 1,
        notable: true,
    }
}

#[tokio::test]
async fn events_are_stored_in_order_and_once() {
    let room = room().await;
    for n in 0..600 {
        let event = event(&room, &format!("i{n}"), "{}");
        room.journal.append(event.clone()).await.unwrap();
        room.journal.append(event).await.unwrap();
    }
    room.journal.flush().await.unwrap();
    let rows = room.journal.after(&room.worker, 0, 10_000).await.unwrap();
    let items: Vec<&str> = rows.iter().map(|row| row.item_id.as_str()).collect();
    let expected: Vec<String> =
        std::iter::once(items[0].to_owned()).chain((0..600).map(|n| format!("i{n}"))).collect();
    assert_eq!(items, expected, "the state event, then each item once");
    let page = room.journal.after(&room.worker, rows[299].seq, 5).await.unwrap();
    assert_eq!(page[0], rows[300]);
    assert_eq!(page.len(), 5);
}

#[tokio::test]
async fn a_waiter_wakes_without_a_flush() {
    let room = room().await;
    let mut changed = room.store.watch();
    changed.mark_unchanged();
    room.journal.append(event(&room, "one", "{}")).await.unwrap();
    changed.changed().await.unwrap();
    assert_eq!(room.journal.after(&room.worker, 0, 10).await.unwrap().len(), 2);
}

#[tokio::test]
async fn a_large_payload_is_a_private_file() {
    use std::os::unix::fs::PermissionsExt;
    let room = room().await;
    let large = format!("{{\"text\":\"{}\"}}", "x".repeat(2 << 20));
    room.journal.append(event(&room, "large", &large)).await.unwrap();
    room.journal.flush().await.unwrap();
    let row = room.store.last_event(&room.turn, "agentMessage", "completed").await.unwrap();
    let kept: serde_json::Value = serde_json::from_str(&row.unwrap().payload).unwrap();
    assert_eq!(kept["bytes"], large.len());
    let path = room.state.root().join("artifacts/payloads").join(kept["file"].as_str().unwrap());
    assert_eq!(std::fs::read_to_string(&path).unwrap(), large);
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
}

#[tokio::test]
async fn deltas_are_put_together() {
    let room = room().await;
    let mut live = room.journal.subscribe();
    for text in ["a", "b", "c"] {
        let delta = LiveDelta {
            worker: room.worker.clone(),
            turn: room.turn.clone(),
            item: "i".to_owned(),
            text: text.to_owned(),
            gap: false,
        };
        room.journal.delta(delta).await.unwrap();
    }
    assert_eq!(live.recv().await.unwrap().text, "abc");
    assert!(live.try_recv().is_err());
}

#[tokio::test]
async fn a_gap_is_told_until_the_item_is_whole() {
    let room = room().await;
    let piece = |text: &str, gap| LiveDelta {
        worker: room.worker.clone(),
        turn: room.turn.clone(),
        item: "i".to_owned(),
        text: text.to_owned(),
        gap,
    };
    // Pieces are lost while nobody listens; whoever listens later is told.
    room.journal.delta(piece("", true)).await.unwrap();
    let mut live = room.journal.subscribe();
    room.journal.delta(piece("after", false)).await.unwrap();
    assert_eq!(live.recv().await.unwrap(), piece("after", true));
    room.journal.append(event(&room, "i", "{}")).await.unwrap();
    room.journal.delta(piece("next", false)).await.unwrap();
    assert_eq!(live.recv().await.unwrap(), piece("next", false));
    room.journal.delta(piece("", true)).await.unwrap();
    assert_eq!(live.recv().await.unwrap(), piece("", true), "a gap is told at once");
    room.journal.over(room.turn.clone()).await.unwrap();
    room.journal.delta(piece("new", false)).await.unwrap();
    assert_eq!(live.recv().await.unwrap(), piece("new", false));
}

#[tokio::test]
async fn closing_stores_what_waits() {
    let room = room().await;
    room.journal.append(event(&room, "last", "{}")).await.unwrap();
    room.journal.usage(room.turn.clone(), "{\"total\":1}".to_owned()).await.unwrap();
    room.journal.close().await;
    assert_eq!(room.store.events_after(&room.worker, 0, 10).await.unwrap().len(), 2);
    let turn = room.store.turn(&room.turn).await.unwrap().unwrap();
    assert_eq!(turn.usage_json.as_deref(), Some("{\"total\":1}"));
    assert!(matches!(
        room.journal.append(event(&room, "late", "{}")).await,
        Err(JournalError::Closed)
    ));
}

#[tokio::test]
async fn the_beginning_of_a_large_text_is_read_without_the_rest() {
    let room = room().await;
    let begin = std::io::Cursor::new(r#"{"id":"m","more":["text"],"text":"\u00e9"#);
    let rest = std::io::repeat(b'x').take(8 << 20);
    let mut payload = begin.chain(rest).chain(std::io::Cursor::new(r#"","z":1}"#));
    crate::HEAP.reset_peak_usage();
    let before = crate::HEAP.current_usage();
    let kept = keep_payload(&room.state, &mut payload).unwrap();
    room.journal.append(event(&room, "m", &kept.to_string())).await.unwrap();
    room.journal.flush().await.unwrap();
    let row = room.journal.after(&room.worker, 0, 1_000).await.unwrap().pop().unwrap();
    let head = room.journal.head(row.clone(), "text", 4).await.unwrap().unwrap();
    assert_eq!(head, Head { text: "éxx".to_owned(), of: (8 << 20) + 2 });
    let cut = room.journal.head(row.clone(), "text", 1).await.unwrap().unwrap();
    assert_eq!(cut.text, "", "a letter is not cut in two");
    let peak = crate::HEAP.peak_usage() - before;
    assert!(peak < 4 << 20, "{peak} bytes");
    assert_eq!(room.journal.head(row.clone(), "none", 4).await.unwrap(), None);
    let path = room.state.root().join("artifacts/payloads").join(kept["file"].as_str().unwrap());
    std::fs::write(path, r#"{"text":"other"}"#).unwrap();
    assert!(room.journal.head(row, "text", 4).await.is_err());
    room.journal.close().await;
}

#[tokio::test]
async fn the_beginning_of_a_small_text_is_read_from_its_row() {
    let room = room().await;
    room.journal.append(event(&room, "m", r#"{"text":"a\nb"}"#)).await.unwrap();
    room.journal.flush().await.unwrap();
    let row = room.journal.after(&room.worker, 0, 1_000).await.unwrap().pop().unwrap();
    let head = room.journal.head(row, "text", 9).await.unwrap();
    assert_eq!(head, Some(Head { text: "a\nb".to_owned(), of: 3 }));
    room.journal.close().await;
}
