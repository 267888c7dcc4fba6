use serde::Serialize;

/// One thing of the user's codex home: whether it counts for workers, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CarriedItem {
    /// What it is, for example `model`, `mcp_servers.docs` or `skills/review`.
    pub name: String,
    /// Whether workers have it.
    pub taken: bool,
    /// Where it goes, or why it does not. Holds no value of the user's that may be secret.
    pub why: String,
}

/// What was found in the user's codex home.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Carried {
    /// Each thing, in a fixed order; at most 200.
    pub items: Vec<CarriedItem>,
    /// What keeps something from being used that was clearly wanted, with what to do about it.
    pub problems: Vec<String>,
}

/// More items are counted, not listed.
const MOST: usize = 200;

impl Carried {
    pub(super) fn taken(&mut self, name: impl AsRef<str>, why: impl Into<String>) {
        self.push(name.as_ref(), true, why.into());
    }

    pub(super) fn left(&mut self, name: impl AsRef<str>, why: impl Into<String>) {
        self.push(name.as_ref(), false, why.into());
    }

    /// Left behind although it was asked for.
    pub(super) fn missed(&mut self, name: impl AsRef<str>, why: impl Into<String>) {
        let (name, why) = (shown(name.as_ref()), why.into());
        self.problems.push(format!("{name}: {why}"));
        self.push(&name, false, why);
    }

    fn push(&mut self, name: &str, taken: bool, why: String) {
        if self.items.len() < MOST {
            self.items.push(CarriedItem { name: shown(name), taken, why });
        }
    }
}

/// A name out of an untrusted file, fit for a terminal.
pub(super) fn shown(name: &str) -> String {
    name.chars().map(|c| if c.is_control() { '?' } else { c }).take(80).collect()
}
