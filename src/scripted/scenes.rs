use super::dialect::Dialect;
use super::item::ItemIds;
use super::marker::Marker;
use super::reply::{End, Reply};
use super::request::Request;
use super::sample::sample;
use super::tools::Tools;
use super::{acts, fault, steps};
use base64::Engine;
use serde_json::json;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// How often a fault scene was asked for, by scene, conversation and place in it.
pub(super) type Attempts = Mutex<HashMap<(String, String, usize), u32>>;

/// What a scene is played from.
pub(super) struct Scene<'a> {
    /// What codex sent.
    pub(super) request: &'a Request,
    /// The marker that chose the scene.
    pub(super) marker: Marker,
    /// Outputs of tools since the marker; their number is the step.
    pub(super) outputs: Vec<String>,
    /// Calls in the request's dialect.
    pub(super) tools: Tools<'a>,
    /// Mints ids.
    pub(super) ids: &'a ItemIds,
    /// Counts failures.
    pub(super) attempts: &'a Attempts,
    /// Unix seconds.
    pub(super) now_s: i64,
}

/// Plays the scene of the marker:
///
/// | scene | options | does |
/// |---|---|---|
/// | `answer` | | answers in words (an example of the schema where one is asked for) |
/// | `say` | `b64` text | answers with this text |
/// | `steps` | `b64` JSON list, see `steps::play` | any script |
/// | `sh` | `b64` command, `yield` ms | one command |
/// | `write`; `shwrite` | `file`; `cmd` | writes a file by patch; by shell |
/// | `many` | `n`, `sl` seconds each | n commands, one after the other |
/// | `env`, `sleep` (`s`), `longcmd` (`s`), `bg` (`s`), `parallel`, `hugeout` (`mb`) | | commands of these kinds |
/// | `escalate` | `cmd` | asks to run outside of the sandbox |
/// | `patchout` (`path`), `badpatch`, `badargs`, `unknowntool`, `tool` (`name`, `b64`), `plan` | | calls of these kinds |
/// | `slow` | `words`, `d` seconds | streams word by word |
/// | `think` | `s` | silence, then words |
/// | `gate` | `name` | silence until the gate is opened, then words |
/// | `hugemsg` | `kb`, `piece` characters | a huge message |
/// | `echoall`; `dump` | | the history; the shape of the request |
/// | `err400`…`err599` | `fails`, `ra`, `code`, `type` | fails so often, then recovers |
/// | `cut`, `badjson` | `fails` | a broken stream, then recovers |
/// | `usage_limit` | `s` seconds, `fails` | the account's limit is used up |
/// | `insufficient`, `failed` (`code`), `ctx`, `incomplete` (`reason`), `hang` (`s`), `badschema` | | ends of these kinds |
pub(super) fn play(scene: &Scene<'_>) -> Reply {
    words(scene)
        .or_else(|| acts::play(scene))
        .or_else(|| broken(scene))
        .unwrap_or_else(|| scene.say(&format!("There is no scene {}.", scene.marker.name)))
}

impl<'a> Scene<'a> {
    /// Finds the scene of a request.
    pub(super) fn of(
        request: &'a Request,
        forced: Option<Dialect>,
        ids: &'a ItemIds,
        attempts: &'a Attempts,
        now_s: i64,
    ) -> Self {
        let marker = Marker::locate(&request.input);
        let outputs = request.outputs_after(marker.index);
        let tools = Tools::new(request, forced, ids);
        Self { request, marker, outputs, tools, ids, attempts, now_s }
    }

    /// How many outputs of tools were seen.
    pub(super) fn step(&self) -> usize {
        self.outputs.len()
    }

    /// The last output, at most `most` characters of it.
    pub(super) fn last_output(&self, most: usize) -> String {
        self.outputs.last().map(|o| o.chars().take(most).collect()).unwrap_or_default()
    }

    /// The last message of a turn; an example of the schema where the request binds the answer.
    pub(super) fn say(&self, text: &str) -> Reply {
        let text = match &self.request.schema {
            Some(schema) => sample(schema).to_string(),
            None => text.to_owned(),
        };
        Reply::of(vec![self.ids.message(&text, None)])
    }

    /// Words that no schema binds.
    fn raw(&self, text: &str) -> Reply {
        Reply::of(vec![self.ids.message(text, None)])
    }

    /// The option `b64`, decoded.
    pub(super) fn decoded(&self) -> Option<String> {
        let bytes = base64::engine::general_purpose::STANDARD
            .decode(self.marker.options.get("b64")?)
            .ok()?;
        String::from_utf8(bytes).ok()
    }

