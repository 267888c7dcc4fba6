use base64::Engine;
use serde_json::{Value, json};

/// One thing that a scripted worker does.
#[derive(Clone, Copy)]
pub enum Step<'a> {
    /// Runs a shell command.
    Sh(&'a str),
    /// Runs a shell command and waits for it, however long it takes (up to two minutes).
    Long(&'a str),
    /// Asks to run a shell command outside of the sandbox.
    Escalate(&'a str),
    /// The account's limit is used up for so many seconds, once.
    Limit(i64),
    /// Waits until the test opens the gate.
    Gate(&'a str),
    /// Applies a patch in codex's patch format, without its first and last line.
    Patch(&'a str),
    /// Ends the turn with these words.
    Say(&'a str),
    /// The same, but after a first piece it waits until the test opens the gate.
    SayHalf(&'a str, &'a str),
    /// What follows is for the next message that has no script of its own.
    NextMessage,
}

/// A brief whose marker makes the scripted model do these steps.
pub fn script(words: &str, steps: &[Step<'_>]) -> String {
    let list: Vec<Value> = steps
        .iter()
        .map(|step| match step {
            Step::Sh(command) => json!({ "sh": command }),
            Step::Long(command) => json!({ "sh": command, "yield_ms": 120_000 }),
            Step::Escalate(command) => {
                json!({ "sh": command, "escalate": "it must be outside", "yield_ms": 60_000 })
            }
            Step::Limit(seconds) => json!({ "limit": seconds }),
            Step::Gate(name) => json!({ "gate": name }),
            Step::Patch(text) => {
                json!({ "patch": format!("*** Begin Patch\n{text}*** End Patch\n") })
            }
            Step::Say(text) => json!({ "say": text }),
            Step::SayHalf(text, gate) => json!({ "say": text, "gate": gate }),
            Step::NextMessage => json!({ "next_message": true }),
        })
        .collect();
    let b64 = base64::engine::general_purpose::STANDARD.encode(json!(list).to_string());
    format!("{words}\n[[steps:b64={b64}]]")
}
