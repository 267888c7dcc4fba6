use super::options::StepDone;
use crate::stage::Screen;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// Which steps were played and how they ended.
pub(super) struct Ledger<'a> {
    screen: &'a Screen<'a>,
    done: Mutex<Vec<StepDone>>,
    failure: Mutex<Option<(&'static str, String)>>,
}

/// A step has failed; the ledger knows which and why.
#[derive(Debug)]
pub(super) struct Failed;

impl<'a> Ledger<'a> {
    /// Nothing played yet.
    pub(super) fn new(screen: &'a Screen<'a>) -> Self {
        Self { screen, done: Mutex::default(), failure: Mutex::default() }
    }

    /// Plays one step and notes how it went; Ctrl-C counts as its failure.
    pub(super) async fn step<T>(
        &self,
        name: &'static str,
        work: impl Future<Output = anyhow::Result<T>>,
    ) -> Result<T, Failed> {
        self.screen.begin(name);
        let begun = Instant::now();
        let result = tokio::select! {
            result = work => result,
            _ = tokio::signal::ctrl_c() => Err(anyhow::anyhow!("interrupted")),
        };
        let ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.screen.end(name, result.is_ok(), ms);
        lock(&self.done).push(StepDone { name, ok: result.is_ok(), ms });
        result.map_err(|error| {
            let words = format!("{error:#}");
            self.screen.tell(&words);
            lock(&self.failure).get_or_insert((name, words));
            Failed
        })
    }

    /// The steps so far.
    pub(super) fn steps(&self) -> Vec<StepDone> {
        lock(&self.done).clone()
    }

    /// The first failure: its step and its words.
    pub(super) fn failure(&self) -> Option<(&'static str, String)> {
        lock(&self.failure).clone()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
