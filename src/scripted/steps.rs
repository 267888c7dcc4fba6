use super::item::ItemIds;
use super::reply::Reply;
use super::tools::{Shell, Tools};
use serde::Deserialize;
use serde_json::Value;
use std::time::Duration;

/// One thing that a scripted worker does; a list of them is the option `b64` of scene `steps`.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged, deny_unknown_fields)]
enum Step {
    /// Runs a command: `{"sh": "…", "yield_ms": 1000, "escalate": "reason"}`.
    Sh { sh: String, yield_ms: Option<u64>, escalate: Option<String> },
    /// Applies a patch, with its first and last line: `{"patch": "*** Begin Patch…"}`.
    Patch { patch: String },
    /// Calls any other tool: `{"tool": "update_plan", "arguments": {…}}`.
    Tool { tool: String, arguments: Value },
    /// Words: commentary before a later step, the report at the end. With a gate (`{"say": "…",
    /// "gate": "go"}`) only a first piece comes before it is opened.
    Say { say: String, gate: Option<String> },
    /// A summary of reasoning.
    Think { think: String },
    /// Silence in seconds.
    Wait { wait: f64 },
    /// The account's limit is used up for so many seconds, the first time: `{"limit": 2}`.
    Limit { limit: i64 },
    /// Silence until the gate is opened.
    Gate { gate: String },
    /// What follows is for the next message of the user that has no marker: `{"next_message": true}`.
    NextMessage { next_message: bool },
}

/// Plays a list of steps. Each command, patch or tool call is one request of codex's; words,
/// thoughts and pauses before it go along with it. `done` is how many outputs codex has sent since the
/// marked message, and since each later message of the user.
///
/// Returns none when the list cannot be read.
pub(super) fn play(list: &str, done: &[usize], tools: &Tools<'_>, ids: &ItemIds) -> Option<Reply> {
    let steps: Vec<Step> = serde_json::from_str(list).ok()?;
    let parts: Vec<&[Step]> =
        steps.split(|step| matches!(step, Step::NextMessage { next_message: true })).collect();
    let part = done.len().saturating_sub(1).min(parts.len() - 1);
    let done = done.iter().skip(part).sum();
    let steps = parts[part];
    let calls =
        |step: &Step| matches!(step, Step::Sh { .. } | Step::Patch { .. } | Step::Tool { .. });
    let begin = match done {
        0 => 0,
        n => steps
            .iter()
            .enumerate()
            .filter(|(_, s)| calls(s))
            .nth(n - 1)
            .map_or(steps.len(), |(i, _)| i + 1),
    };
    let rest = &steps[begin..];
    let call = rest.iter().position(calls);
    let mut reply = Reply::of(Vec::new());
    for step in &rest[..call.map_or(rest.len(), |at| at + 1)] {
        add(step, call.is_some(), &mut reply, tools, ids);
    }
    // A turn ends with a message; a list that says nothing at its end still needs one.
    if call.is_none() && !reply.items.iter().any(|i| i["type"] == "message") {
        reply.items.push(ids.message("Done.", None));
    }
    Some(reply)
}

fn add(step: &Step, goes_on: bool, reply: &mut Reply, tools: &Tools<'_>, ids: &ItemIds) {
    let item = match step {
        Step::Sh { sh, yield_ms, escalate } => tools.shell(&Shell {
            command: sh.clone(),
            yield_ms: *yield_ms,
            escalate: escalate.clone(),
        }),
        Step::Patch { patch } => tools.patch(patch),
        Step::Tool { tool, arguments } => tools.call(tool, arguments),
        Step::Say { say, gate } => {
            reply.inner_gate = gate.clone().or(reply.inner_gate.take());
            ids.message(say, goes_on.then_some("commentary"))
        }
        Step::Think { think } => ids.reasoning(think),
        Step::Wait { wait } => {
            reply.prelude += Duration::try_from_secs_f64(*wait).unwrap_or_default();
            return;
        }
        Step::Limit { limit } => {
            reply.limit = Some(*limit);
            return;
        }
        Step::Gate { gate } => {
            reply.gate = Some(gate.clone());
            return;
        }
        Step::NextMessage { .. } => return,
    };
    reply.items.push(item);
}

#[cfg(test)]
mod tests {
    use super::super::dialect::Dialect;
    use super::super::request::Request;
    use super::*;
    use serde_json::json;

    fn kinds(list: &Value, done: &[usize]) -> Vec<String> {
        let ids = ItemIds::new().unwrap();
        let tools = Tools::new(&Request::of(&json!({})), Some(Dialect::ExecCommand), &ids);
        let reply = play(&list.to_string(), done, &tools, &ids).unwrap();
        reply.items.iter().map(|i| i["type"].as_str().unwrap().to_owned()).collect()
    }

    #[test]
    fn each_call_is_one_request_and_words_go_along() {
        let list = json!([
            {"think": "hm"}, {"say": "first"}, {"sh": "a"}, {"patch": "p"}, {"gate": "g"}, {"say": "end"},
        ]);
        assert_eq!(kinds(&list, &[0]), ["reasoning", "message", "function_call"]);
        assert_eq!(kinds(&list, &[1]), ["custom_tool_call"]);
        assert_eq!(kinds(&list, &[2]), ["message"]);
        assert_eq!(kinds(&list, &[9]), ["message"], "a turn past its end still gets a message");
    }

    #[test]
    fn a_later_message_goes_on_with_its_own_part() {
        let list = json!([{"sh": "a"}, {"say": "one"}, {"next_message": true}, {"patch": "p"}, {"say": "two"}]);
        assert_eq!(kinds(&list, &[0]), ["function_call"]);
        assert_eq!(kinds(&list, &[1]), ["message"]);
        assert_eq!(kinds(&list, &[1, 0]), ["custom_tool_call"]);
        assert_eq!(kinds(&list, &[1, 1]), ["message"]);
        let plain = json!([{"sh": "a"}, {"sh": "b"}, {"say": "end"}]);
        assert_eq!(kinds(&plain, &[1, 1]), ["message"], "words that steer change nothing else");
    }

    #[test]
    fn a_list_with_an_unknown_step_is_refused() {
        let ids = ItemIds::new().unwrap();
        let tools = Tools::new(&Request::of(&json!({})), None, &ids);
        assert!(play(r#"[{"shell": "a"}]"#, &[0], &tools, &ids).is_none());
    }
}
