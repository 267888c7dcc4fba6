use super::Workers;
use super::active::Active;
use super::carry::Outcome;
use super::prepare::Prepared;
use crate::backend::{Ending, TurnFailure};
use crate::store::{HoldReason, HoldRow, StoreError, TurnLease, TurnRow};
use std::sync::atomic::Ordering;

/// No limit lasts longer, in milliseconds; a time beyond is a fault of whoever named it.
const FARTHEST: i64 = 40 * 24 * 3_600_000;

impl Workers {
    /// Holds a turn that ended because the account cannot be used at present. It goes on by itself, on the
    /// same thread; until then nothing else is begun either.
    pub(super) async fn held(
        &self,
        turn: &TurnRow,
        lease: &TurnLease,
        active: &Active,
        prepared: Option<&Prepared>,
        outcome: &Outcome,
    ) -> bool {
        let (Outcome::Ended(Ending::Failed(failure)), Some(prepared)) = (outcome, prepared) else {
            return false;
        };
        let Some(hold) = self.hold_of(failure) else { return false };
        if active.stop.is_cancelled() || self.snapshot(prepared, turn, active).await.is_err() {
            return false;
        }
        match active.with_room(|| self.store().hold_turn(lease, &hold)).await {
            Ok(()) => {
                tracing::info!(turn = %turn.id, reason = hold.code(), until = hold.until, "held");
                self.queue_undelivered(turn, active).await;
                true
            }
            Err(StoreError::Conflict) => false,
            Err(error) => {
                tracing::error!(%error, turn = %turn.id, "a turn was not held");
                false
            }
        }
    }

    fn hold_of(&self, failure: &TurnFailure) -> Option<HoldRow> {
        let now = self.room.deps.clock.now_ms();
        let reason = match failure.code.as_str() {
            "usage_limit" => HoldReason::Limit,
            "unauthorized" => HoldReason::Login,
            _ => return None,
        };
        let named = failure.resets_at.filter(|at| (now..now + FARTHEST).contains(at));
        let guess = || {
            let seconds = self.room.deps.config.workers.limit_retry_seconds;
            now.saturating_add_unsigned(seconds * 1000)
        };
        Some(HoldRow {
            reason,
            since: now,
            until: (reason == HoldReason::Limit).then(|| named.unwrap_or_else(guess)),
            known: reason == HoldReason::Limit && named.is_some(),
            message: failure.message.clone(),
            login_mark: self.room.deps.backend.login().used,
        })
    }

    /// Ends the holds when the login is another one than at their begin, or when somebody asked for it.
    /// The agent is started anew for that, because it reads the login at its start (seen on 0.169.0); so
    /// it happens only while no turn runs.
    pub(super) async fn look_at_holds(&self) -> Result<(), StoreError> {
        let holds = self.store().holds().await?;
        let Some(hold) = holds.last() else { return Ok(()) };
        let login = self.room.deps.backend.login();
        let asked = self.room.retry_login.load(Ordering::SeqCst)
            && holds.iter().any(|hold| hold.reason == HoldReason::Login);
        if (hold.login_mark == login.mark && !asked) || !self.room.active.all().is_empty() {
            return Ok(());
        }
        self.room.retry_login.store(false, Ordering::SeqCst);
        self.room.deps.backend.renew().await;
        self.store().end_holds().await
    }

    /// A message is a reason to try a login again that was refused.
    pub(super) async fn retry_login(&self) -> Result<(), StoreError> {
        if self.store().holds().await?.iter().any(|hold| hold.reason == HoldReason::Login) {
            self.room.retry_login.store(true, Ordering::SeqCst);
            self.room.wake.notify_one();
        }
        Ok(())
    }
}
