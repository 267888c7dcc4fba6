use super::support::{FAR, Live};
use serde_json::json;
use std::sync::atomic::Ordering;

#[tokio::test]
async fn a_lost_connection_ends_a_read_and_leaves_a_write_alone() {
    let live = Live::default().await;
    let probe = live.bed.probe.clone();
    for tool in ["test_read", "test_write"] {
        let request = live.modern(&live.secret_url(), "tools/call", json!({"name": tool}));
        let task = tokio::spawn(request.send());
        tokio::time::timeout(FAR, probe.begun.notified()).await.unwrap();
        task.abort();
        if tool == "test_read" {
            tokio::time::timeout(FAR, probe.dropped.notified()).await.unwrap();
            assert_eq!(probe.finished.load(Ordering::SeqCst), 0);
        } else {
            probe.go.notify_one();
            tokio::time::timeout(FAR, probe.dropped.notified()).await.unwrap();
            assert_eq!(probe.finished.load(Ordering::SeqCst), 1);
        }
    }
    let bed = live.stop().await;
    let outcomes: Vec<String> = bed
        .app
        .store
        .recent_calls(9)
        .await
        .unwrap()
        .into_iter()
        .map(|row| format!("{} {}", row.tool, row.outcome))
        .collect();
    assert!(outcomes.contains(&"test_read cancelled".to_owned()), "{outcomes:?}");
}
