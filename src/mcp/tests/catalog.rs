use crate::config::ToolMode;
use crate::mcp::{Catalog, CatalogError, Facts, tools};
use serde_json::{Value, json};

fn catalog() -> Catalog {
    Catalog::new(tools::all(&Facts::default())).unwrap()
}

#[test]
fn names_and_schemas_are_frozen() {
    let tools = catalog().list(ToolMode::Full);
    let frozen: Vec<Value> = tools
        .iter()
        .map(|tool| {
            json!({
                "name": tool.name, "title": tool.title, "input": tool.input_schema,
                "output": tool.output_schema, "annotations": tool.annotations,
            })
        })
        .collect();
    insta::assert_json_snapshot!("tools", frozen);
}

#[test]
fn the_list_of_worker_mode_is_small() {
    let listed = serde_json::to_vec(&catalog().list(ToolMode::Worker)).unwrap();
    assert!(listed.len() < 24_000, "tools/list of worker mode has {} bytes", listed.len());
}

#[test]
fn each_tool_is_complete_and_portable() {
    for tool in catalog().list(ToolMode::Full) {
        let name = tool.name.as_ref();
        let hints = tool.annotations.unwrap();
        let given = [
            hints.read_only_hint,
            hints.destructive_hint,
            hints.open_world_hint,
            hints.idempotent_hint,
        ];
        assert!(given.iter().all(Option::is_some), "{name}: an annotation is missing");
        assert!(
            !(hints.read_only_hint == Some(true) && hints.destructive_hint == Some(true)),
            "{name} cannot read only and destroy"
        );
        let description = tool.description.unwrap();
        assert!((20..=1024).contains(&description.len()), "{name}: {} bytes", description.len());
        for schema in [&tool.input_schema, tool.output_schema.as_ref().unwrap()] {
            portable(name, &Value::Object(schema.as_ref().clone()));
            assert_eq!(schema["type"], "object", "{name}");
        }
        assert_eq!(tool.input_schema["additionalProperties"], json!(false), "{name}");
        let output = tool.output_schema.unwrap();
        assert!(output["properties"].as_object().unwrap().len() <= 12, "{name}: too many members");
        for (argument, schema) in tool.input_schema["properties"].as_object().unwrap() {
            assert!(schema["description"].is_string(), "{name}.{argument} is not described");
        }
    }
}

/// What hosts stumble over is nowhere in a schema.
fn portable(name: &str, schema: &Value) {
    match schema {
        Value::Object(members) => {
            for (key, value) in members {
                let foreign = ["$ref", "$defs", "$schema", "definitions", "format"];
                // Below `properties` the keys are names, not keywords.
                assert!(!foreign.contains(&key.as_str()) || value.is_object(), "{name}: {key}");
                assert!(key != "type" || !value.is_array(), "{name}: a list of types");
                portable(name, value);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| portable(name, item)),
        Value::String(text) => assert_ne!(text, "null", "{name}: null"),
        _ => {}
    }
}

#[test]
fn a_name_is_taken_once() {
    let mut specs = tools::all(&Facts::default());
    specs.extend(tools::all(&Facts::default()));
    assert_eq!(Catalog::new(specs).err(), Some(CatalogError::Duplicate("codex_self_test")));
}

#[test]
fn richer_modes_show_what_poorer_ones_do() {
    let catalog = catalog();
    let order = [ToolMode::Minimal, ToolMode::Worker, ToolMode::Standard, ToolMode::Full];
    for pair in order.windows(2) {
        let richer = catalog.names(pair[1]);
        assert!(catalog.names(pair[0]).iter().all(|name| richer.contains(name)));
    }
    assert!(catalog.names(ToolMode::Minimal).contains(&"codex_self_test"));
}
