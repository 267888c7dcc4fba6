//! Tools that may become tasks (an extension of the stateless era).

use super::asking;
use super::fixture::{complete, parse};
use rmcp::ErrorData;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ClientCapabilities, CreateTaskResult,
    InputRequest, InputRequiredResult, TASKS_EXTENSION_ID,
};
use rmcp::task_manager::{TaskContext, TaskExit, TaskManager, TaskOptions};
use serde_json::{Map, Value, json};
use std::time::Duration;

/// Tools that only work as a task.
const ALWAYS: [&str; 2] = ["failing_job", "test_tool_with_task"];
/// Tools that become one where the client can follow it.
const WHERE_POSSIBLE: [&str; 4] =
    ["slow_compute", "protocol_error_job", "confirm_delete", "multi_input"];

/// What these tools look like in the list.
pub(crate) fn listed() -> Vec<Value> {
    let with = |name: &str, argument: &str, kind: &str| {
        let schema = json!({"type": "object", "properties": {argument: {"type": kind}}});
        json!({"name": name, "description": format!("The task {name}."), "inputSchema": schema})
    };
    vec![
        with("greet", "name", "string"),
        with("slow_compute", "seconds", "number"),
        with("failing_job", "reason", "string"),
        with("protocol_error_job", "reason", "string"),
        with("confirm_delete", "filename", "string"),
        with("multi_input", "topic", "string"),
        with("test_tool_with_task", "topic", "string"),
    ]
}

/// Answers a call of one of these tools; none for another tool.
///
/// # Errors
/// The tool needs a client that can follow tasks.
pub(crate) async fn call(
    tasks: &TaskManager,
    params: &CallToolRequestParams,
    able: Option<ClientCapabilities>,
) -> Result<Option<CallToolResponse>, ErrorData> {
    let name = params.name.as_ref();
    let mut given = params.arguments.clone().unwrap_or_default();
    if name == "greet" {
        let who = given.get("name").and_then(Value::as_str).unwrap_or_default();
        return Ok(Some(text(&format!("Hello, {who}!"))?.into()));
    }
    let follows = able.is_some_and(|able| able.supports_tasks());
    match (ALWAYS.contains(&name), WHERE_POSSIBLE.contains(&name)) {
        (false, false) => return Ok(None),
        (true, _) if !follows => {
            let needed = json!({"extensions": {TASKS_EXTENSION_ID: {}}});
            return Err(ErrorData::missing_required_client_capability(parse(needed)?));
        }
        (false, true) if !follows => {
            let done = work(name.to_owned(), given, None).await;
            return done.map(|result| Some(result.into())).map_err(|exit| match exit {
                TaskExit::Error(error) => error,
                TaskExit::Cancelled => ErrorData::internal_error("cancelled", None),
            });
        }
        _ => {}
    }
    if name == "test_tool_with_task" {
        let answers = params.input_responses.clone().unwrap_or_default();
        let Some(who) = answers.get("user_name").and_then(|a| a["content"]["name"].as_str()) else {
            let asked = json!({"user_name": asking::ask("What is your name?", "name", "string")});
            let wants = json!({"resultType": "input_required", "inputRequests": asked});
            return Ok(Some(parse::<InputRequiredResult>(wants)?.into()));
        };
        given.insert("name".to_owned(), json!(who));
    }
    let options = TaskOptions::new().with_poll_interval_ms(100);
    let name = name.to_owned();
    let task = tasks.spawn(options, |task| Box::pin(work(name, given, Some(task))));
    Ok(Some(CreateTaskResult::new(task).into()))
}

async fn work(
    tool: String,
    given: Map<String, Value>,
    task: Option<TaskContext>,
) -> Result<CallToolResult, TaskExit> {
    let words = |key: &str| given.get(key).and_then(Value::as_str).unwrap_or_default();
    match tool.as_str() {
        "slow_compute" => {
            let seconds = given.get("seconds").and_then(Value::as_f64).unwrap_or_default();
            let pause = tokio::time::sleep(Duration::from_secs_f64(seconds.clamp(0.0, 600.0)));
            if let Some(task) = task {
                tokio::select! {
                    () = pause => {}
                    () = task.cancelled() => return Err(TaskExit::Cancelled),
                }
            } else {
                pause.await;
            }
            Ok(text(&format!("Computed for {seconds} seconds."))?)
        }
        "failing_job" => {
            tokio::time::sleep(Duration::from_secs(1)).await;
            let content = json!([{"type": "text", "text": "The job failed."}]);
            Ok(complete(json!({"isError": true, "content": content}))?)
        }
        "protocol_error_job" => Err(ErrorData::internal_error("the job broke", None).into()),
        "confirm_delete" => {
            let Some(task) = task else { return Ok(text("Nobody could be asked.")?) };
            let answer = task.request_input("confirm", question("Delete it?")?).await?;
            Ok(text(&format!("{}: {}", words("filename"), answer["action"]))?)
        }
        "multi_input" => {
            let Some(task) = task else { return Ok(text("Nobody could be asked.")?) };
            let (first, second) = (question("The first?")?, question("The second?")?);
            let (first, second) = tokio::join!(
                task.request_input("first", first),
                task.request_input("second", second)
            );
            Ok(text(&format!("{} and {}", first?["action"], second?["action"]))?)
        }
        _ => Ok(text(&format!("Hello, {}!", words("name")))?),
    }
}

fn question(words: &str) -> Result<InputRequest, ErrorData> {
    parse(asking::ask(words, "ok", "boolean"))
}

fn text(words: &str) -> Result<CallToolResult, ErrorData> {
    complete(super::content::text(words))
}
