use super::*;
use proptest::prelude::*;
use tungstenite::protocol::{Role, WebSocketConfig};
use tungstenite::{Message, WebSocket as Library};

/// What a server sends, as the library encodes it.
#[derive(Debug, Clone)]
enum Sent {
    /// A message, in as many frames as there are texts.
    Message(Vec<String>, Vec<bool>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
}

fn encoded(sent: &[Sent]) -> Vec<u8> {
    let config = WebSocketConfig::default();
    let stream = Cursor::new(Vec::new());
    let mut server = Library::from_raw_socket(stream, Role::Server, Some(config));
    for what in sent {
        match what {
            Sent::Ping(payload) => server.send(Message::Ping(payload.clone().into())).unwrap(),
            Sent::Pong(payload) => server.send(Message::Pong(payload.clone().into())).unwrap(),
            Sent::Message(texts, pings) => {
                for (n, text) in texts.iter().enumerate() {
                    let kind = if n == 0 { Data::Text } else { Data::Continue };
                    let last = n + 1 == texts.len();
                    let frame = Frame::message(text.clone(), OpCode::Data(kind), last);
                    server.send(Message::Frame(frame)).unwrap();
                    if pings[n] && !last {
                        server.send(Message::Ping(vec![7].into())).unwrap();
                    }
                }
            }
        }
    }
    server.close(None).unwrap();
    server.get_ref().get_ref().clone()
}

/// Gives at most so many bytes at once.
struct Slow<'a>(&'a [u8], usize);

impl AsyncRead for Slow<'_> {
    fn poll_read(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
        to: &mut tokio::io::ReadBuf<'_>,
    ) -> std::task::Poll<io::Result<()>> {
        let (now, later) = self.0.split_at(self.1.min(to.remaining()).min(self.0.len()));
        to.put_slice(now);
        self.0 = later;
        std::task::Poll::Ready(Ok(()))
    }
}

/// What comes of it: whole messages, the payloads of pings, and the most that was held.
async fn read(bytes: &[u8], step: usize) -> io::Result<(Vec<String>, Vec<Vec<u8>>, usize)> {
    let early = bytes.len().min(step / 2).min(HANDSHAKE);
    let mut frames = Frames::new(Slow(&bytes[early..], step), bytes[..early].to_vec());
    let (mut messages, mut pings, mut whole, mut most) = (vec![], vec![], vec![], 0);
    loop {
        match frames.next().await? {
            Some(Part::Data { bytes, last }) => {
                assert!(bytes.len() <= CHUNK);
                whole.extend_from_slice(bytes);
                if last {
                    messages.push(String::from_utf8(std::mem::take(&mut whole)).unwrap());
                }
            }
            Some(Part::Ping(payload)) => pings.push(payload),
            None => return Ok((messages, pings, most)),
        }
        most = most.max(frames.buffer.capacity());
    }
}

fn sent() -> impl Strategy<Value = Sent> {
    let size = prop_oneof![0_usize..300, 65_530_usize..65_545, 0_usize..200_000];
    let text = size.prop_map(|size| "aé\n".chars().cycle().take(size).collect::<String>());
    let payload = proptest::collection::vec(any::<u8>(), 0..=125);
    prop_oneof![
        (proptest::collection::vec((text, any::<bool>()), 1..4))
            .prop_map(|parts| parts.into_iter().unzip())
            .prop_map(|(texts, pings)| Sent::Message(texts, pings)),
        payload.clone().prop_map(Sent::Ping),
        payload.prop_map(Sent::Pong),
    ]
}

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 64, ..Default::default() })]

    #[test]
    fn what_the_library_sends_is_read(
        sent in proptest::collection::vec(sent(), 0..6),
        step in prop_oneof![1_usize..40, 4_000_usize..300_000],
    ) {
        let bytes = encoded(&sent);
        // One byte at a time through megabytes would take long and show nothing more.
        let step = step.max(bytes.len() / 20_000 + 1);
        let (messages, pings, most) = run(read(&bytes, step)).unwrap();
        let mut wanted = (Vec::new(), Vec::new());
        for what in &sent {
            match what {
                Sent::Message(texts, between) => {
                    wanted.0.push(texts.concat());
                    let inner = between[..texts.len() - 1].iter().filter(|ping| **ping);
                    wanted.1.extend(inner.map(|_| vec![7]));
                }
                Sent::Ping(payload) => wanted.1.push(payload.clone()),
                Sent::Pong(_) => {}
            }
        }
        prop_assert_eq!(messages, wanted.0);
        prop_assert_eq!(pings, wanted.1);
        prop_assert!(most <= CHUNK + HANDSHAKE, "{} bytes were held", most);
    }

    #[test]
    fn whatever_comes_is_read_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = run(read_any(&bytes));
    }
}

