use crate::backend::{Ending, TurnFailure};
use jiff::Timestamp;
use jiff::civil::{DateTime, Time};
use jiff::tz::TimeZone;
use serde_json::Value;
use std::sync::{Mutex, PoisonError};

/// What the app-server said last about the account's limits (`account/rateLimits/updated`).
#[derive(Debug, Default)]
pub(super) struct Limits(Mutex<Option<i64>>);

impl Limits {
    /// Takes a notification. The windows that are used up tell when the limit ends.
    pub(super) fn take(&self, snapshot: &Value) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = used_up_until(snapshot);
    }

    /// Puts the end of the limit into a failure for that reason: what the notification said is exact,
    /// the failure's own words are to the minute.
    pub(super) fn date(&self, ending: &mut Ending) {
        let Ending::Failed(failure) = ending else { return };
        if failure.code == "usage_limit"
            && let Some(at) = *self.0.lock().unwrap_or_else(PoisonError::into_inner)
        {
            failure.resets_at = Some(at);
        }
    }
}

/// When all windows that are used up have begun anew, Unix milliseconds.
fn used_up_until(snapshot: &Value) -> Option<i64> {
    let windows = ["primary", "secondary"].map(|name| &snapshot[name]);
    let used = windows.into_iter().filter(|window| window["usedPercent"].as_f64() >= Some(100.0));
    let spent = Some(&snapshot["individualLimit"])
        .filter(|limit| limit["remainingPercent"].as_f64().is_some_and(|left| left <= 0.0));
    used.chain(spent).filter_map(|window| window["resetsAt"].as_i64()).max().map(|at| at * 1000)
}

/// The time in the words of a failure for a used-up limit, where it has one: `try again at 9:10 PM.`, or
/// `at Dec 3rd, 2026 9:10 PM.` for another day (seen). It is cut to the minute, so the next minute counts.
/// `now` is in Unix seconds.
pub(super) fn date_by_words(failure: &mut TurnFailure, now: i64, zone: &TimeZone) {
    if failure.code != "usage_limit" {
        return;
    }
    let words = failure.message.rsplit_once("try again at ").map(|(_, rest)| rest.trim());
    let Some(words) = words.map(|words| words.trim_end_matches('.')) else { return };
    let now = Timestamp::from_second(now).unwrap_or_default();
    failure.resets_at = time_of(words, now, zone).map(|at| at.as_millisecond() + 60_000);
}

fn time_of(words: &str, now: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
    if let Ok(time) = Time::strptime("%I:%M %p", words) {
        let today = now.to_zoned(zone.clone()).date();
        let at = zone.to_timestamp(today.to_datetime(time)).ok()?;
        // A minute that has just begun is now, one before it is tomorrow's.
        let passed = at.as_second() + 60 < now.as_second();
        let day = if passed { today.tomorrow().ok()? } else { today };
        return zone.to_timestamp(day.to_datetime(time)).ok();
    }
    let plain = ["st,", "nd,", "rd,", "th,"]
        .iter()
        .find_map(|suffix| words.split_once(suffix))
        .map(|(day, rest)| format!("{day},{rest}"))?;
    let at = DateTime::strptime("%b %d, %Y %I:%M %p", plain).ok()?;
    zone.to_timestamp(at).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn failure(message: &str) -> TurnFailure {
        let (code, message) = ("usage_limit".to_owned(), message.to_owned());
        TurnFailure { code, message, resets_at: None }
    }

    /// 2026-11-29 21:10:43 UTC.
    const NOW: i64 = 1_795_986_643;

    #[test]
    fn the_windows_that_are_used_up_tell_the_end() {
        let snapshot = |primary, secondary| {
            json!({ "primary": { "usedPercent": primary, "resetsAt": 100 },
                    "secondary": { "usedPercent": secondary, "resetsAt": 900 } })
        };
        assert_eq!(used_up_until(&snapshot(100, 40)), Some(100_000));
        assert_eq!(used_up_until(&snapshot(100, 100)), Some(900_000));
        assert_eq!(used_up_until(&snapshot(99, 40)), None);
        assert_eq!(used_up_until(&json!({ "primary": null })), None);
        let limits = Limits::default();
        limits.take(&snapshot(100, 40));
        let mut ending = Ending::Failed(failure("…"));
        limits.date(&mut ending);
        assert!(matches!(ending, Ending::Failed(f) if f.resets_at == Some(100_000)));
    }

    #[test]
    fn the_words_of_codex_are_read_to_the_minute() {
        let said = |words: &str| {
            let mut failure = failure(&format!("You’ve hit your usage limit. Upgrade or {words}"));
            date_by_words(&mut failure, NOW, &TimeZone::UTC);
            failure.resets_at.map(|ms| ms / 1000 - NOW)
        };
        let minute = 60 - 43;
        assert_eq!(said("try again at 9:10 PM."), Some(minute));
        assert_eq!(said("try again at 10:10 PM."), Some(minute + 3600));
        assert_eq!(said("try again at 9:05 PM."), Some(minute - 300 + 86_400));
        assert_eq!(said("try again at Dec 1st, 2026 9:10 PM."), Some(minute + 2 * 86_400));
        for unclear in ["try again later.", "try again at dawn.", "stop."] {
            assert_eq!(said(unclear), None, "{unclear}");
        }
    }
}
