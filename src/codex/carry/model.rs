use super::provider;
use super::report::Carried;
use crate::config::CodexConfig;
use serde_json::{Map, Value, json};

/// Model, effort and the provider in use. `set` is what patchbay's own configuration says already; it
/// wins.
pub(super) fn choose(
    config: &CodexConfig,
    theirs: &toml::Table,
    set: &Value,
    carried: &mut Carried,
) -> Map<String, Value> {
    let mut taken = Map::new();
    let scripted = config.scripted_base_url.is_some();
    let provider = theirs.get("model_provider").and_then(toml::Value::as_str);
    let whose = set["model_provider"].as_str().or(provider);
    let usable = scripted || add_provider(whose, provider, theirs, set, &mut taken, carried);
    for key in ["model", "model_reasoning_effort"] {
        let Some(value) = theirs.get(key) else { continue };
        let word = value.as_str().filter(|text| is_word(text));
        match word {
            _ if !set[key].is_null() => carried.left(key, "patchbay's own setting wins"),
            _ if scripted => carried.left(key, "the model is scripted"),
            None => carried.missed(key, "its value cannot be used"),
            Some(_) if !usable => carried.left(key, "its provider is not carried over"),
            Some(word) => {
                carried.taken(key, format!("`{word}`, for workers whose brief names none"));
                taken.insert(key.to_owned(), json!(word));
            }
        }
    }
    tell_others(theirs, whose.filter(|_| !scripted), carried);
    taken
}

/// Adds the provider `whose`; false when it cannot be had.
fn add_provider(
    whose: Option<&str>,
    theirs_names: Option<&str>,
    theirs: &toml::Table,
    set: &Value,
    taken: &mut Map<String, Value>,
    carried: &mut Carried,
) -> bool {
    let Some(id) = whose else { return true };
    let ours = !set["model_providers"][id].is_null();
    if !ours && !provider::is_own(id) {
        match provider::table(id, theirs) {
            Ok(table) => {
                carried.taken(format!("model_providers.{id}"), "the provider of workers");
                taken.insert("model_providers".to_owned(), json!({ id: table }));
            }
            Err(why) => {
                carried.missed(
                    format!("model_providers.{id}"),
                    format!("{why}; write the provider into codex.extra_config"),
                );
                return false;
            }
        }
    }
    if set["model_provider"].is_null() && theirs_names == Some(id) {
        carried.taken("model_provider", format!("`{id}`"));
        taken.insert("model_provider".to_owned(), json!(id));
    }
    true
}

fn tell_others(theirs: &toml::Table, used: Option<&str>, carried: &mut Carried) {
    let all = theirs.get("model_providers").and_then(toml::Value::as_table);
    for id in all.into_iter().flat_map(toml::Table::keys).filter(|id| Some(id.as_str()) != used) {
        carried.left(format!("model_providers.{id}"), "not the provider in use");
    }
}

/// Whether a text can be the name of a model or of an effort.
fn is_word(text: &str) -> bool {
    let fits =
        |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | ':' | '/' | '@');
    (1..=200).contains(&text.len()) && text.chars().all(fits)
}
