use crate::backend::{Ask, AskKind, Verdict};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// What a request of the app-server asks for; none for requests that are never granted.
pub(super) fn kind(method: &str) -> Option<AskKind> {
    match method {
        "item/commandExecution/requestApproval" => Some(AskKind::Command),
        "item/fileChange/requestApproval" => Some(AskKind::FileChange),
        "item/permissions/requestApproval" => Some(AskKind::Permissions),
        _ => None,
    }
}

/// A request as a question. The key covers all that is asked for: the answer to one question never
/// counts for another, even of the same item. A request that is sent again is the same to the byte (seen).
pub(super) fn question(method: &str, params: &Value) -> Option<Ask> {
    let kind = kind(method)?;
    let digest = hex::encode(Sha256::digest(format!("{method} {params}")));
    let item_id = params["itemId"].as_str()?.to_owned();
    let key = format!("{item_id}.{}", &digest[..16]);
    Some(Ask { key, item_id, kind, payload: params.clone() })
}

/// The result that tells the app-server a verdict. Permissions have no word for no: nothing is granted.
pub(super) fn result(kind: AskKind, params: &Value, verdict: Verdict) -> Value {
    match (kind, verdict) {
        (AskKind::Permissions, Verdict::Accept) => {
            json!({ "permissions": params["permissions"], "scope": "turn" })
        }
        (AskKind::Permissions, _) => json!({ "permissions": {}, "scope": "turn" }),
        (_, Verdict::Accept) => json!({ "decision": "accept" }),
        (_, Verdict::Decline) => json!({ "decision": "decline" }),
        (_, Verdict::Cancel) => json!({ "decision": "cancel" }),
    }
}

/// A request that waits for its answer.
#[derive(Debug, Clone)]
pub(super) struct Waiting {
    /// The id of the request on this connection.
    pub(super) id: Value,
    /// What was asked.
    pub(super) ask: Ask,
}

/// The requests that wait on one connection, by thread and key.
#[derive(Debug, Default)]
pub(super) struct Asks(Mutex<HashMap<(String, String), Waiting>>);

impl Asks {
    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<(String, String), Waiting>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes a request that waits.
    pub(super) fn add(&self, thread: &str, waiting: Waiting) {
        self.lock().insert((thread.to_owned(), waiting.ask.key.clone()), waiting);
    }

    /// Takes a request out, for whoever answers it.
    pub(super) fn take(&self, thread: &str, key: &str) -> Option<Waiting> {
        self.lock().remove(&(thread.to_owned(), key.to_owned()))
    }

    /// Takes out the request with this id: it was resolved without us.
    pub(super) fn resolved(&self, thread: &str, id: &Value) -> Option<Waiting> {
        let mut all = self.lock();
        let key = all.iter().find(|((t, _), w)| t == thread && w.id == *id)?.0.clone();
        all.remove(&key)
    }

    /// Forgets what a thread asked: its turn is over.
    pub(super) fn forget(&self, thread: &str) {
        self.lock().retain(|(t, _), _| t != thread);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMMAND: &str = "item/commandExecution/requestApproval";

    #[test]
    fn another_question_of_the_same_item_has_another_key() {
        let ask = |command| question(COMMAND, &json!({ "itemId": "i", "command": command }));
        let (one, two) = (ask("ls").unwrap(), ask("rm").unwrap());
        assert_eq!((&one.item_id, one.kind), (&two.item_id, AskKind::Command));
        assert_ne!(one.key, two.key);
        assert_eq!(one.key, ask("ls").unwrap().key);
        assert!(question("item/tool/requestUserInput", &json!({ "itemId": "i" })).is_none());
    }

    #[test]
    fn permissions_are_granted_as_asked_or_not_at_all() {
        let params = json!({ "itemId": "i", "permissions": { "network": { "enabled": true } } });
        let told = |verdict| result(AskKind::Permissions, &params, verdict);
        assert_eq!(told(Verdict::Accept)["permissions"], params["permissions"]);
        assert_eq!(told(Verdict::Accept)["scope"], "turn");
        for verdict in [Verdict::Decline, Verdict::Cancel] {
            assert_eq!(told(verdict)["permissions"], json!({}));
        }
        assert_eq!(result(AskKind::Command, &params, Verdict::Cancel)["decision"], "cancel");
    }
}
