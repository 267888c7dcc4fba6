//! The running engine as the terminal sees it: `worker …`, `status`, `doctor`, `start` a second time.

use crate::support::{Bed, Era, Step, script};
use serde_json::{Value, json};

/// Runs a command; gives its exit code and its one line of JSON.
fn asked(bed: &Bed, args: &[&str]) -> (i32, Value) {
    let out = bed.patchbay(&[args, &["--json"]].concat()).output().unwrap();
    let text = String::from_utf8(out.stdout).unwrap();
    let value = serde_json::from_str(&text)
        .unwrap_or_else(|e| panic!("{args:?}: {e}: {text:?} {:?}", String::from_utf8(out.stderr)));
    (out.status.code().unwrap(), value)
}

fn ok(bed: &Bed, args: &[&str]) -> Value {
    let (code, value) = asked(bed, args);
    assert_eq!(code, 0, "{args:?}: {value:#}");
    value
}

#[tokio::test(flavor = "multi_thread")]
async fn workers_are_listed_shown_followed_and_stopped() {
    let mut bed = Bed::new("terminal").await;
    bed.start();
    let client = bed.client(Era::Modern).await;
    let steps = [Step::Sh("echo one > one.txt"), Step::Say("Wrote one file.")];
    let brief = script("Write a file.", &steps);
    client.ok("codex_worker_start", json!({"name": "Ada", "brief": brief})).await;
    client.until("Ada", &["idle"]).await;

    let listed = ok(&bed, &["worker", "list"]);
    assert_eq!(listed["workers"][0]["name"], "Ada", "{listed:#}");
    let shown = ok(&bed, &["worker", "show", "ada"]);
    assert_eq!(shown["report"], "Wrote one file.", "{shown:#}");
    let log = ok(&bed, &["worker", "log", "Ada"]);
    let events = log["events"].as_array().unwrap();
    assert!(events.len() > 2, "{log:#}");
    let seen = events[0]["seq"].to_string();
    let later = ok(&bed, &["worker", "log", "Ada", "--after", &seen]);
    assert_eq!(later["events"].as_array().unwrap().len(), events.len() - 1, "{later:#}");
    let people = bed.patchbay(&["worker", "show", "Ada"]).output().unwrap();
    assert!(String::from_utf8(people.stdout).unwrap().contains("Wrote one file."));

    let (code, unknown) = asked(&bed, &["worker", "show", "Nobody"]);
    assert_eq!((code, &unknown["error"]["code"]), (1, &json!("worker_unknown")), "{unknown:#}");

    let brief = script("Wait.", &[Step::Gate("never"), Step::Say("Waited.")]);
    client.ok("codex_worker_message", json!({"worker": "Ada", "message": brief})).await;
    client.until("Ada", &["running"]).await;
    let (code, refused) = asked(&bed, &["worker", "stop", "Ada"]);
    assert_eq!((code, &refused["error"]["code"]), (1, &json!("confirmation_required")));
    ok(&bed, &["worker", "stop", "Ada", "--force"]);
    client.until("Ada", &["idle"]).await;
    drop(client);
    bed.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_engine_is_seen_and_cannot_be_doubled() {
    let mut bed = Bed::new("terminal-engine").await;
    let (code, none) = asked(&bed, &["status"]);
    assert_eq!((code, &none["running"]), (1, &json!(false)));
    bed.start();
    let status = ok(&bed, &["status"]);
    assert_eq!(status["running"], true);
    let port = bed.origin().rsplit(':').next().unwrap().to_owned();

    let (code, second) = asked(&bed, &["start", "--port", "0"]);
    assert_eq!((code, &second["error"]["code"]), (1, &json!("engine_running")), "{second:#}");
    let (code, busy) = asked(&bed, &["start", "--port", &port]);
    assert_eq!(code, 1);
    let busy = busy["error"]["code"].as_str().unwrap();
    assert!(["engine_running", "port_busy"].contains(&busy), "{busy}");

    let (_, doctor) = asked(&bed, &["doctor", "--port", &port]);
    let found = doctor["findings"].as_array().unwrap().iter().find(|f| f["id"] == "port").unwrap();
    assert_eq!(found["status"], "pass", "our own engine holds the port: {found}");
    for answer in [status, doctor] {
        assert!(!answer.to_string().contains(&bed.token()), "no answer shows the token");
    }
    bed.finish().await;
}
