//! Values out of the user's config.toml: only plain ones of a known kind go on.

use serde_json::{Map, Value};

/// The kinds of values that are carried over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    /// `http://` or `https://`.
    Url,
    /// The name of a variable.
    Variable,
    Whole,
    Number,
    Flag,
    /// A list of texts.
    Texts,
    /// A table of texts.
    TextTable,
    /// A table of names of variables.
    VariableTable,
    /// Names of variables, or tables that name one.
    Variables,
}

/// Longest text in bytes.
const TEXT: usize = 8 << 10;
/// Most entries of a list or table.
const ENTRIES: usize = 128;

/// The value, if it is of this kind.
pub(super) fn of(kind: Kind, value: &toml::Value) -> Option<Value> {
    Some(match (kind, value) {
        (Kind::Text, toml::Value::String(text)) => Value::from(plain(text)?),
        (Kind::Url, toml::Value::String(text)) => {
            let url = plain(text)?;
            let known = url.starts_with("http://") || url.starts_with("https://");
            Value::from(known.then_some(url)?)
        }
        (Kind::Variable, toml::Value::String(text)) => Value::from(variable(text)?),
        (Kind::Whole | Kind::Number, toml::Value::Integer(number)) => Value::from(*number),
        (Kind::Number, toml::Value::Float(number)) if number.is_finite() => Value::from(*number),
        (Kind::Flag, toml::Value::Boolean(flag)) => Value::from(*flag),
        (Kind::Texts, toml::Value::Array(list)) => each(list, |v| of(Kind::Text, v))?,
        (Kind::Variables, toml::Value::Array(list)) => each(list, named)?,
        (Kind::TextTable, toml::Value::Table(table)) => every(table, Kind::Text)?,
        (Kind::VariableTable, toml::Value::Table(table)) => every(table, Kind::Variable)?,
        _ => return None,
    })
}

/// The members of a table if each is known and of its kind; else what is wrong.
pub(super) fn table(
    known: &[(&str, Kind)],
    table: &toml::Table,
) -> Result<Map<String, Value>, String> {
    let mut taken = Map::new();
    for (key, value) in table {
        let Some((_, kind)) = known.iter().find(|(name, _)| name == key) else {
            return Err(format!("its member `{}` is not carried over", super::report::shown(key)));
        };
        let value = of(*kind, value)
            .ok_or_else(|| format!("its member `{key}` has a value that cannot be used"))?;
        taken.insert(key.clone(), value);
    }
    Ok(taken)
}

fn plain(text: &str) -> Option<&str> {
    (text.len() <= TEXT && !text.contains('\0')).then_some(text)
}

/// A name of a variable that may be handed on. Those of patchbay itself may not.
pub(super) fn variable(name: &str) -> Option<&str> {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let good = (1..=128).contains(&name.len())
        && name.chars().all(fits)
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && !name.starts_with("PATCHBAY_");
    good.then_some(name)
}

fn each(list: &[toml::Value], one: impl Fn(&toml::Value) -> Option<Value>) -> Option<Value> {
    if list.len() > ENTRIES {
        return None;
    }
    list.iter().map(one).collect::<Option<Vec<Value>>>().map(Value::from)
}

fn every(table: &toml::Table, kind: Kind) -> Option<Value> {
    if table.len() > ENTRIES {
        return None;
    }
    let member = |(name, value): (&String, &toml::Value)| Some((name.clone(), of(kind, value)?));
    table.iter().map(member).collect::<Option<Map<String, Value>>>().map(Value::from)
}

/// An entry of `env_vars`: a name, or a table `{ name, source }`.
fn named(value: &toml::Value) -> Option<Value> {
    match value {
        toml::Value::String(_) => of(Kind::Variable, value),
        toml::Value::Table(table) => {
            let known = [("name", Kind::Variable), ("source", Kind::Text)];
            table.contains_key("name").then(|| self::table(&known, table).ok())?.map(Value::from)
        }
        _ => None,
    }
}