    /// Seconds of an option; none below zero.
    fn seconds(&self, key: &str, default: f64) -> Duration {
        Duration::try_from_secs_f64(self.marker.number(key, default)).unwrap_or_default()
    }

    /// What a step says of the limit: it is used up the first time.
    fn limited(&self, reply: Reply) -> Reply {
        match reply.limit {
            Some(seconds) if self.failing(1).is_some() => fault::usage_limit(self.now_s, seconds),
            _ => reply,
        }
    }

    /// Which attempt this is, while it is one that fails; none once the scene has recovered.
    fn failing(&self, fails: u32) -> Option<u32> {
        let key = (self.marker.name.clone(), self.request.conversation.clone(), self.marker.index);
        let mut attempts = self.attempts.lock().unwrap_or_else(PoisonError::into_inner);
        let attempt = attempts.entry(key).or_default();
        *attempt += 1;
        (*attempt <= self.marker.number("fails", fails)).then_some(*attempt)
    }
}

/// Scenes that only speak.
fn words(scene: &Scene<'_>) -> Option<Reply> {
    let steered = || format!("steer={:?}", scene.request.said_after(scene.marker.index));
    Some(match scene.marker.name.as_str() {
        "answer" => {
            let start: String = scene.marker.prompt.chars().take(60).collect();
            scene.say(&format!("ANSWER. No tools used. asked={start:?}"))
        }
        "say" => scene.say(&scene.decoded().unwrap_or_default()),
        "steps" => scene
            .decoded()
            .and_then(|list| {
                steps::play(
                    &list,
                    &scene.request.outputs_by_message(scene.marker.index),
                    &scene.tools,
                    scene.ids,
                )
            })
            .map(|reply| scene.limited(reply))
            .unwrap_or_else(|| scene.say("The list of steps cannot be read.")),
        "slow" => {
            // A few thousand words are minutes; more would only fill memory.
            let words = scene.marker.number("words", 60_usize).min(10_000);
            let pause = scene.seconds("d", 0.2);
            Reply { pause, piece: 5, ..scene.raw(&"word ".repeat(words)) }
        }
        "think" => Reply {
            prelude: scene.seconds("s", 20.0),
            ..scene.say(&format!("THINK DONE. {}", steered()))
        },
        "gate" => {
            let gate = Some(scene.marker.text("name", "gate").to_owned());
            Reply { gate, ..scene.say(&format!("GATE DONE. {}", steered())) }
        }
        "hugemsg" => {
            let kb = scene.marker.number("kb", 1000_usize).min(65_536);
            let piece = scene.marker.number("piece", 4096_usize).max(1);
            Reply { piece, ..scene.raw(&"0123456789abcdef".repeat(kb * 64)) }
        }
        "badschema" => scene.raw("this is not json at all"),
        "echoall" => scene.say(&format!("HISTORY {}", acts::history(scene.request))),
        "dump" => {
            let r = scene.request;
            let shape = json!({"n_input": r.input.len(), "tools": r.tools, "keys": r.members});
            scene.say(&shape.to_string())
        }
        _ => return None,
    })
}

/// Scenes in which the API breaks.
fn broken(scene: &Scene<'_>) -> Option<Reply> {
    let marker = &scene.marker;
    Some(match marker.name.as_str() {
        "usage_limit" | "quota" => match scene.failing(u32::MAX) {
            Some(_) => fault::usage_limit(scene.now_s, marker.number("s", 3600)),
            None => scene.say("RECOVERED after a used-up limit."),
        },
        "insufficient" => fault::insufficient_quota(),
        "failed" => fault::failed(marker.text("code", "server_error"), "scripted response.failed"),
        "ctx" => fault::failed(
            "context_length_exceeded",
            "Your input exceeds the context window of this model.",
        ),
        "incomplete" => {
            let reason = marker.text("reason", "max_output_tokens").to_owned();
            Reply { end: End::Incomplete(reason), ..scene.raw("partial text") }
        }
        "hang" => fault::silence(marker.number("s", 600.0)),
        "cut" => match scene.failing(1) {
            Some(_) => {
                Reply { end: End::Cut(10), ..scene.raw(&"this text will be cut ".repeat(20)) }
            }
            None => scene.say("RECOVERED after a cut stream."),
        },
        "badjson" => match scene.failing(1) {
            Some(_) => Reply::end(End::Malformed),
            None => scene.say("RECOVERED after a malformed stream."),
        },
        name => {
            let code = fault::status_of(name)?;
            match scene.failing(2) {
                Some(attempt) => fault::error(marker, code, attempt),
                None => scene.say(&format!("RECOVERED after failures of {code}.")),
            }
        }
    })
}
