//! The handler.

use super::asking::{self, Round};
use super::{content, lists, tasks};
#[allow(deprecated, reason = "the suite plays the legacy era too")]
use rmcp::model::SetLevelRequestParams;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CancelTaskParams, ClientCapabilities,
    CompleteRequestParams, CompleteResult, GetPromptRequestParams, GetPromptResponse,
    GetTaskParams, GetTaskResult, InputRequiredResult, ListPromptsResult,
    ListResourceTemplatesResult, ListResourcesResult, ListToolsResult, PaginatedRequestParams,
    ReadResourceRequestParams, ReadResourceResponse, ServerConfig, ServerNotification,
    ServerRequest, SubscribeRequestParams, SubscriptionFilter, Tool, UnsubscribeRequestParams,
    UpdateTaskParams,
};
use rmcp::service::{RequestContext, SubscriptionContext};
use rmcp::task_manager::TaskManager;
use rmcp::{ErrorData, RoleServer, ServerHandler};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use std::time::Duration;
use tokio::sync::watch;

/// Counts of changes of the lists, heard by open subscriptions.
#[derive(Clone)]
pub(crate) struct Changes {
    tools: watch::Sender<u64>,
    prompts: watch::Sender<u64>,
}

impl Default for Changes {
    fn default() -> Self {
        Self { tools: watch::Sender::new(0), prompts: watch::Sender::new(0) }
    }
}

/// The handler of a session, or of one request of the stateless era.
pub(crate) struct Fixture {
    changes: Changes,
    tasks: TaskManager,
}

type Context = RequestContext<RoleServer>;

pub(crate) fn parse<T: DeserializeOwned>(value: Value) -> Result<T, ErrorData> {
    serde_json::from_value(value)
        .map_err(|error| ErrorData::internal_error(format!("the fixture is wrong: {error}"), None))
}

/// A result that is complete; rmcp takes the word out again for the legacy era.
pub(crate) fn complete<T: DeserializeOwned>(mut value: Value) -> Result<T, ErrorData> {
    value["resultType"] = json!("complete");
    parse(value)
}

fn failed(error: impl std::fmt::Display) -> ErrorData {
    ErrorData::internal_error(error.to_string(), None)
}

/// What a client can do, as it said.
fn able(context: &Context) -> Value {
    let able = context.client_capabilities();
    able.and_then(|able| serde_json::to_value(able).ok()).unwrap_or(Value::Null)
}

impl Fixture {
    pub(crate) fn new(changes: Changes, tasks: TaskManager) -> Self {
        Self { changes, tasks }
    }

    async fn tell(&self, context: &Context, method: &str, params: Value) -> Result<(), ErrorData> {
        let message: ServerNotification = parse(json!({"method": method, "params": params}))?;
        context.peer.send_notification(message).await.map_err(failed)
    }

    async fn ask(
        &self,
        context: &Context,
        method: &str,
        params: Value,
    ) -> Result<Value, ErrorData> {
        let message: ServerRequest = parse(json!({"method": method, "params": params}))?;
        let answer = context.peer.send_request(message).await.map_err(failed)?;
        serde_json::to_value(answer).map_err(failed)
    }

