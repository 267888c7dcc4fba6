use schemars::Schema;
use serde_json::{Map, Value};

/// An object whose members the schema does not name: results are listed with every tool, and hosts
/// need the top level only. The full view stands in `docs/tools.md`.
pub(super) type Open = Map<String, Value>;

/// Takes from a result's schema what hosts do not need: words and number formats. The words stand at
/// the members of the types.
pub(super) fn bare(schema: &mut Schema) {
    if let Some(object) = schema.as_object_mut() {
        object.remove("description");
        if let Some(Value::Object(members)) = object.get_mut("properties") {
            members.values_mut().for_each(strip);
        }
    }
}

fn strip(member: &mut Value) {
    if let Value::Object(member) = member {
        for word in ["description", "format", "minimum", "additionalProperties"] {
            member.remove(word);
        }
        member.values_mut().filter(|value| value.is_object()).for_each(strip);
    }
}
