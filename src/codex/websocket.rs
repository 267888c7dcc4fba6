use std::io::{self, Cursor};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tungstenite::Bytes;
use tungstenite::handshake::client::generate_key;
use tungstenite::handshake::derive_accept_key;
use tungstenite::protocol::frame::coding::{Control, Data, OpCode};
use tungstenite::protocol::frame::{Frame, FrameHeader};

/// Bytes that are read at once, and the largest part of a message that is handed on.
const CHUNK: usize = 64 << 10;

/// Longest answer to the handshake, in bytes.
const HANDSHAKE: usize = 16 << 10;

/// Longest payload of a control frame (RFC 6455).
const CONTROL: u64 = 125;

/// The client's end of a WebSocket, after the handshake.
///
/// The libraries put a message, or at least a frame, together in memory before they hand it on, and codex
/// sends each message as one frame, however large (seen on 0.169.0). Here only headers and the handshake's
/// key are the library's; payloads come in parts.
#[derive(Debug)]
pub(super) struct WebSocket {
    stream: UnixStream,
    early: Vec<u8>,
}

impl WebSocket {
    /// Shakes hands.
    ///
    /// # Errors
    /// When the other side speaks no WebSocket.
    pub(super) async fn over(mut stream: UnixStream) -> io::Result<Self> {
        let key = generate_key();
        let request = format!(
            "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await?;
        let mut early = Vec::with_capacity(1024);
        loop {
            if stream.read_buf(&mut early).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            if let Some(length) = accepted(&early, &key)? {
                early.drain(..length);
                return Ok(Self { stream, early });
            }
            if early.len() > HANDSHAKE {
                return Err(broken("its answer to the handshake does not end"));
            }
        }
    }

    /// The two directions.
    pub(super) fn split(self) -> (Frames<OwnedReadHalf>, OwnedWriteHalf) {
        let (source, sink) = self.stream.into_split();
        (Frames::new(source, self.early), sink)
    }
}

/// The length of the answer to the handshake; nothing while it is not whole.
fn accepted(answer: &[u8], key: &str) -> io::Result<Option<usize>> {
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut response = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(length) = response.parse(answer).map_err(io::Error::other)?
    else {
        return Ok(None);
    };
    let wanted = derive_accept_key(key.as_bytes());
    let ours = |header: &&mut httparse::Header<'_>| {
        header.name.eq_ignore_ascii_case("sec-websocket-accept")
            && header.value == wanted.as_bytes()
    };
    if response.code != Some(101) || response.headers.iter_mut().find(ours).is_none() {
        return Err(broken("it did not accept the handshake"));
    }
    Ok(Some(length))
}

fn broken(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("codex broke the protocol: {what}"))
}

/// What comes.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Part<'a> {
    /// A part of a message, at most 64 KiB; `last`: the message is whole with it.
    Data { bytes: &'a [u8], last: bool },
    /// To be answered with a pong that holds the same.
    Ping(Vec<u8>),
}

/// Reads frames and holds 64 KiB of them, however large they are.
pub(super) struct Frames<R> {
    source: R,
    buffer: Vec<u8>,
    /// Where the unread part of the buffer begins.
    at: usize,
    /// What is missing of a data frame, and whether it is the last one of its message.
    frame: Option<(u64, bool)>,
    /// Whether a message has begun and its last frame has not come.
    begun: bool,
}

impl<R: AsyncRead + Unpin> Frames<R> {
    /// Reads from `source`, after what was read of it before.
    pub(super) fn new(source: R, early: Vec<u8>) -> Self {
        Self { source, buffer: early, at: 0, frame: None, begun: false }
    }

    /// The next part; `None` when the other side has closed.
    ///
    /// # Errors
    /// When the stream ends without that, or breaks the protocol.
    pub(super) async fn next(&mut self) -> io::Result<Option<Part<'_>>> {
        loop {
            if let Some((left, last)) = self.frame {
                return self.data(left, last).await.map(Some);
            }
            let (header, length) = self.header().await?;
            match header.opcode {
                OpCode::Data(Data::Text | Data::Binary) if !self.begun => {}
                OpCode::Data(Data::Continue) if self.begun => {}
                OpCode::Control(control) if header.is_final && length <= CONTROL => {
                    let payload = self.control(length).await?;
                    match control {
                        Control::Ping => return Ok(Some(Part::Ping(payload))),
                        Control::Close => return Ok(None),
                        Control::Pong | Control::Reserved(_) => continue,
                    }
                }
                _ => return Err(broken("a frame came that may not come here")),
            }
            self.begun = !header.is_final;
            self.frame = Some((length, header.is_final));
        }
    }

    async fn header(&mut self) -> io::Result<(FrameHeader, u64)> {
        loop {
            let mut unread = Cursor::new(&self.buffer[self.at..]);
            let parsed = FrameHeader::parse(&mut unread).map_err(io::Error::other)?;
            let Some((header, length)) = parsed else {
                self.fill().await?;
                continue;
            };
            if header.mask.is_some() || header.rsv1 || header.rsv2 || header.rsv3 {
                return Err(broken("a frame is masked or extended"));
            }
            self.at += usize::try_from(unread.position()).map_err(io::Error::other)?;
            return Ok((header, length));
        }
    }

    async fn data(&mut self, left: u64, last: bool) -> io::Result<Part<'_>> {
        if left > 0 && self.at == self.buffer.len() {
            self.fill().await?;
        }
        let unread = self.buffer.len() - self.at;
        let length = usize::try_from(left).map_or(unread, |left| left.min(unread));
        let left = left - length as u64;
        self.frame = (left > 0).then_some((left, last));
        self.at += length;
        let bytes = &self.buffer[self.at - length..self.at];
        Ok(Part::Data { bytes, last: last && left == 0 })
    }

    async fn control(&mut self, length: u64) -> io::Result<Vec<u8>> {
        let length = usize::try_from(length).map_err(io::Error::other)?;
        while self.buffer.len() - self.at < length {
            self.fill().await?;
        }
        let payload = self.buffer[self.at..self.at + length].to_vec();
        self.at += length;
        Ok(payload)
    }

    async fn fill(&mut self) -> io::Result<()> {
        self.buffer.drain(..self.at);
        self.at = 0;
        // Never more than a header or a control frame is unread here.
        self.buffer.reserve_exact(CHUNK.saturating_sub(self.buffer.len()));
        if self.source.read_buf(&mut self.buffer).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(())
    }
}

/// What is sent.
#[derive(Debug)]
pub(super) enum Outgoing {
    /// A message.
    Text(String),
    /// The answer to a ping.
    Pong(Vec<u8>),
    /// The end.
    Close,
}

impl Outgoing {
    /// Its frame. A client has to mask; the mask protects proxies from web pages, neither of which is
    /// here, so that it may be zero.
    pub(super) fn frame(self) -> io::Result<Vec<u8>> {
        let mut frame = match self {
            Self::Text(text) => Frame::message(Bytes::from(text), OpCode::Data(Data::Text), true),
            Self::Pong(payload) => Frame::pong(payload),
            Self::Close => Frame::close(None),
        };
        frame.header_mut().mask = Some([0; 4]);
        let mut bytes = Vec::with_capacity(frame.len());
        frame.format(&mut bytes).map_err(io::Error::other)?;
        Ok(bytes)
    }
}

#[cfg(test)]
#[path = "websocket_tests.rs"]
mod tests;
