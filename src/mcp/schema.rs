//! Schemas as hosts can read them.
//!
//! What `schemars` writes is correct JSON Schema 2020-12, but hosts stumble over parts of it: references,
//! `type` lists with `null`, formats such as `uint32` (AJV warns), `oneOf` of constants. [`portable`]
//! says the same without them.

use serde_json::{Map, Value, json};

/// What a schema describes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    /// Arguments: objects are closed, bounds and defaults stay.
    Arguments,
    /// A result: objects are open, so that members can be added later; members in outline only.
    Result,
}

/// Rewrites a generated schema: references inlined, `null` alternatives turned into optional members,
/// no `$schema`, `$defs`, `title` or `format`. A reference to a type within itself becomes "anything".
pub(crate) fn portable(schema: &Value, side: Side) -> Map<String, Value> {
    let defs = schema.get("$defs").or_else(|| schema.get("definitions")).and_then(Value::as_object);
    let walk = Walk { defs, side };
    let mut root = walk.node(schema, &mut Vec::new()).schema;
    root.remove("description"); // the tool's own description says it better
    root.entry("type").or_insert_with(|| json!("object"));
    root.entry("properties").or_insert_with(|| json!({}));
    match side {
        Side::Arguments => {
            root.insert("additionalProperties".to_owned(), json!(false));
        }
        Side::Result => {
            root.remove("required");
            let members = root.get_mut("properties").and_then(Value::as_object_mut);
            for member in members.into_iter().flat_map(|m| m.values_mut()) {
                *member = outline(member);
            }
        }
    }
    root
}

/// What a list of tools says about a member of a result: its type. Lists are read again and again by hosts that show result schemas to nobody; the full description
/// stands in the docs.
fn outline(schema: &Value) -> Value {
    let mut short = Map::new();
    if let Some(kind) = schema.get("type") {
        short.insert("type".to_owned(), kind.clone());
    }
    Value::Object(short)
}

struct Walk<'a> {
    defs: Option<&'a Map<String, Value>>,
    side: Side,
}

/// A rewritten schema, and whether the original also allowed `null`.
#[derive(Default)]
struct Node {
    schema: Map<String, Value>,
    nullable: bool,
}

impl<'a> Walk<'a> {
    fn node(&self, schema: &'a Value, trail: &mut Vec<&'a str>) -> Node {
        let Some(members) = schema.as_object() else { return Node::default() };
        if let Some(name) = reference(members) {
            return self.referenced(name, members, trail);
        }
        let mut node = Node { schema: members.clone(), nullable: false };
        for key in ["$schema", "$defs", "definitions", "title", "format"] {
            node.schema.remove(key);
        }
        if node.schema.get("default").is_some_and(Value::is_null) {
            node.schema.remove("default");
        }
        drop_null_type(&mut node);
        for key in ["anyOf", "oneOf"] {
            self.alternatives(key, members, &mut node, trail);
        }
        self.children(members, &mut node, trail);
        self.close(&mut node);
        node
    }

    fn referenced(
        &self,
        name: &'a str,
        members: &'a Map<String, Value>,
        trail: &mut Vec<&'a str>,
    ) -> Node {
        let Some(target) = self.defs.and_then(|d| d.get(name)) else { return Node::default() };
        if trail.contains(&name) {
            return Node::default();
        }
        trail.push(name);
        let mut node = self.node(target, trail);
        trail.pop();
        node.schema.remove("description"); // about the Rust type; the member says what it is here
        for key in ["description", "default"] {
            if let Some(value) = members.get(key).filter(|v| !v.is_null()) {
                node.schema.insert(key.to_owned(), value.clone());
            }
        }
        node
    }

    /// Drops `null` from a list of alternatives, and folds what is left where it is simple.
    fn alternatives(
        &self,
        key: &str,
        members: &'a Map<String, Value>,
        node: &mut Node,
        trail: &mut Vec<&'a str>,
    ) {
        let Some(list) = members.get(key).and_then(Value::as_array) else { return };
        let mut kept = Vec::new();
        for item in list {
            if item.get("type").is_some_and(|t| t == "null") {
                node.nullable = true;
                continue;
            }
            let inner = self.node(item, trail);
            node.nullable |= inner.nullable;
            kept.push(inner.schema);
        }
        node.schema.remove(key);
        if let Some(words) = words_of(&kept) {
            node.schema.insert("type".to_owned(), json!("string"));
            node.schema.insert("enum".to_owned(), Value::Array(words));
        } else if kept.len() == 1 {
            for (name, value) in kept.remove(0) {
                node.schema.entry(name).or_insert(value);
            }
        } else {
            let kept = kept.into_iter().map(Value::Object).collect();
            node.schema.insert(key.to_owned(), Value::Array(kept));
        }
    }

