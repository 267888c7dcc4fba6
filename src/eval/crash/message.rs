use crate::stage::script;
use serde_json::json;

/// Lines of the file that a message asks for.
const LINES: usize = 60;

/// What a message is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Asks for a file of its own, a line in the worker's log and one in the shared file.
    Work,
    /// Only words; they may go into a running turn.
    Word,
}

/// Something that was said to a worker. Its token is in its words and in all that it asks for.
#[derive(Debug, Clone)]
pub(super) struct Message {
    pub(super) token: String,
    pub(super) worker: Name,
    pub(super) kind: Kind,
    /// The server has said that it has it. Otherwise its answer was lost with it.
    pub(super) certain: bool,
}

/// A worker of a round.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Name {
    pub(super) round: u32,
    pub(super) seat: usize,
}

impl Name {
    /// What the chat calls it.
    pub(super) fn text(&self) -> String {
        format!("r{:04}w{}", self.round, self.seat)
    }

    /// The directory that only it writes.
    pub(super) fn dir(&self) -> String {
        format!("{}/", self.text())
    }

    /// How its line in the shared file begins.
    pub(super) fn line(&self) -> String {
        format!("w{}: ", self.seat)
    }
}

impl Message {
    /// The `number`th message to a worker.
    pub(super) fn new(worker: &Name, number: usize, kind: Kind, certain: bool) -> Self {
        let token = format!("{}m{number:02}", worker.text());
        Self { token, worker: worker.clone(), kind, certain }
    }

    /// The words by which it is found again.
    pub(super) fn mark(&self) -> String {
        match self.kind {
            Kind::Work => format!("Do {}.", self.token),
            Kind::Word => format!("By the way: {}.", self.token),
        }
    }

    /// What is sent. Each command may be run again and again: the result is the same.
    pub(super) fn text(&self) -> String {
        if self.kind == Kind::Word {
            return self.mark();
        }
        let (token, dir, line) = (&self.token, self.worker.text(), self.worker.line());
        let write = format!(
            "mkdir -p {dir} && for n in $(seq {LINES}); do echo \"{token} $n\"; done > {dir}/{token}.txt"
        );
        let note = format!(
            "sleep 0.2; grep -qx {token} {dir}/log.txt 2>/dev/null || echo {token} >> {dir}/log.txt; \
             sed 's/^{line}.*/{line}{token}/' shared.txt > $TMPDIR/s && mv $TMPDIR/s shared.txt"
        );
        let done = format!("{token} is done.");
        script(&self.mark(), &json!([{"sh": write}, {"sh": note}, {"say": done}]))
    }

    /// The path of the file that it asks for.
    pub(super) fn path(&self) -> String {
        format!("{}{}.txt", self.worker.dir(), self.token)
    }

    /// What must be in that file.
    pub(super) fn content(&self) -> String {
        (1..=LINES).map(|n| format!("{} {n}\n", self.token)).collect()
    }
}
