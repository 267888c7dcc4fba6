use super::Config;
use serde_json::Value;
use std::collections::BTreeMap;

/// What the declaration of a setting says about it. One source: the section's struct.
#[derive(Debug, Clone)]
pub(super) struct Key {
    schema: Value,
}

impl Key {
    /// Whether the value is a text; then a variable is taken as it is, whatever it looks like.
    pub(super) fn is_text(&self) -> bool {
        let types = &self.schema["type"];
        *types == "string" || types[0] == "string"
    }

    /// Whether the value is a list; then a variable may hold a single item without brackets.
    pub(super) fn is_list(&self) -> bool {
        self.schema["type"] == "array"
    }

    /// Whether the value is a table whose names the operator chooses.
    pub(super) fn is_map(&self) -> bool {
        self.schema["type"] == "object"
    }

    /// What is wrong with the value's size, if anything.
    pub(super) fn out_of_bounds(&self, value: &Value) -> Option<String> {
        let bound = |name: &str| self.schema[name].as_i64();
        if let Some(number) = value.as_i64() {
            let (low, high) = (bound("minimum")?, bound("maximum")?);
            return (number < low || number > high)
                .then(|| format!("{number} is out of bounds: {low} to {high}"));
        }
        let length = i64::try_from(value.as_str()?.chars().count()).unwrap_or(i64::MAX);
        let (low, high) = (bound("minLength")?, bound("maxLength")?);
        (length < low || length > high).then(|| format!("must have {low} to {high} characters"))
    }
}

/// All settings by `section.key`, and the sections' names.
#[derive(Debug, Clone)]
pub(super) struct Keys {
    by_name: BTreeMap<String, Key>,
}

impl Keys {
    /// Reads the declarations.
    pub(super) fn declared() -> Self {
        let settings =
            schemars::generate::SchemaSettings::default().with(|s| s.inline_subschemas = true);
        let schema = settings.into_generator().into_root_schema_for::<Config>().to_value();
        let mut by_name = BTreeMap::new();
        for (section, body) in members(&schema) {
            for (key, schema) in members(body) {
                by_name.insert(format!("{section}.{key}"), Key { schema: schema.clone() });
            }
        }
        Self { by_name }
    }

    /// The declaration of a setting.
    pub(super) fn get(&self, name: &str) -> Option<&Key> {
        self.by_name.get(name)
    }

    /// All names, sorted.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.by_name.keys().map(String::as_str)
    }

    /// Whether a section of that name exists.
    pub(super) fn has_section(&self, section: &str) -> bool {
        self.names().any(|name| name.split('.').next() == Some(section))
    }

    /// The setting that was probably meant.
    pub(super) fn closest(&self, name: &str) -> Option<&str> {
        let names: Vec<&str> = self.names().collect();
        let same_key = |n: &&&str| n.rsplit('.').next() == name.rsplit('.').next();
        let elsewhere = names.iter().find(same_key).copied();
        elsewhere.or_else(|| similar::get_close_matches(name, &names, 1, 0.75).first().copied())
    }
}

fn members(schema: &Value) -> impl Iterator<Item = (&String, &Value)> {
    schema["properties"].as_object().into_iter().flatten()
}