    /// Logs three messages, a moment apart.
    async fn log(&self, context: &Context) -> Result<Value, ErrorData> {
        for words in ["Tool execution started", "Tool processing data", "Tool execution completed"]
        {
            let params = json!({"level": "info", "data": words});
            self.tell(context, "notifications/message", params).await?;
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(content::text("Logged three messages."))
    }

    async fn progress(&self, context: &Context) -> Result<Value, ErrorData> {
        for done in [0, 50, 100] {
            if let Some(token) = context.meta.get_progress_token() {
                let params = json!({"progressToken": token, "progress": done, "total": 100});
                self.tell(context, "notifications/progress", params).await?;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(content::text("Done."))
    }

    async fn asks(&self, tool: &str, given: &str, context: &Context) -> Result<Value, ErrorData> {
        if tool == "test_sampling" {
            let answer =
                self.ask(context, "sampling/createMessage", asking::sampling(given, 100)).await?;
            let words = answer["content"]["text"].as_str().unwrap_or("nothing");
            return Ok(content::text(&format!("LLM response: {words}")));
        }
        let message = if given.is_empty() { "Please answer" } else { given };
        let Some(params) = asking::elicitation(tool, message) else {
            return Err(ErrorData::invalid_params(format!("there is no tool '{tool}'"), None));
        };
        let answer = self.ask(context, "elicitation/create", params).await?;
        let (action, given) = (&answer["action"], &answer["content"]);
        let action = action.as_str().unwrap_or("none");
        Ok(content::text(&match tool {
            "test_elicitation" => format!("User response: <action: {action}, content: {given}>"),
            _ => format!("Elicitation completed: action={action}, content={given}"),
        }))
    }

    async fn run(
        &self,
        params: CallToolRequestParams,
        context: &Context,
    ) -> Result<Value, ErrorData> {
        let tool = params.name.as_ref();
        if let Some(result) = content::plain(tool) {
            return Ok(result);
        }
        let answers: Map<String, Value> = params.input_responses.into_iter().flatten().collect();
        let round = Round { answers, state: params.request_state.as_deref(), able: able(context) };
        if let Some(result) = asking::input_required(tool, &round)? {
            return Ok(result);
        }
        match tool {
            "test_tool_with_logging" => self.log(context).await,
            "test_logging_tool"
                if context.meta.contains_key("io.modelcontextprotocol/logLevel") =>
            {
                self.log(context).await
            }
            "test_logging_tool" => Ok(content::text("Nothing was to be logged.")),
            "test_tool_with_progress" => self.progress(context).await,
            "test_reconnection" => {
                tokio::time::sleep(Duration::from_millis(100)).await;
                Ok(content::text("Answered after a moment."))
            }
            "test_missing_capability" => {
                if round.able["sampling"].is_object() {
                    return Ok(content::text("The client can sample."));
                }
                let needed: ClientCapabilities = parse(json!({"sampling": {}}))?;
                Err(ErrorData::missing_required_client_capability(needed))
            }
            "test_trigger_tool_change" => {
                self.changes.tools.send_modify(|count| *count += 1);
                Ok(content::text("The list of tools changed."))
            }
            "test_trigger_prompt_change" => {
                self.changes.prompts.send_modify(|count| *count += 1);
                Ok(content::text("The list of prompts changed."))
            }
            _ => {
                let given = params.arguments.unwrap_or_default();
                let given = given.values().find_map(Value::as_str).unwrap_or_default();
                self.asks(tool, given, context).await
            }
        }
    }
}

fn wants_input(result: &Value) -> bool {
    result["resultType"] == "input_required"
}

impl ServerHandler for Fixture {
    fn get_info(&self) -> ServerConfig {
        let abilities = json!({
            "tools": {"listChanged": true},
            "prompts": {"listChanged": true},
            "resources": {"subscribe": true},
            "completions": {},
            "logging": {},
            "extensions": {rmcp::model::TASKS_EXTENSION_ID: {}},
        });
        let about = rmcp::model::Implementation::new("patchbay-conformance", "1");
        ServerConfig::new(serde_json::from_value(abilities).unwrap_or_default())
            .with_server_info(about)
    }

    async fn list_tools(
        &self,
        _request: Option<PaginatedRequestParams>,
        _context: Context,
    ) -> Result<ListToolsResult, ErrorData> {
        Ok(ListToolsResult::with_all_items(parse(lists::tools())?))
    }

    fn get_tool(&self, name: &str) -> Option<Tool> {
        let tools: Vec<Tool> = parse(lists::tools()).ok()?;
        tools.into_iter().find(|tool| tool.name == name)
    }

    async fn call_tool(
        &self,
        params: CallToolRequestParams,
        context: Context,
    ) -> Result<CallToolResponse, ErrorData> {
        let able = context.client_capabilities();
        if let Some(response) = tasks::call(&self.tasks, &params, able).await? {
            return Ok(response);
        }
        let result = self.run(params, &context).await?;
        Ok(if wants_input(&result) {
            parse::<InputRequiredResult>(result)?.into()
        } else {
            complete::<rmcp::model::CallToolResult>(result)?.into()
        })
    }

    async fn get_task(
        &self,
        request: GetTaskParams,
        _context: Context,
    ) -> Result<GetTaskResult, ErrorData> {
        Ok(GetTaskResult::new(self.tasks.get_task(&request.task_id)?))
    }

    async fn update_task(
        &self,
        request: UpdateTaskParams,
        _context: Context,
    ) -> Result<(), ErrorData> {
        self.tasks.update_task(&request.task_id, request.input_responses)
    }

    async fn cancel_task(
        &self,
        request: CancelTaskParams,
        _context: Context,
    ) -> Result<(), ErrorData> {
        self.tasks.cancel_task(&request.task_id)
    }

    async fn list_resources(
        &self,
        _request: Option<PaginatedRequestParams>,
        _context: Context,
    ) -> Result<ListResourcesResult, ErrorData> {
        Ok(ListResourcesResult::with_all_items(parse(lists::resources())?))
    }

    async fn list_resource_templates(
        &self,
        _request: Option<PaginatedRequestParams>,
        _context: Context,
    ) -> Result<ListResourceTemplatesResult, ErrorData> {
        Ok(ListResourceTemplatesResult::with_all_items(parse(lists::templates())?))
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        _context: Context,
    ) -> Result<ReadResourceResponse, ErrorData> {
        let contents = content::resource(&request.uri)?;
        Ok(complete::<rmcp::model::ReadResourceResult>(contents)?.into())
    }

    async fn list_prompts(
        &self,
        _request: Option<PaginatedRequestParams>,
        _context: Context,
    ) -> Result<ListPromptsResult, ErrorData> {
        Ok(ListPromptsResult::with_all_items(parse(lists::prompts())?))
    }

    async fn get_prompt(
        &self,
        request: GetPromptRequestParams,
        _context: Context,
    ) -> Result<GetPromptResponse, ErrorData> {
        let arguments = request.arguments.unwrap_or_default();
        let result = if request.name == "test_input_required_result_prompt" {
            asking::prompt(&request.input_responses.into_iter().flatten().collect())
        } else {
            content::prompt(&request.name, &arguments)?
        };
        Ok(if wants_input(&result) {
            parse::<InputRequiredResult>(result)?.into()
        } else {
            complete::<rmcp::model::GetPromptResult>(result)?.into()
        })
    }

    async fn complete(
        &self,
        _request: CompleteRequestParams,
        _context: Context,
    ) -> Result<CompleteResult, ErrorData> {
        complete(json!({"completion": {"values": ["paris", "park", "party"], "hasMore": false}}))
    }

    #[allow(deprecated, reason = "the suite plays the legacy era too")]
    async fn set_level(
        &self,
        _request: SetLevelRequestParams,
        context: Context,
    ) -> Result<(), ErrorData> {
        legacy_only::<rmcp::model::SetLevelRequestMethod>(&context)
    }

    #[allow(deprecated, reason = "the suite plays the legacy era too")]
    async fn subscribe(
        &self,
        _request: SubscribeRequestParams,
        _context: Context,
    ) -> Result<(), ErrorData> {
        Ok(())
    }

    #[allow(deprecated, reason = "the suite plays the legacy era too")]
    async fn unsubscribe(
        &self,
        _request: UnsubscribeRequestParams,
        _context: Context,
    ) -> Result<(), ErrorData> {
        Ok(())
    }

    fn accepted_subscription_filter(
        &self,
        requested: &SubscriptionFilter,
    ) -> Option<SubscriptionFilter> {
        Some(requested.clone())
    }

    async fn listen(&self, context: SubscriptionContext) -> Result<(), ErrorData> {
        let (mut tools, mut prompts) =
            (self.changes.tools.subscribe(), self.changes.prompts.subscribe());
        loop {
            let told = tokio::select! {
                Ok(()) = tools.changed() => context.sink().notify_tool_list_changed().await,
                Ok(()) = prompts.changed() => context.sink().notify_prompt_list_changed().await,
                () = context.cancelled() => return Ok(()),
            };
            // What the subscription did not ask for is held back by the sink.
            drop(told);
        }
    }
}

/// The stateless era has no such request.
fn legacy_only<M: rmcp::model::ConstString>(context: &Context) -> Result<(), ErrorData> {
    let stateless = context.protocol_version().is_some_and(|version| !version.has_initialize());
    if stateless { Err(ErrorData::method_not_found::<M>()) } else { Ok(()) }
}
