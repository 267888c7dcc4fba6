use crate::stage::{Door, Files};
use serde::Deserialize;
use serde::de::Error;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// A scenario: a base, and steps that are played on it in order up to the first that fails.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Scenario {
    /// What it shows, in a sentence.
    pub(super) about: String,
    /// The files of the base's one commit.
    files: BTreeMap<String, Content>,
    /// Further settings of the server, as YAML.
    #[serde(default)]
    pub(super) settings: String,
    /// The steps.
    pub(super) steps: Vec<Step>,
}

/// A file of the base: text, or `{executable: text}`.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub(super) enum Content {
    Plain(String),
    Executable(Executable),
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Executable {
    executable: String,
}

/// One step: an act, and what it shows.
#[derive(Debug)]
pub(super) struct Step {
    /// The line that is printed; none: what the act says of itself.
    pub(super) check: Option<String>,
    pub(super) act: Act,
}

/// What a step does.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Act {
    /// Calls a tool.
    Call(Call),
    /// Calls tools at once; all must do as they are expected to.
    Together(Vec<Call>),
    /// Waits until a worker is in this state; another one in which it rests is a failure.
    Until(Until),
    /// Ends the server and starts it again.
    Restart(Restart),
    /// Waits until the model was asked for this step of scripts so often.
    Asked(Asked),
    /// Opens a gate of the scripted model.
    Gate(String),
    /// Somebody writes files into the base.
    Write(BTreeMap<String, String>),
    /// Somebody commits everything in the base.
    Commit(String),
    /// Remembers how the base and its `.git` are now.
    Remember,
    /// They are as they were remembered.
    Unchanged,
    /// The base holds exactly these files.
    Base(BTreeMap<String, Content>),
    /// `git status --porcelain` of the base says exactly this.
    Status(Vec<String>),
}

/// A call of a tool, and what it must answer.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Call {
    pub(super) tool: String,
    /// Default: stateless HTTP.
    #[serde(default = "modern")]
    pub(super) through: Door,
    /// `{script: {words, steps}}` in it becomes a brief, `${name}` what was kept under that name.
    #[serde(default)]
    pub(super) args: Map<String, Value>,
    /// The code of the refusal that must come. A refusal changes nothing, which is looked at.
    pub(super) error: Option<String>,
    /// What must be at these JSON pointers, see `expect::holds`.
    #[serde(default)]
    pub(super) expect: BTreeMap<String, Value>,
    /// Names under which to keep what is at JSON pointers.
    #[serde(default)]
    pub(super) keep: BTreeMap<String, String>,
}

/// A wait for a worker.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Until {
    pub(super) worker: String,
    pub(super) state: String,
}

/// How the server ends.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Restart {
    /// SIGKILL.
    Kill,
    /// `patchbay stop`.
    Stop,
    /// `patchbay stop --keep-turns`.
    KeepTurns,
}

/// Requests that the model must have had.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    pub(super) step: usize,
    pub(super) times: usize,
}

fn modern() -> Door {
    Door::Modern
}

impl<'de> Deserialize<'de> for Step {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let mut members = match Value::deserialize(from)? {
            Value::String(word) => Map::from_iter([(word, Value::Null)]),
            Value::Object(members) => members,
            other => return Err(D::Error::custom(format!("no step: {other}"))),
        };
        let check = match members.remove("check") {
            Some(Value::String(text)) => Some(text),
            None => None,
            Some(other) => return Err(D::Error::custom(format!("no words: {other}"))),
        };
        if members.len() != 1 {
            let names: Vec<&String> = members.keys().collect();
            return Err(D::Error::custom(format!("a step does one thing, not {names:?}")));
        }
        let unit = members.iter().find(|(_, value)| value.is_null()).map(|(name, _)| name.clone());
        let act = unit.map_or(Value::Object(members), Value::String);
        Ok(Self { check, act: serde_json::from_value(act).map_err(D::Error::custom)? })
    }
}

impl Scenario {
    /// Reads the YAML of a scenario.
    pub(super) fn read(text: &str) -> Result<Self, String> {
        let tree: Value =
            serde_saphyr::from_str(text).map_err(|error| error.without_snippet().to_string())?;
        serde_json::from_value(tree).map_err(|error| error.to_string())
    }

    /// The files of the base in the beginning.
    pub(super) fn files(&self) -> Files {
        files(&self.files)
    }

    /// Whether the last step says what the whole base is.
    #[cfg(test)]
    pub(super) fn looks_at_the_base(&self) -> bool {
        self.steps.last().is_some_and(|step| matches!(step.act, Act::Base(_)))
    }
}

/// Files as the stage has them.
pub(super) fn files(contents: &BTreeMap<String, Content>) -> Files {
    let file = |content: &Content| match content {
        Content::Plain(text) => (false, text.clone()),
        Content::Executable(file) => (true, file.executable.clone()),
    };
    contents.iter().map(|(path, content)| (path.clone(), file(content))).collect()
}

impl Step {
    /// The line that is printed.
    pub(super) fn name(&self) -> String {
        if let Some(check) = &self.check {
            return check.clone();
        }
        let call = |call: &Call| match &call.error {
            Some(code) => format!("{} is refused: {code}", call.tool),
            None => call.tool.clone(),
        };
        match &self.act {
            Act::Call(one) => call(one),
            Act::Together(calls) => {
                format!("at once: {}", calls.iter().map(call).collect::<Vec<_>>().join(", "))
            }
            Act::Until(until) => format!("{} becomes {}", until.worker, until.state),
            Act::Restart(Restart::Kill) => "the server is killed and starts again".to_owned(),
            Act::Restart(_) => "the server stops and starts again".to_owned(),
            Act::Asked(asked) => {
                format!("{} script(s) are at step {}", asked.times, asked.step)
            }
            Act::Gate(name) => format!("the gate {name} is opened"),
            Act::Write(_) => "somebody edits the base".to_owned(),
            Act::Commit(_) => "somebody commits in the base".to_owned(),
            Act::Remember => "the base is looked at".to_owned(),
            Act::Unchanged => "the base and its .git are as before".to_owned(),
            Act::Base(_) => "the base holds exactly what it should".to_owned(),
            Act::Status(_) => "git sees exactly the expected changes".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_one_act_and_words() {
        let text = "about: x\nfiles: {a: b, c: {executable: d}}\nsteps:\n- remember\n\
                    - {check: it, gate: g}\n- until: {worker: A, state: idle}\n";
        let scenario = Scenario::read(text).unwrap();
        assert_eq!(scenario.files()["c"], (true, "d".to_owned()));
        let names: Vec<String> = scenario.steps.iter().map(Step::name).collect();
        assert_eq!(names, ["the base is looked at", "it", "A becomes idle"]);
        for bad in ["{gate: g, commit: c}", "{check: only}", "nonsense", "{call: {tol: x}}"] {
            let text = format!("about: x\nfiles: {{}}\nsteps:\n- {bad}\n");
            assert!(Scenario::read(&text).is_err(), "{bad}");
        }
    }
}
