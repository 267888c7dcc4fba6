use super::WorkerError;

/// Longest name of a worker in characters.
pub const MAX_NAME: usize = 120;
/// Longest brief or message in bytes of UTF-8.
pub const MAX_BRIEF: usize = 200_000;
/// Longest model id in characters.
const MAX_MODEL: usize = 128;
/// Reasoning efforts that codex 0.169 knows.
const EFFORTS: &[&str] = &["none", "minimal", "low", "medium", "high", "xhigh", "max", "ultra"];

/// What a call says about the model or the effort.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Choice {
    /// Nothing: what the worker had stays.
    #[default]
    Keep,
    /// `default`: an earlier choice is dropped.
    Default,
    /// This one.
    Set(String),
}

impl Choice {
    /// What holds after `before`, where `standard` is the operator's default.
    #[must_use]
    pub fn after(self, before: Option<String>, standard: Option<&String>) -> Option<String> {
        match self {
            Self::Keep => before,
            Self::Default => standard.cloned(),
            Self::Set(value) => Some(value),
        }
    }
}

/// A name: white space collapsed, 1 to 120 characters, no control characters.
pub(super) fn name(text: &str) -> Result<String, WorkerError> {
    let name = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if name.is_empty() {
        return Err(refused("name is required"));
    }
    if name.chars().count() > MAX_NAME {
        return Err(refused("name must be at most 120 characters"));
    }
    if name.chars().any(char::is_control) {
        return Err(refused("name must not contain control characters"));
    }
    Ok(name)
}

/// A brief or message: not blank, at most 200,000 bytes, no NUL.
pub(super) fn text(what: &str, text: &str) -> Result<String, WorkerError> {
    if text.trim().is_empty() {
        return Err(refused(&format!("{what} is required")));
    }
    if text.len() > MAX_BRIEF {
        return Err(refused(&format!("{what} is {} bytes; at most {MAX_BRIEF} fit", text.len())));
    }
    if text.contains('\0') {
        return Err(refused(&format!("{what} must not contain NUL")));
    }
    Ok(text.to_owned())
}

/// A model id as codex takes it. It never begins with `-`: it must not become an option anywhere.
pub(super) fn model(text: Option<&str>) -> Result<Choice, WorkerError> {
    let Some(text) = text.map(str::trim).filter(|t| !t.is_empty()) else {
        return Ok(Choice::Keep);
    };
    if text == "default" {
        return Ok(Choice::Default);
    }
    let fits = text.len() <= MAX_MODEL
        && text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "._:/-".contains(c));
    if fits {
        Ok(Choice::Set(text.to_owned()))
    } else {
        Err(refused("model must be a codex model id: letters, digits and . _ : / -"))
    }
}

/// A reasoning effort.
pub(super) fn effort(text: Option<&str>) -> Result<Choice, WorkerError> {
    let Some(text) = text.map(str::trim).filter(|t| !t.is_empty()) else {
        return Ok(Choice::Keep);
    };
    match text {
        "default" => Ok(Choice::Default),
        known if EFFORTS.contains(&known) => Ok(Choice::Set(known.to_owned())),
        _ => Err(refused(&format!("reasoning_effort must be one of: {}", EFFORTS.join(", ")))),
    }
}

fn refused(message: &str) -> WorkerError {
    WorkerError::Argument(message.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_tidied_and_bounded() {
        assert_eq!(name("  Ada \n Lovelace ").unwrap(), "Ada Lovelace");
        assert_eq!(name(&"é".repeat(120)).unwrap().chars().count(), 120);
        for bad in ["", " \t", &"x".repeat(121), "a\u{7}b"] {
            assert!(name(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn briefs_are_bounded_in_bytes() {
        assert!(text("brief", &"é".repeat(100_000)).is_ok());
        assert!(text("brief", &"é".repeat(100_001)).is_err());
        assert!(text("brief", " \n ").is_err());
        assert!(text("brief", "a\0b").is_err());
    }

    #[test]
    fn models_and_efforts() {
        assert_eq!(model(Some("gpt-5.5")).unwrap(), Choice::Set("gpt-5.5".to_owned()));
        assert_eq!(model(Some(" ")).unwrap(), Choice::Keep);
        assert_eq!(model(Some("default")).unwrap(), Choice::Default);
        for bad in ["-c", "a b", "a;b", "$(x)", &"m".repeat(129)] {
            assert!(model(Some(bad)).is_err(), "{bad}");
        }
        assert_eq!(effort(Some("xhigh")).unwrap(), Choice::Set("xhigh".to_owned()));
        assert!(effort(Some("extreme")).is_err());
        let old = Some("old".to_owned());
        assert_eq!(Choice::Keep.after(old.clone(), None), old);
        assert_eq!(Choice::Default.after(old, None), None);
    }
}
