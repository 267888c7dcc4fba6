use super::error::CliError;
use serde_json::Value;
use std::io::{self, IsTerminal, Write};

/// Standard output and standard error of a command.
#[derive(Debug, Clone, Copy)]
pub(super) struct Terminal {
    json: bool,
}

impl Terminal {
    /// With `json` the answer is one JSON object and people's words are left out.
    pub(super) fn new(json: bool) -> Self {
        Self { json }
    }

    /// Gives the answer: `value` for scripts, else `text` for people. One line of JSON.
    pub(super) fn answer(self, value: &Value, text: &str) {
        if self.json {
            line(&mut io::stdout().lock(), &value.to_string());
        } else {
            line(&mut io::stdout().lock(), text);
        }
    }

    /// Says something beside the answer.
    pub(super) fn note(self, text: &str) {
        line(&mut io::stderr().lock(), &format!("patchbay: {text}"));
    }

    /// Says why the command failed: on standard error for people, and on standard output for scripts.
    pub(super) fn error(self, error: &CliError) {
        let mut out = io::stderr().lock();
        let (red, dim, plain) = if io::stderr().is_terminal() {
            ("\x1b[31m", "\x1b[2m", "\x1b[0m")
        } else {
            ("", "", "")
        };
        line(&mut out, &format!("{red}patchbay: {}{plain}", error.message));
        if !error.hint.is_empty() {
            line(&mut out, &format!("  {}", error.hint));
        }
        line(&mut out, &format!("  {dim}({}){plain}", error.code));
        drop(out);
        if self.json {
            line(&mut io::stdout().lock(), &error.to_json().to_string());
        }
    }
}

/// Writes a line; a reader that went away is no failure of the command.
fn line(out: &mut impl Write, text: &str) {
    let _ = writeln!(out, "{}", text.trim_end_matches('\n'));
    let _ = out.flush();
}
