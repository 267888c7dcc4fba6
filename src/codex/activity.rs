use super::conn::{CallError, Conn};
use super::control::{self, Facts};
use crate::paths::StateDir;
use serde_json::{Value, json};

/// What the app-server does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Activity {
    /// No turn runs.
    Quiet,
    /// A turn runs.
    Running,
    /// Turns wait for approvals, and for nothing else.
    Waiting,
}

/// Asks the app-server over a connection of its own, which is closed again.
pub(super) async fn look(state: &StateDir, facts: &Facts) -> Option<Activity> {
    let socket = control::dial(state, facts).await.ok()?;
    let (conn, _) = Conn::over(socket, state, "sidecar.spool").await.ok()?;
    of(&conn).await.ok()
}

/// Asks the app-server.
///
/// # Errors
/// When it does not answer.
pub(super) async fn of(conn: &Conn) -> Result<Activity, CallError> {
    let loaded = conn.call("thread/loaded/list", json!({})).await?;
    let mut seen = Activity::Quiet;
    for thread in loaded["data"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        // A thread that was unloaded in between runs nothing.
        let read = match conn.call("thread/read", json!({ "threadId": thread })).await {
            Ok(read) => read,
            Err(CallError::Refused(_)) => continue,
            Err(broken) => return Err(broken),
        };
        match of_status(&read["thread"]["status"]) {
            Activity::Running => return Ok(Activity::Running),
            Activity::Waiting => seen = Activity::Waiting,
            Activity::Quiet => {}
        }
    }
    Ok(seen)
}

fn of_status(status: &Value) -> Activity {
    if status["type"] != "active" {
        return Activity::Quiet;
    }
    let waits = status["activeFlags"]
        .as_array()
        .is_some_and(|flags| flags.iter().any(|flag| flag == "waitingOnApproval"));
    if waits { Activity::Waiting } else { Activity::Running }
}
