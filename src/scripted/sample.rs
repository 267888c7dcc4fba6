use serde_json::{Map, Value, json};

/// A small value that satisfies a simple JSON schema: no `$ref`, no patterns, no bounds.
pub(super) fn sample(schema: &Value) -> Value {
    if let Some(value) = schema.get("const") {
        return value.clone();
    }
    if let Some(first) = schema["enum"].get(0) {
        return first.clone();
    }
    if let Some(first) = ["anyOf", "oneOf"].iter().find_map(|k| schema[*k].get(0)) {
        return sample(first);
    }
    let kind = schema["type"].as_str().or_else(|| schema["type"][0].as_str());
    match kind {
        None | Some("object") if schema["properties"].is_object() => object(schema),
        Some("object") => json!({}),
        Some("array") if schema["items"].is_object() => json!([sample(&schema["items"])]),
        Some("array") => json!(["scripted"]),
        Some("integer") => json!(7),
        Some("number") => json!(0.5),
        Some("boolean") => json!(true),
        Some("null") => Value::Null,
        _ => json!("scripted"),
    }
}

fn object(schema: &Value) -> Value {
    let properties = schema["properties"].as_object();
    let members: Map<String, Value> =
        properties.into_iter().flatten().map(|(k, v)| (k.clone(), sample(v))).collect();
    Value::Object(members)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_satisfies_its_schema() {
        let schema = json!({
            "type": "object", "additionalProperties": false, "required": ["a", "b", "c", "d", "e"],
            "properties": {
                "a": {"enum": ["x", "y"]}, "b": {"type": ["integer", "null"]},
                "c": {"type": "array", "items": {"type": "object", "properties": {"n": {"type": "number"}}}},
                "d": {"anyOf": [{"type": "boolean"}, {"type": "null"}]}, "e": {"const": 3},
            },
        });
        assert!(jsonschema::is_valid(&schema, &sample(&schema)), "{}", sample(&schema));
    }
}
