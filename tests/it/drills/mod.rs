//! Drills: who runs the program is killed at a named place, and nothing is lost or done twice. What
//! codex itself recorded is the measure.

mod apply;
mod message;
mod target;
mod way;

use crate::support::{Bed, Client, Era, Step, Victim, script};
use serde_json::{Value, json};

const PLAIN: &str = "gpt-5.5";

const WORK: &[Step<'static>] = &[
    Step::Say("I begin."),
    Step::Sh("echo work > work.txt"),
    Step::Patch("*** Add File: new.txt\n+new\n"),
    Step::Sh("cat new.txt; exit 3"),
    Step::Say("All is done."),
];

/// A started server and a client of it.
async fn started(name: &str) -> (Bed, Client) {
    let mut bed = Bed::new(name).await;
    bed.start();
    let client = bed.client(Era::Modern).await;
    (bed, client)
}

/// Kills at a point, and lets whoever lives go on.
async fn kill(bed: &mut Bed, client: Client, victim: Victim, point: Option<&str>) -> Client {
    bed.kill(victim).await;
    if let Some(point) = point {
        bed.release(point);
    }
    revived(bed, client, victim).await
}

/// Starts a server where there is none any more.
async fn revived(bed: &mut Bed, client: Client, victim: Victim) -> Client {
    if !victim.has_server() {
        return client;
    }
    client.close().await;
    bed.start();
    bed.client(Era::Modern).await
}

async fn start(client: &Client, name: &str, brief: String) {
    client.ok("codex_worker_start", json!({"name": name, "brief": brief, "model": PLAIN})).await;
}

/// Starts a worker whose second step is a gate, and waits until its model stands there.
async fn at_the_gate(bed: &Bed, client: &Client, name: &str, brief: String) {
    let asked = bed.model.requests().len();
    start(client, name, brief).await;
    bed.model.wait_until(|all| all.iter().skip(asked).any(|a| a.step == 1)).await;
}

async fn ended(client: &Client, worker: &str) -> Value {
    client.until(worker, &["idle", "failed", "interrupted"]).await
}

async fn report(client: &Client, worker: &str) -> String {
    let report = client.ok("codex_worker_inspect", json!({"worker": worker})).await;
    report["report"].as_str().unwrap().to_owned()
}
