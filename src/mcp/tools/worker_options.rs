//! `codex_worker_options`: which models and efforts there are.

use super::worker::cleaned;
use super::worker_views::bare;
use crate::backend::{Model, ModelMenu};
use crate::config::ToolMode;
use crate::mcp::{Answer, Call, Hints, ToolError, ToolSpec, tool};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// Most models that one answer names.
const MOST: usize = 30;
/// Models of an answer whose call says nothing.
const USUAL: usize = 12;

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct OptionsArgs {
    /// Model id to look at.
    model: Option<String>,
    /// Most models listed.
    #[schemars(range(min = 1, max = 30), extend("default" = USUAL))]
    max_models: Option<usize>,
    /// Descriptions too.
    include_model_details: bool,
}

#[derive(Serialize, JsonSchema)]
#[schemars(transform = bare)]
struct Menu {
    #[schemars(skip)]
    source: &'static str,
    codex_version: String,
    default_model: Option<String>,
    default_reasoning_effort: Option<String>,
    #[schemars(skip)]
    selected_model: Option<Value>,
    #[schemars(with = "Vec<serde_json::Map<String, Value>>")]
    models: Vec<Value>,
    #[schemars(skip)]
    model_count: usize,
    models_truncated: bool,
    reasoning_efforts: Vec<String>,
    #[schemars(skip)]
    allows_custom_model_string: bool,
    #[schemars(skip)]
    note: &'static str,
}

pub(super) fn tool_spec() -> ToolSpec {
    tool::<OptionsArgs, Menu, _, _>(
        "codex_worker_options",
        "Codex Worker Options",
        "Models and reasoning efforts that workers may use.",
        ToolMode::Worker,
        Hints::READ,
        ("Loading worker options", "Worker options ready"),
        |call: Call, args| async move { cleaned(&call, options(&call, args)).await },
    )
}

async fn options(call: &Call, args: OptionsArgs) -> Result<Answer, ToolError> {
    let menu = call.app.workers.models().await?;
    let wanted = args.model.as_deref().map(str::trim).filter(|m| !m.is_empty());
    let details = args.include_model_details;
    let selected = wanted.map(|id| match menu.models.iter().find(|m| m.id == id) {
        Some(model) => shown(model, true),
        None => json!({ "id": id, "catalog_match": false }),
    });
    let focus = wanted.or(menu.default_model.as_deref());
    let focus = menu.models.iter().find(|m| Some(m.id.as_str()) == focus);
    let efforts = focus.or(menu.models.first()).map(efforts).unwrap_or_default();
    let most = args.max_models.unwrap_or(USUAL).clamp(1, MOST);
    let models: Vec<Value> = menu.models.iter().take(most).map(|m| shown(m, details)).collect();
    let text = options_text(&menu, &efforts);
    let result = Menu {
        source: "codex_app_server",
        codex_version: menu.agent_version,
        default_model: menu.default_model,
        default_reasoning_effort: menu.default_effort,
        selected_model: selected,
        model_count: menu.models.len(),
        models_truncated: menu.models.len() > models.len(),
        models,
        reasoning_efforts: efforts,
        allows_custom_model_string: true,
        note: "Pass `model` and `reasoning_effort` to codex_worker_start or codex_worker_message; \
               follow-ups keep them, `default` drops them.",
    };
    Answer::new(&result, text)
}

fn shown(model: &Model, details: bool) -> Value {
    json!({
        "id": model.id,
        "display_name": model.display_name,
        "is_default": model.is_default,
        "default_reasoning_effort": model.default_effort,
        "reasoning_efforts": efforts(model),
        "description": model.description.as_ref().filter(|_| details),
    })
}

fn efforts(model: &Model) -> Vec<String> {
    model.efforts.iter().map(|e| e.effort.clone()).collect()
}

fn options_text(menu: &ModelMenu, efforts: &[String]) -> String {
    let ids: Vec<&str> = menu.models.iter().map(|m| m.id.as_str()).collect();
    format!(
        "codex {}; default model {}. Models: {}. Efforts: {}.",
        menu.agent_version,
        menu.default_model.as_deref().unwrap_or("codex's own"),
        ids.join(", "),
        efforts.join(", ")
    )
}
