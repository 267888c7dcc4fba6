use serde_json::Value;
use std::time::Duration;

/// What the model does with one request.
#[derive(Debug)]
pub(super) struct Reply {
    /// Output items, whole.
    pub(super) items: Vec<Value>,
    /// Silence before the first item.
    pub(super) prelude: Duration,
    /// A gate that must be open before the first item.
    pub(super) gate: Option<String>,
    /// A gate that must be open after the first piece of a message.
    pub(super) inner_gate: Option<String>,
    /// Pause between pieces of a message.
    pub(super) pause: Duration,
    /// Characters of a piece.
    pub(super) piece: usize,
    /// The account's limit is used up for so many seconds, once, instead of all this.
    pub(super) limit: Option<i64>,
    /// How the answer ends.
    pub(super) end: End,
}

/// How an answer ends.
#[derive(Debug)]
pub(super) enum End {
    /// As it should.
    Completed,
    /// `response.incomplete` with this reason.
    Incomplete(String),
    /// `response.failed` with this error, before any item.
    Failed(Value),
    /// The connection breaks after so many pieces of a message.
    Cut(usize),
    /// An event that is no JSON, then the end of the stream.
    Malformed,
    /// Nothing follows for so long, then the connection breaks.
    Silence(Duration),
    /// No stream at all, but a status with a JSON body.
    Status {
        /// The HTTP status.
        code: u16,
        /// Headers beside the usual ones, their names in lower case.
        headers: Vec<(&'static str, String)>,
        /// The body.
        body: Value,
    },
}

impl Reply {
    /// Items at full speed, then a proper end.
    pub(super) fn of(items: Vec<Value>) -> Self {
        Self {
            items,
            prelude: Duration::ZERO,
            gate: None,
            inner_gate: None,
            pause: Duration::ZERO,
            piece: 24,
            limit: None,
            end: End::Completed,
        }
    }

    /// Nothing but an end.
    pub(super) fn end(end: End) -> Self {
        Self { end, ..Self::of(Vec::new()) }
    }
}
