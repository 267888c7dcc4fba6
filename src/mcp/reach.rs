use super::facts::{Check, CheckStatus};
use serde::Serialize;
use serde_json::{Value, json};
use std::sync::{Arc, PoisonError, RwLock};

/// The header of `/healthz` that carries the word of this run while a tunnel is checked.
pub const PROBE_HEADER: &str = "x-patchbay-probe";

/// How a tunnel is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TunnelState {
    /// Being started and checked.
    Starting,
    /// The public address leads here.
    Up,
    /// It has ended; another is being started.
    Down,
    /// It has ended for good.
    Ended,
}

#[derive(Debug, Clone)]
struct Fact {
    state: TunnelState,
    host: Option<String>,
    probe: String,
    detail: String,
    restarts: u32,
}

/// Under which public host the server is reached, if any. Cheap to clone; clones share.
#[derive(Debug, Clone, Default)]
pub struct Reach(Arc<RwLock<Option<Fact>>>);

impl Reach {
    /// Says how the tunnel is. Requests to `host` are let in until the next word.
    pub fn set(&self, state: TunnelState, host: Option<&str>, detail: &str) {
        self.change(|fact| {
            fact.state = state;
            fact.host = host.map(str::to_owned);
            detail.clone_into(&mut fact.detail);
        });
    }

    /// A check is about to come in by `host`; our answer to it carries `probe`.
    pub fn expect(&self, host: &str, probe: &str) {
        self.change(|fact| {
            fact.host = Some(host.to_owned());
            probe.clone_into(&mut fact.probe);
        });
    }

    /// Counts a tunnel that took the place of an earlier one.
    pub fn restarted(&self) {
        self.change(|fact| fact.restarts += 1);
    }

    /// The public host that requests may name.
    #[must_use]
    pub fn host(&self) -> Option<String> {
        self.read(|fact| fact.host.clone()).flatten()
    }

    /// The word that tells our own health answer from another's; none without a tunnel.
    #[must_use]
    pub fn probe(&self) -> Option<String> {
        self.read(|fact| fact.probe.clone()).filter(|word| !word.is_empty())
    }

    /// For `status`; null without a tunnel. Holds no secret.
    #[must_use]
    pub fn status(&self) -> Value {
        self.read(|fact| {
            json!({
                "mode": "cloudflare",
                "state": fact.state,
                "url": fact.host.as_ref().map(|host| format!("https://{host}/mcp/[redacted]")),
                "detail": fact.detail,
                "restarts": fact.restarts,
            })
        })
        .unwrap_or(Value::Null)
    }

    /// For `codex_self_test`; none without a tunnel. What goes through it needs no further check, so that
    /// a tunnel that is down warns and does not fail.
    #[must_use]
    pub fn check(&self) -> Option<Check> {
        self.read(|fact| {
            let status = match fact.state {
                TunnelState::Up => CheckStatus::Pass,
                _ => CheckStatus::Warn,
            };
            Check::new("tunnel", status, fact.detail.clone())
        })
    }

    fn change(&self, change: impl FnOnce(&mut Fact)) {
        let mut slot = self.0.write().unwrap_or_else(PoisonError::into_inner);
        change(slot.get_or_insert_with(|| Fact {
            state: TunnelState::Starting,
            host: None,
            probe: String::new(),
            detail: String::new(),
            restarts: 0,
        }));
    }

    fn read<T>(&self, read: impl FnOnce(&Fact) -> T) -> Option<T> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).as_ref().map(read)
    }
}