    fn children(&self, members: &'a Map<String, Value>, node: &mut Node, trail: &mut Vec<&'a str>) {
        if let Some(properties) = members.get("properties").and_then(Value::as_object) {
            let mut optional = Vec::new();
            let mut rewritten = Map::new();
            for (name, schema) in properties {
                let inner = self.node(schema, trail);
                if inner.nullable {
                    optional.push(name.as_str());
                }
                rewritten.insert(name.clone(), Value::Object(inner.schema));
            }
            node.schema.insert("properties".to_owned(), Value::Object(rewritten));
            if let Some(required) = node.schema.get_mut("required").and_then(Value::as_array_mut) {
                required.retain(|name| name.as_str().is_none_or(|n| !optional.contains(&n)));
            }
        }
        for key in ["items", "additionalProperties"] {
            if let Some(schema) = members.get(key).filter(|s| s.is_object()) {
                let inner = self.node(schema, trail).schema;
                node.schema.insert(key.to_owned(), Value::Object(inner));
            }
        }
        for key in ["allOf", "prefixItems"] {
            if let Some(list) = members.get(key).and_then(Value::as_array) {
                let list = list.iter().map(|s| Value::Object(self.node(s, trail).schema)).collect();
                node.schema.insert(key.to_owned(), Value::Array(list));
            }
        }
    }

    fn close(&self, node: &mut Node) {
        node.schema.remove("unevaluatedProperties");
        if node.schema.get("required").and_then(Value::as_array).is_some_and(Vec::is_empty) {
            node.schema.remove("required");
        }
        let closed = node.schema.get("additionalProperties").is_some_and(|v| v == false);
        match self.side {
            Side::Arguments if node.schema.contains_key("properties") => {
                node.schema.entry("additionalProperties").or_insert(json!(false));
            }
            Side::Result if closed => {
                node.schema.remove("additionalProperties");
            }
            _ => {}
        }
    }
}

fn reference(members: &Map<String, Value>) -> Option<&str> {
    let text = members.get("$ref")?.as_str()?;
    text.strip_prefix("#/$defs/").or_else(|| text.strip_prefix("#/definitions/"))
}

/// Turns `type: [x, "null"]` into `type: x`, and takes `null` out of an `enum`.
fn drop_null_type(node: &mut Node) {
    if let Some(types) = node.schema.get_mut("type").and_then(Value::as_array_mut) {
        let before = types.len();
        types.retain(|t| t != "null");
        node.nullable |= types.len() != before;
        if let [only] = types.as_slice() {
            let only = only.clone();
            node.schema.insert("type".to_owned(), only);
        }
    }
    if let Some(words) = node.schema.get_mut("enum").and_then(Value::as_array_mut) {
        let before = words.len();
        words.retain(|w| !w.is_null());
        node.nullable |= words.len() != before;
    }
}

/// The words of alternatives that are all string constants.
fn words_of(alternatives: &[Map<String, Value>]) -> Option<Vec<Value>> {
    let mut words = Vec::new();
    for item in alternatives {
        match (item.get("const"), item.get("enum").and_then(Value::as_array)) {
            (Some(word @ Value::String(_)), _) => words.push(word.clone()),
            (_, Some(list)) if list.iter().all(Value::is_string) => words.extend(list.clone()),
            _ => return None,
        }
    }
    (!words.is_empty()).then_some(words)
}

#[cfg(test)]
mod tests {
    use super::*;
    use schemars::JsonSchema;

    #[derive(JsonSchema)]
    #[allow(dead_code)]
    enum Delivery {
        /// Into the running turn.
        Steer,
        Queue,
    }

    /// A type.
    #[derive(JsonSchema)]
    #[allow(dead_code)]
    struct Inner {
        /// How many.
        count: u32,
        next: Option<Box<Inner>>,
    }

    /// A comment about the type.
    #[derive(JsonSchema)]
    #[allow(dead_code)]
    struct Outer {
        /// Who.
        worker: String,
        /// How.
        delivery: Option<Delivery>,
        limit: Option<u32>,
        inner: Inner,
        names: Vec<Inner>,
        any: serde_json::Value,
    }

    fn text(side: Side) -> (Map<String, Value>, String) {
        let schema = portable(&schemars::schema_for!(Outer).to_value(), side);
        let text = serde_json::to_string(&schema).unwrap();
        (schema, text)
    }

    #[test]
    fn arguments_are_closed_and_plain() {
        let (schema, text) = text(Side::Arguments);
        for word in ["$ref", "$defs", "$schema", "\"null\"", "format", "title", "comment about"] {
            assert!(!text.contains(word), "{word} in {text}");
        }
        assert_eq!(schema["additionalProperties"], json!(false));
        assert_eq!(schema["required"], json!(["worker", "inner", "names", "any"]));
        let delivery = &schema["properties"]["delivery"];
        assert_eq!(delivery["enum"].as_array().unwrap().len(), 2);
        assert_eq!(delivery["type"], json!("string"));
        assert_eq!(delivery["description"], json!("How."));
        assert_eq!(schema["properties"]["limit"]["type"], json!("integer"));
        assert_eq!(schema["properties"]["inner"]["additionalProperties"], json!(false));
        assert_eq!(schema["properties"]["inner"]["properties"]["next"], json!({}));
    }

    #[test]
    fn results_are_open_and_in_outline() {
        let (schema, text) = text(Side::Result);
        assert!(!text.contains("additionalProperties"));
        assert!(!text.contains("minimum"));
        assert_eq!(schema["properties"]["names"], json!({"type": "array"}));
        assert_eq!(schema["properties"]["delivery"], json!({"type": "string"}));
        assert!(!text.contains("description"), "{text}");
        assert_eq!(schema["type"], json!("object"));
    }
}
