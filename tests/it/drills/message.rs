//! Briefs, messages, stops.

use super::*;

/// A message on its way into the running turn is heard once, whoever dies.
#[tokio::test(flavor = "multi_thread")]
async fn a_steered_message_survives_whoever_is_killed() {
    let (mut bed, mut client) = started("drill-steer").await;
    for victim in [Victim::Server, Victim::Sidecar, Victim::Codex, Victim::All] {
        let name = format!("{victim:?}");
        let brief = script("Work.", &[Step::Sh("true"), Step::Gate(&name), Step::Say("Done.")]);
        at_the_gate(&bed, &client, &name, brief).await;
        bed.hold("turn-steer");
        let message = json!({"worker": name, "message": "HEAR-THIS"});
        let call = bed.client(Era::Modern).await.abandon("codex_worker_message", message);
        bed.reached("turn-steer").await;
        client = kill(&mut bed, client, victim, Some("turn-steer")).await;
        bed.model.open_gate(&name);
        call.await.unwrap();
        let done = ended(&client, &name).await;
        assert_eq!(done["state"], "idle", "{name}: {done:#}\n{}", bed.server_log());
        let log = json!({"worker": name, "view": "log", "limit": 500});
        let log = client.ok("codex_worker_inspect", log).await;
        let heard = log["events"].as_array().unwrap().iter().filter(|e| {
            e["kind"] == "userMessage"
                && e["phase"] == "completed"
                && e["payload"].to_string().contains("HEAR-THIS")
        });
        assert_eq!(heard.count(), 1, "{name}: {log:#}");
    }
    client.close().await;
    bed.judge().await;
    bed.finish().await;
}

/// Where the operator wants to be asked, a turn that broke off waits for a message.
#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_turn_waits_for_a_message_where_the_operator_says_so() {
    let mut bed = Bed::new("drill-ask").await;
    bed.configure("workers:\n  resume_interrupted: ask\n");
    bed.start();
    let mut client = bed.client(Era::Modern).await;
    for victim in [Victim::Codex, Victim::All] {
        let name = format!("{victim:?}");
        let work = [
            Step::Say("Half of it is known."),
            Step::Sh("echo half > half.txt"),
            Step::Gate(&name),
            Step::Say("never said"),
        ];
        at_the_gate(&bed, &client, &name, script("Work.", &work)).await;
        client = kill(&mut bed, client, victim, None).await;
        let done = ended(&client, &name).await;
        assert_eq!(done["state"], "interrupted", "{done:#}");
        let words = report(&client, &name).await;
        assert!(words.contains("Half of it is known."), "{words}");
        assert!(words.contains("codex_worker_message"), "it says how to go on: {words}");
        let view = json!({"worker": name, "view": "changes"});
        let changes = client.ok("codex_worker_inspect", view).await;
        assert_eq!(changes["changed_files"][0]["path"], "half.txt", "{changes:#}");
        let go_on = script("Go on.", &[Step::Sh("cat half.txt"), Step::Say("The rest.")]);
        let message = json!({"worker": name, "message": go_on});
        client.ok("codex_worker_message", message).await;
        let done = ended(&client, &name).await;
        assert_eq!(done["state"], "idle", "{done:#}");
        assert!(report(&client, &name).await.contains("The rest."));
    }
    client.close().await;
    bed.judge().await;
    bed.finish().await;
}

/// A stop stays a stop: what it ends is not continued. A clean-up that was begun is finished.
#[tokio::test(flavor = "multi_thread")]
async fn a_stop_is_kept_whoever_is_killed() {
    let (mut bed, mut client) = started("drill-stop").await;
    for victim in [Victim::Server, Victim::Sidecar, Victim::Codex, Victim::All] {
        let name = format!("{victim:?}");
        let work = [
            Step::Say("Half of it is known."),
            Step::Sh("echo half > half.txt"),
            Step::Gate(&name),
            Step::Say("never said"),
        ];
        at_the_gate(&bed, &client, &name, script("Work.", &work)).await;
        bed.hold("turn-interrupt");
        let stop = json!({"worker": name, "force": true});
        let call = bed.client(Era::Modern).await.abandon("codex_worker_stop", stop);
        bed.reached("turn-interrupt").await;
        client = kill(&mut bed, client, victim, Some("turn-interrupt")).await;
        call.await.unwrap();
        let done = ended(&client, &name).await;
        assert_eq!(done["turn"]["state"], "cancelled", "{name}: {done:#}");
        assert!(report(&client, &name).await.contains("Half of it is known."), "{name}");
        let view = json!({"worker": name, "view": "changes"});
        let changes = client.ok("codex_worker_inspect", view).await;
        assert_eq!(changes["changed_files"][0]["path"], "half.txt", "{name}: {changes:#}");
    }
    assert_eq!(bed.worktrees_on_disk().len(), 4);
    bed.hold("worker_archived");
    let clean = json!({"worker": "All", "cleanup_workspace": true,
                       "discard_unintegrated_changes": true});
    let call = bed.client(Era::Modern).await.abandon("codex_worker_stop", clean);
    bed.reached("worker_archived").await;
    client = kill(&mut bed, client, Victim::Server, Some("worker_archived")).await;
    call.await.unwrap();
    bed.sees("the clean-up", || bed.worktrees_on_disk().len() == 3).await;
    client.close().await;
    bed.judge().await;
    bed.finish().await;
}

/// A brief is kept from the moment it was accepted, and a message for a thread that codex has to open
/// again reaches it once.
#[tokio::test(flavor = "multi_thread")]
async fn an_accepted_brief_and_a_follow_up_survive_whoever_is_killed() {
    let (mut bed, mut client) = started("drill-follow-up").await;
    bed.hold("brief_accepted");
    let brief = json!({"name": "Ada", "brief": script("Work.", WORK), "model": PLAIN});
    let call = bed.client(Era::Modern).await.abandon("codex_worker_start", brief);
    bed.reached("brief_accepted").await;
    client = kill(&mut bed, client, Victim::Server, Some("brief_accepted")).await;
    call.await.unwrap();
    assert_eq!(ended(&client, "Ada").await["state"], "idle");
    let file = bed.worktrees_on_disk()[0].join("more.txt");
    let mut expected = String::new();
    for victim in [Victim::Server, Victim::Sidecar, Victim::Codex, Victim::All] {
        bed.kill(Victim::Codex).await;
        bed.hold("thread-resume");
        let more = format!("echo {victim:?} >> more.txt");
        let text = script("More.", &[Step::Sh(&more), Step::Say("More is done.")]);
        let message = json!({"worker": "Ada", "message": text});
        let call = bed.client(Era::Modern).await.abandon("codex_worker_message", message);
        bed.reached("thread-resume").await;
        client = kill(&mut bed, client, victim, Some("thread-resume")).await;
        call.await.unwrap();
        assert_eq!(ended(&client, "Ada").await["state"], "idle", "{victim:?}");
        expected.push_str(&format!("{victim:?}\n"));
        assert_eq!(std::fs::read_to_string(&file).unwrap(), expected);
    }
    client.close().await;
    bed.judge().await;
    bed.finish().await;
}
