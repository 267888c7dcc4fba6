use indicatif::{ProgressBar, ProgressStyle};
use std::io::{IsTerminal, Write};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Where a play draws. Lines go to the caller's writer, the running step to standard error.
pub struct Screen<'a> {
    out: Mutex<&'a mut (dyn Write + Send)>,
    bar: Option<ProgressBar>,
    quiet: bool,
}

impl<'a> Screen<'a> {
    /// `quiet` draws nothing but the last object; a spinner turns only on a terminal.
    pub fn new(out: &'a mut (dyn Write + Send), quiet: bool) -> Self {
        let bar = (!quiet && std::io::stderr().is_terminal()).then(|| {
            let bar = ProgressBar::new_spinner();
            if let Ok(style) =
                ProgressStyle::with_template("{spinner} {prefix:10} {elapsed:>4} {msg}")
            {
                bar.set_style(style);
            }
            bar.enable_steady_tick(Duration::from_millis(100));
            bar
        });
        Self { out: Mutex::new(out), bar, quiet }
    }

    /// A step begins.
    pub fn begin(&self, name: &str) {
        if let Some(bar) = &self.bar {
            bar.reset_elapsed();
            bar.set_prefix(name.to_owned());
            bar.set_message("");
        }
    }

    /// A step is over.
    pub fn end(&self, name: &str, ok: bool, ms: u64) {
        self.line(&format!("{} {name:10} {ms:>6} ms", if ok { "ok  " } else { "FAIL" }));
    }

    /// Something that happens in the running step: a line of its own, and the spinner's text.
    pub fn tell(&self, text: &str) {
        for line in text.lines() {
            self.line(&format!("     {line}"));
        }
        if let Some(bar) = &self.bar {
            bar.set_message(text.lines().next().unwrap_or_default().to_owned());
        }
    }

    /// A line, unless the screen is quiet.
    pub fn line(&self, text: &str) {
        if !self.quiet {
            self.write(text);
        }
    }

    /// The last object of a quiet run.
    pub fn object(&self, text: &str) {
        if self.quiet {
            self.write(text);
        }
    }

    /// Takes the spinner away.
    pub fn close(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }

    fn write(&self, text: &str) {
        let print = || {
            let mut out = self.out.lock().unwrap_or_else(PoisonError::into_inner);
            // A reader that has gone is no reason to leave things behind: the play goes on.
            let _ = writeln!(out, "{text}").and_then(|()| out.flush());
        };
        match &self.bar {
            Some(bar) => bar.suspend(print),
            None => print(),
        }
    }
}
