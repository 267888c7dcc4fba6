use super::support::{FAR, Live, ended};
use crate::config::Config;
use crate::mcp::Presence;
use crate::mcp::testing::Bed;
use crate::web::{Front, mount_handler};
use axum::Router;
use futures_util::StreamExt;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock,
    ProgressNotificationParam, ProgressToken, ServerCapabilities, ServerConfig,
};
use rmcp::service::RequestContext;
use rmcp::{ErrorData, RoleServer, ServerHandler};
use serde_json::{Value, json};
use std::sync::Arc;
use tokio::sync::Notify;
use tokio::time::timeout;

/// A tool that says more than any buffer between two programs holds.
#[derive(Clone, Default)]
struct Flood(Arc<Notify>);

const MESSAGES: u32 = 4_000;

impl ServerHandler for Flood {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        if request.name == "flood" {
            let token: ProgressToken = context.meta.get_progress_token().unwrap();
            for done in 0..MESSAGES {
                let words = ProgressNotificationParam::new(token.clone(), f64::from(done))
                    .with_message("x".repeat(8_000));
                context.peer.notify_progress(words).await.unwrap();
            }
            self.0.notify_one();
        }
        Ok(CallToolResult::success(vec![ContentBlock::text("the end")]).into())
    }
}

#[tokio::test]
async fn one_unread_stream_holds_nobody_up() {
    let flood = Flood::default();
    let handler = flood.clone();
    let bed = Bed::new(Config::default()).await;
    let (app, token) = (bed.app.clone(), bed.token.clone());
    let live = Live::with_router(bed, move |bound, cancel| {
        let front = Front { app, presence: Presence::default(), token, bound, cancel };
        mount_handler(front, move || handler.clone(), Router::new())
    });
    let live = live.await;
    let (first, second) = (live.open_session().await, live.open_session().await);
    let asked = json!({"name": "flood", "_meta": {"progressToken": "p"}});
    let unread = live.in_session(Some(&first), 1, "tools/call", asked).await;
    timeout(FAR, flood.0.notified()).await.expect("the tool is not held up");
    for (session, id) in [(&second, 1), (&first, 2)] {
        let answer = live.in_session(Some(session), id, "tools/call", json!({"name": "quick"}));
        let answer = timeout(FAR, answer).await.unwrap().text().await.unwrap();
        assert!(answer.contains("the end"), "{answer}");
    }
    // What was left unread still ends with its answer, though not all of the progress is in it.
    let late = timeout(FAR, unread.text()).await.unwrap().unwrap();
    assert!(late.contains("the end"), "{} bytes", late.len());
    let seen = late.matches("notifications/progress").count();
    assert!(seen > 0 && seen < MESSAGES as usize, "{seen} messages");
    live.stop().await;
}

#[tokio::test]
async fn a_silent_call_shows_signs_of_life_and_is_not_cut() {
    let mut config = Config::default();
    config.server.heartbeat_seconds = 1;
    config.server.session_idle_seconds = 1;
    let live = Live::start(Bed::new(config).await).await;
    let (session, _other) = (live.open_session().await, live.open_session().await);
    let call = live.in_session(Some(&session), 1, "tools/call", json!({"name": "test_read"})).await;
    let mut body = call.bytes_stream();
    let mut text = String::new();
    while !text.lines().any(|line| line.starts_with(':')) {
        let part = timeout(FAR, body.next()).await.unwrap().unwrap().unwrap();
        text.push_str(std::str::from_utf8(&part).unwrap());
    }
    // The other session, as old as this one, is let go; this one is being answered.
    ended(&live, 1).await;
    live.bed.probe.go.notify_one();
    while let Some(part) = timeout(FAR, body.next()).await.unwrap() {
        text.push_str(std::str::from_utf8(&part.unwrap()).unwrap());
    }
    assert!(text.contains("\"structuredContent\""), "{text}");
    live.stop().await;
}

#[tokio::test]
async fn a_stream_that_broke_is_taken_up_again_with_its_answer() {
    let live = Live::default().await;
    let session = live.open_session().await;
    let call = json!({"name": "test_write"});
    let mut call = live.in_session(Some(&session), 1, "tools/call", call).await;
    let begin = call.chunk().await.unwrap().unwrap();
    let begin = std::str::from_utf8(&begin).unwrap();
    let event = begin.lines().find_map(|line| line.strip_prefix("id:")).unwrap().trim().to_owned();
    timeout(FAR, live.bed.probe.begun.notified()).await.unwrap();
    drop(call);
    let again = live
        .http
        .get(live.secret_url())
        .header("accept", "text/event-stream")
        .header("mcp-session-id", &session)
        .header("last-event-id", event)
        .send()
        .await
        .unwrap();
    assert_eq!(again.status(), 200);
    live.bed.probe.go.notify_one();
    let text = timeout(FAR, again.text()).await.unwrap().unwrap();
    assert!(text.contains("\"structuredContent\""), "{text}");
    live.stop().await;
}

#[tokio::test]
async fn a_request_id_in_flight_is_refused_and_the_first_is_answered() {
    let live = Live::default().await;
    let session = live.open_session().await;
    let waits = json!({"name": "test_read"});
    let first = live.in_session(Some(&session), 5, "tools/call", waits.clone()).await;
    timeout(FAR, live.bed.probe.begun.notified()).await.unwrap();
    let says = json!({"name": "test_say", "arguments": {"word": "hello"}});
    let second = live.in_session(Some(&session), 5, "tools/call", says.clone()).await;
    let second = timeout(FAR, second.text()).await.unwrap().unwrap();
    assert!(second.contains("use another id") && second.contains("-32600"), "{second}");
    live.bed.probe.go.notify_one();
    let first = timeout(FAR, first.text()).await.unwrap().unwrap();
    assert!(first.contains("\"structuredContent\""), "{first}");
    // Answered ids are free again, and the stateless era knows no such clash.
    let third = live.in_session(Some(&session), 5, "tools/call", says.clone()).await;
    assert!(third.text().await.unwrap().contains("hello"));
    let slow = tokio::spawn(live.modern(&live.secret_url(), "tools/call", waits).send());
    timeout(FAR, live.bed.probe.begun.notified()).await.unwrap();
    let quick = live.result("tools/call", says).await;
    assert_eq!(quick["structuredContent"], json!({"word": "hello"}));
    live.bed.probe.go.notify_one();
    let slow: Value = slow.await.unwrap().unwrap().json().await.unwrap();
    assert_eq!(slow["result"]["isError"], false);
    live.stop().await;
}
