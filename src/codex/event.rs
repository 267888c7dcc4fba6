use super::{limits, wire};
use crate::backend::{Ending, ItemPhase, TurnEvent, TurnFailure};
use jiff::tz::TimeZone;
use serde_json::Value;

/// How a turn of the app-server ended.
pub(super) fn ending(turn: &Value) -> Ending {
    match turn["status"].as_str() {
        Some("completed") => Ending::Completed,
        Some("failed") => {
            let error = &turn["error"];
            let mut failure = TurnFailure {
                code: wire::failure_code(&error["codexErrorInfo"]).to_owned(),
                message: error["message"].as_str().unwrap_or("codex gave no reason").to_owned(),
                resets_at: None,
            };
            let at = turn["completedAt"].as_i64().unwrap_or_default();
            limits::date_by_words(&mut failure, at, &TimeZone::system());
            Ending::Failed(failure)
        }
        _ => Ending::Interrupted,
    }
}

/// An item of the app-server as an event.
pub(super) fn item(item: &Value, phase: ItemPhase) -> Option<TurnEvent> {
    Some(TurnEvent::Item {
        item_id: item["id"].as_str()?.to_owned(),
        phase,
        kind: item["type"].as_str().unwrap_or("other").to_owned(),
        payload: item.clone(),
    })
}

/// A notification as an event; `None` for one that says nothing of a turn.
pub(super) fn event(method: &str, params: &Value) -> Option<TurnEvent> {
    match method {
        "item/started" => item(&params["item"], ItemPhase::Started),
        "item/completed" => item(&params["item"], ItemPhase::Completed),
        "item/agentMessage/delta"
        | "item/commandExecution/outputDelta"
        | "item/reasoning/summaryTextDelta" => Some(TurnEvent::Delta {
            item_id: params["itemId"].as_str()?.to_owned(),
            text: params["delta"].as_str()?.to_owned(),
            gap: params["gap"] == true,
        }),
        "thread/tokenUsage/updated" => {
            Some(TurnEvent::Usage { usage: params["tokenUsage"].clone() })
        }
        "error" => Some(TurnEvent::Error {
            message: params["error"]["message"].as_str().unwrap_or_default().to_owned(),
            will_retry: params["willRetry"].as_bool().unwrap_or(false),
        }),
        _ => None,
    }
}
