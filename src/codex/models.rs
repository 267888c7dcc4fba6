use crate::backend::{Effort, Model, ModelMenu};
use serde_json::Value;

/// The menu from `model/list`; hidden models are left out.
pub(super) fn menu(
    list: &Value,
    version: &str,
    model: Option<&str>,
    effort: Option<&str>,
) -> ModelMenu {
    let models: Vec<Model> = list["data"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(|model| model["hidden"] != true)
        .filter_map(one)
        .collect();
    let default = models.iter().find(|m| m.is_default);
    let named = model.map(str::to_owned).or_else(|| default.map(|m| m.id.clone()));
    let of_model = models.iter().find(|m| Some(&m.id) == named.as_ref());
    let default_effort =
        effort.map(str::to_owned).or_else(|| of_model.and_then(|m| m.default_effort.clone()));
    ModelMenu { agent_version: version.to_owned(), default_model: named, default_effort, models }
}

fn text(value: &Value) -> Option<String> {
    value.as_str().filter(|t| !t.is_empty()).map(str::to_owned)
}

fn one(model: &Value) -> Option<Model> {
    let id = text(&model["model"]).or_else(|| text(&model["id"]))?;
    let efforts = model["supportedReasoningEfforts"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|option| {
            Some(Effort {
                effort: text(&option["reasoningEffort"])?,
                description: text(&option["description"]),
            })
        })
        .collect();
    Some(Model {
        display_name: text(&model["displayName"]).unwrap_or_else(|| id.clone()),
        description: text(&model["description"]),
        default_effort: text(&model["defaultReasoningEffort"]),
        is_default: model["isDefault"] == true,
        efforts,
        id,
    })
}
