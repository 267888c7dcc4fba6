use super::options::Check;
use crate::stage::Screen;

/// Notes checks as they are made, and prints each as a line.
pub(super) struct Checks<'a> {
    screen: &'a Screen<'a>,
    done: Vec<Check>,
}

impl<'a> Checks<'a> {
    /// Nothing checked yet.
    pub(super) fn new(screen: &'a Screen<'a>) -> Self {
        Self { screen, done: Vec::new() }
    }

    /// Says something on the way.
    pub(super) fn line(&self, text: &str) {
        self.screen.line(text);
    }

    /// Notes what came of something that should be so; gives back what it brought.
    pub(super) fn note<T>(&mut self, name: &str, result: anyhow::Result<T>) -> Option<T> {
        let (value, detail) = match result {
            Ok(value) => (Some(value), None),
            Err(error) => (None, Some(format!("{error:#}"))),
        };
        self.add(Check { name: name.to_owned(), ok: value.is_some(), detail });
        value
    }

    /// Notes something that holds, with words beside it.
    pub(super) fn tell(&mut self, name: &str, detail: String) {
        self.add(Check { name: name.to_owned(), ok: true, detail: Some(detail) });
    }

    fn add(&mut self, check: Check) {
        let word = if check.ok { "ok  " } else { "FAIL" };
        let detail = check.detail.as_ref().map(|text| format!(": {text}")).unwrap_or_default();
        self.screen.line(&format!("{word} {}{detail}", check.name));
        self.done.push(check);
    }

    /// Whether all of them hold, and there is one.
    pub(super) fn passed(&self) -> bool {
        !self.done.is_empty() && self.done.iter().all(|check| check.ok)
    }

    /// What was checked.
    pub(super) fn into_list(self) -> Vec<Check> {
        self.done
    }
}
