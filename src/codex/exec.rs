use super::client::Client;
use super::profile;
use crate::backend::{BackendError, CheckEnd, CheckSpec};
use serde_json::{Value, json};
use std::path::Path;
use std::time::Duration;

/// Most bytes of each stream that are kept.
const OUTPUT: usize = 1 << 20;
/// How long codex has to answer after a command's time is over.
const GRACE: Duration = Duration::from_secs(30);

/// Runs a command with the profile and the environment of a worker that writes. The app-server ends it,
/// with everything in its sandbox, when its time is over and when the connection ends (seen on 0.169.0).
pub(super) async fn run(client: &Client, spec: &CheckSpec) -> Result<CheckEnd, BackendError> {
    let id = spec.root.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let began = tokio::time::Instant::now();
    let mut running = Running { client, id: Some(id.clone()) };
    let limit = spec.limit + GRACE;
    let answer = client.call_within("command/exec", params(spec, &id), limit).await;
    if answer.is_ok() {
        running.id = None;
    }
    let answer = answer?;
    let exit_code = answer["exitCode"].as_i64().and_then(|code| i32::try_from(code).ok());
    let exit_code =
        exit_code.ok_or_else(|| BackendError::Refused("codex named no exit code".to_owned()))?;
    // Codex says 124 of a command that it ended, which a command can say of itself.
    let timed_out = exit_code == 124 && began.elapsed() >= spec.limit;
    let text = |key: &str| answer[key].as_str().unwrap_or_default().to_owned();
    Ok(CheckEnd { exit_code, timed_out, stdout: text("stdout"), stderr: text("stderr") })
}

/// The profile makes the working directory writable, so that is the directory around both.
fn params(spec: &CheckSpec, id: &str) -> Value {
    let text = |path: &Path| path.to_string_lossy().into_owned();
    let enter = "cd \"$1\" && exec /bin/sh -c \"$2\"";
    json!({
        "command": ["/bin/sh", "-c", enter, "check", text(&spec.cwd), spec.command],
        "cwd": text(&spec.root),
        "processId": id,
        "permissionProfile": profile::WRITE,
        "env": { "TMPDIR": text(&spec.tmp) },
        "timeoutMs": u64::try_from(spec.limit.as_millis()).unwrap_or(u64::MAX),
        "outputBytesCap": OUTPUT,
    })
}

/// Ends the command when nobody waits for it any more.
struct Running<'a> {
    client: &'a Client,
    id: Option<String>,
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        if let Some(id) = self.id.take() {
            let client = self.client.clone();
            tokio::spawn(async move {
                let params = json!({ "processId": id });
                let limit = Duration::from_secs(10);
                let _ = client.call_within("command/exec/terminate", params, limit).await;
            });
        }
    }
}
