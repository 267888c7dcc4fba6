use super::keys::{Key, Keys};
use super::{Config, ConfigError, Problem, check, legacy};
use crate::paths::Env;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};

/// A configuration file larger than this is a mistake.
const MAX_FILE_BYTES: u64 = 1 << 20;

struct Setting {
    value: Value,
    origin: String,
}

/// Settings on their way from file, environment and flags to a [`Config`]; a later layer wins.
///
/// Problems are collected, so that the operator sees all of them at once.
pub struct Layers {
    keys: Keys,
    home: Option<PathBuf>,
    settings: BTreeMap<String, Setting>,
    problems: Vec<Problem>,
    notes: Vec<String>,
}

impl Layers {
    /// No settings yet. `home` is what `~/` at the start of a path means.
    #[must_use]
    pub fn new(home: Option<PathBuf>) -> Self {
        Self {
            keys: Keys::declared(),
            home,
            settings: BTreeMap::new(),
            problems: Vec::new(),
            notes: Vec::new(),
        }
    }

    /// Adds a YAML file of at most 1 MiB.
    ///
    /// # Errors
    /// [`ConfigError::Unreadable`] or [`ConfigError::Malformed`]; bad settings come from [`Layers::build`].
    pub fn file(&mut self, path: &Path) -> Result<(), ConfigError> {
        let unreadable =
            |reason: String| ConfigError::Unreadable { path: path.to_path_buf(), reason };
        let file = std::fs::File::open(path).map_err(|e| unreadable(e.to_string()))?;
        let mut text = String::new();
        file.take(MAX_FILE_BYTES + 1)
            .read_to_string(&mut text)
            .map_err(|e| unreadable(e.to_string()))?;
        if text.len() as u64 > MAX_FILE_BYTES {
            return Err(unreadable("it is larger than 1 MiB".to_owned()));
        }
        self.text(&path.display().to_string(), &text)
    }

    /// Adds YAML text; `origin` names it in messages.
    ///
    /// # Errors
    /// [`ConfigError::Malformed`] when it is no mapping.
    pub fn text(&mut self, origin: &str, text: &str) -> Result<(), ConfigError> {
        let malformed =
            |reason: String| ConfigError::Malformed { origin: origin.to_owned(), reason };
        let blank = |line: &str| line.trim().is_empty() || line.trim_start().starts_with('#');
        if text.lines().all(blank) {
            return Ok(());
        }
        let tree: Value =
            serde_saphyr::from_str(text).map_err(|e| malformed(e.without_snippet().to_string()))?;
        let Value::Object(sections) = tree else {
            return Err(malformed("it holds a single value or a list".to_owned()));
        };
        for (section, body) in sections {
            self.flatten(origin, &section, body);
        }
        Ok(())
    }

    /// Adds the variables `PATCHBAY_<SECTION>__<KEY>`.
    pub fn env(&mut self, env: &Env) {
        for (name, value) in env.iter() {
            let (Some(name), Some(value)) = (name.to_str(), value.to_str()) else { continue };
            self.notes.extend(legacy::variable_note(name));
            let Some((section, key)) =
                name.strip_prefix("PATCHBAY_").and_then(|rest| rest.split_once("__"))
            else {
                continue;
            };
            let key = format!("{}.{}", section.to_lowercase(), key.to_lowercase());
            let value = self.typed(&key, value);
            self.set(name, &key, value);
        }
    }

    /// Adds the value of a flag.
    pub fn flag(&mut self, flag: &str, key: &str, value: impl Into<Value>) {
        self.set(flag, key, value.into());
    }

    /// Things the operator should know that are no errors.
    #[must_use]
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Puts the layers together.
    ///
    /// # Errors
    /// [`ConfigError::Refused`] with every problem of every layer.
    pub fn build(mut self) -> Result<Config, ConfigError> {
        let mut tree = Map::new();
        let settings = std::mem::take(&mut self.settings);
        for (name, setting) in &settings {
            let Some((section, key)) = name.split_once('.') else { continue };
            if let Some(message) = self.wrong(name, &setting.value) {
                self.refuse(name, &setting.origin, message);
                continue;
            }
            let section = tree.entry(section).or_insert_with(|| json!({}));
            section[key] = setting.value.clone();
        }
        let mut config: Config = serde_json::from_value(Value::Object(tree)).unwrap_or_default();
        check::expand_home(&mut config, self.home.as_deref());
        for (key, message) in check::problems(&config) {
            let origin =
                settings.get(key).map_or_else(|| "default".to_owned(), |s| s.origin.clone());
            self.refuse(key, &origin, message);
        }
        if self.problems.is_empty() { Ok(config) } else { Err(ConfigError::Refused(self.problems)) }
    }

    /// What is wrong with one value taken alone: its type, then its bounds.
    fn wrong(&self, name: &str, value: &Value) -> Option<String> {
        let (section, key) = name.split_once('.')?;
        let alone = json!({ section: { key: value } });
        match serde_json::from_value::<Config>(alone) {
            Err(error) => Some(error.to_string()),
            Ok(_) => self.keys.get(name).and_then(|k| k.out_of_bounds(value)),
        }
    }

    fn flatten(&mut self, origin: &str, name: &str, value: Value) {
        match value {
            Value::Object(members) if !self.keys.get(name).is_some_and(Key::is_map) => {
                for (key, value) in members {
                    self.flatten(origin, &format!("{name}.{key}"), value);
                }
            }
            // A section with nothing in it, or a key that is left blank, keeps its default.
            Value::Null if self.keys.has_section(name) || self.keys.get(name).is_some() => {}
            value => self.set(origin, name, value),
        }
    }

    fn set(&mut self, origin: &str, name: &str, value: Value) {
        if self.keys.get(name).is_some() {
            let setting = Setting { value, origin: origin.to_owned() };
            self.settings.insert(name.to_owned(), setting);
        } else {
            let message = self.unknown(name);
            self.refuse(name, origin, message);
        }
    }

    fn unknown(&self, name: &str) -> String {
        if let Some(sentence) = legacy::refusal(name) {
            return sentence;
        }
        let hint = self.keys.closest(name).map(|meant| format!("; did you mean `{meant}`?"));
        format!("unknown setting{}", hint.unwrap_or_default())
    }

    fn refuse(&mut self, key: &str, origin: &str, message: String) {
        let problem = Problem { key: key.to_owned(), origin: origin.to_owned(), message };
        self.problems.push(problem);
    }

    /// A variable's text as the type its setting has.
    fn typed(&self, name: &str, text: &str) -> Value {
        let key = self.keys.get(name);
        if key.is_none_or(Key::is_text) {
            return Value::from(text);
        }
        let parsed = serde_saphyr::from_str(text).unwrap_or_else(|_| Value::from(text));
        if key.is_some_and(Key::is_list) && !parsed.is_array() {
            return json!([text]);
        }
        parsed
    }
}