async fn read_any(bytes: &[u8]) -> io::Result<()> {
    let mut frames = Frames::new(bytes, Vec::new());
    while frames.next().await?.is_some() {}
    Ok(())
}

#[test]
fn what_breaks_the_protocol_is_an_error() {
    let frame = |kind, last, mask: Option<[u8; 4]>| {
        let mut frame = Frame::message("x", OpCode::Data(kind), last);
        frame.header_mut().mask = mask;
        let mut bytes = Vec::new();
        frame.format(&mut bytes).unwrap();
        bytes
    };
    let begun = frame(Data::Text, false, None);
    for wrong in [
        frame(Data::Continue, true, None),
        frame(Data::Text, true, Some([1; 4])),
        frame(Data::Reserved(3), true, None),
        [begun.clone(), frame(Data::Text, true, None)].concat(),
        begun.clone(),
        vec![0x89, 126, 0, 200],
        vec![0x09, 1, 0],
        vec![0xc1, 1, 0],
    ] {
        assert!(run(read_any(&wrong)).is_err(), "{wrong:?}");
    }
    let right = [begun, frame(Data::Continue, true, None), vec![0x88, 0]].concat();
    run(read_any(&right)).unwrap();
}

#[test]
fn what_is_sent_is_what_the_library_reads() {
    let mut bytes = Vec::new();
    for outgoing in [
        Outgoing::Text("é".repeat(70_000)),
        Outgoing::Pong(vec![1, 2]),
        Outgoing::Text(String::new()),
        Outgoing::Close,
    ] {
        bytes.extend(outgoing.frame().unwrap());
    }
    let mut server = Library::from_raw_socket(Cursor::new(bytes), Role::Server, None);
    assert_eq!(server.read().unwrap(), Message::text("é".repeat(70_000)));
    assert_eq!(server.read().unwrap(), Message::Pong(vec![1, 2].into()));
    assert_eq!(server.read().unwrap(), Message::text(""));
    assert_eq!(server.read().unwrap(), Message::Close(None));
}

#[tokio::test]
async fn hands_are_shaken_with_the_library_and_with_nobody_else() {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let theirs = theirs.into_std().unwrap();
    theirs.set_nonblocking(false).unwrap();
    let server = std::thread::spawn(move || {
        let mut server = tungstenite::accept(theirs).unwrap();
        server.send(Message::text("at once")).unwrap();
        server
    });
    let (mut frames, _sink) = WebSocket::over(ours).await.unwrap().split();
    let wanted = Part::Data { bytes: b"at once", last: true };
    assert_eq!(frames.next().await.unwrap(), Some(wanted));
    drop(server.join().unwrap());
    for answer in [
        "HTTP/1.1 400 Bad Request\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: other\r\n\r\n",
        "SSH-2.0-OpenSSH\r\n",
        "HTTP/1.1 101 ",
    ] {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        theirs.write_all(answer.as_bytes()).await.unwrap();
        theirs.shutdown().await.unwrap();
        assert!(WebSocket::over(ours).await.is_err(), "{answer}");
    }
}
