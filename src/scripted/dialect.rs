use super::request::Request;

/// How a model calls tools; each model of codex has one dialect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// One freeform tool `exec` that takes JavaScript: code mode, used by most models of 0.169.
    Code,
    /// Function tool `exec_command`.
    ExecCommand,
    /// Function tool `shell_command`.
    ShellCommand,
}

impl Dialect {
    /// The dialect that the offered tools ask for.
    pub(super) fn of(request: &Request) -> Self {
        if request.offers_any("exec_command") {
            Self::ExecCommand
        } else if request.offers("custom", "exec") {
            Self::Code
        } else if request.offers_any("shell_command") {
            Self::ShellCommand
        } else {
            Self::ExecCommand
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_offered_tools_tell_the_dialect() {
        for (kind, name, dialect) in [
            ("custom", "exec", Dialect::Code),
            ("function", "exec_command", Dialect::ExecCommand),
            ("function", "shell_command", Dialect::ShellCommand),
            ("function", "other", Dialect::ExecCommand),
        ] {
            let request = Request::of(&json!({"tools": [{"type": kind, "name": name}]}));
            assert_eq!(Dialect::of(&request), dialect, "{name}");
        }
    }
}
