use super::*;
use crate::backend::{Ending, ItemPhase, Sandbox, ThreadSpec};
use std::io::Write;
use std::os::unix::net::UnixStream as Blocking;
use tokio::net::UnixStream;
use tokio::sync::mpsc;
use tungstenite::protocol::frame::FrameHeader;
use tungstenite::protocol::frame::coding::{Data, OpCode};
use tungstenite::{Message, WebSocket as Library};

const PIECE: &[u8] = &[b'x'; 64 << 10];

/// Sends a message of one frame, as codex does, that is `pieces` times 64 KiB longer than `begin` and `end`.
fn send_long(to: &mut Blocking, begin: &str, pieces: usize, end: &str) {
    let length = begin.len() + pieces * PIECE.len() + end.len();
    let opcode = OpCode::Data(Data::Text);
    let mut header = Vec::new();
    FrameHeader { opcode, ..FrameHeader::default() }.format(length as u64, &mut header).unwrap();
    to.write_all(&header).unwrap();
    to.write_all(begin.as_bytes()).unwrap();
    for _ in 0..pieces {
        to.write_all(PIECE).unwrap();
    }
    to.write_all(end.as_bytes()).unwrap();
}

/// An app-server that is asked to read a thread: it tells of a turn with one long message before it answers,
/// and asks for something that is never granted after it.
fn app_server(stream: Blocking, pieces: usize) -> Library<Blocking> {
    let mut socket = tungstenite::accept(stream).unwrap();
    let asked = socket.read().unwrap().to_string();
    assert!(asked.contains("initialize"), "{asked}");
    socket.send(Message::text(r#"{"id":1,"result":{}}"#)).unwrap();
    for wanted in ["initialized", "thread/read"] {
        let asked = socket.read().unwrap().to_string();
        assert!(asked.contains(wanted), "{asked}");
    }
    let about = r#""threadId":"t","turnId":"u""#;
    let begun = r#"{"method":"turn/started","params":{"threadId":"t","turn":{"id":"u"}}}"#;
    socket.send(Message::text(begun)).unwrap();
    let to = socket.get_mut();
    let item = r#"{"type":"agentMessage","id":"m","text":""#;
    send_long(
        to,
        &format!(r#"{{"method":"item/completed","params":{{"item":{item}"#),
        pieces,
        &format!(r#""}},{about}}}}}"#),
    );
    send_long(
        to,
        &format!(
            r#"{{"method":"turn/completed","params":{{"threadId":"t","turn":{{"id":"u","items":[{item}"#
        ),
        pieces,
        r#""}],"status":"completed","error":null}}}"#,
    );
    send_long(
        to,
        &format!(r#"{{"id":2,"result":{{"thread":{{"turns":[{{"id":"u","items":[{item}"#),
        pieces,
        r#""}]}]}}}"#,
    );
    let refused = r#"{"method":"attestation/generate","id":"r","params":{"a":""#;
    send_long(to, refused, 17, r#""}}"#);
    socket
}

fn spec() -> ThreadSpec {
    ThreadSpec {
        worker: crate::ids::WorkerId::mint(&crate::clock::Clock::manual(0)),
        name: "w".to_owned(),
        cwd: "/w".into(),
        tmp: "/t".into(),
        sandbox: Sandbox::ReadOnly,
        model: None,
        effort: None,
        may_ask: false,
        instructions: String::new(),
    }
}

/// Three messages of 8 MiB and one above 1 MiB.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_message_is_never_whole_in_memory() {
    std::fs::create_dir_all("target/tmp").unwrap();
    let dir = tempfile::tempdir_in("target/tmp").unwrap();
    let state = StateDir::open(&dir.path().canonicalize().unwrap().join("s")).unwrap();
    state.private_dir(&state.run()).unwrap();
    let (ours, theirs) = UnixStream::pair().unwrap();
    let theirs = theirs.into_std().unwrap();
    theirs.set_nonblocking(false).unwrap();
    crate::HEAP.reset_peak_usage();
    let before = crate::HEAP.current_usage();
    let server = std::thread::spawn(move || app_server(theirs, 128));
    let socket = WebSocket::over(ours).await.unwrap();
    let (sink, mut events) = mpsc::channel(8);
    let client = Client::over(socket, &state).await.unwrap();
    client.add("t", Route::starting(sink, &spec()));
    let answer = client.call("thread/read", json!({})).await.unwrap();
    let mut socket = server.join().unwrap();

    let size = 8 << 20;
    let kept = |item: &Value| {
        let file = item["file"].as_str().unwrap_or_else(|| panic!("{item}"));
        let path = state.root().join("artifacts/payloads").join(file);
        assert!(std::fs::metadata(path).unwrap().len() > size);
        assert_eq!(item["id"], "m");
    };
    kept(&answer["thread"]["turns"][0]["items"][0]);
    assert!(matches!(events.recv().await, Some(TurnEvent::Began { .. })));
    let Some(TurnEvent::Item { phase: ItemPhase::Completed, payload, .. }) = events.recv().await
    else {
        panic!("no item")
    };
    kept(&payload);
    let ended = events.recv().await;
    assert!(matches!(ended, Some(TurnEvent::Ended(Ending::Completed))), "{ended:?}");
    let refused = loop {
        let text = socket.read().unwrap().to_string();
        if text.contains("\"error\"") {
            break text;
        }
    };
    assert!(refused.contains("\"r\""), "{refused}");
    let peak = crate::HEAP.peak_usage() - before;
    assert!(peak < 4 << 20, "{peak} bytes at once");
}
