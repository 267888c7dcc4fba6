use super::schema::{Side, portable};
use super::{ToolError, ToolSpec};
use crate::config::ToolMode;
use rmcp::model::{MetaObject, Tool, ToolAnnotations};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Longest label that ChatGPT shows while a tool runs, in characters (OpenAI's plugin docs).
const LABEL_MAX: usize = 64;

/// Why a set of tools is no catalog.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum CatalogError {
    /// Two tools have one name.
    #[error("two tools are called {0}")]
    Duplicate(&'static str),
    /// A label is empty or longer than 64 characters.
    #[error("a label of {0} is empty or longer than 64 characters")]
    Label(&'static str),
}

/// All tools of all families, in the order they are listed in.
pub struct Catalog {
    entries: Vec<Arc<Entry>>,
    by_name: BTreeMap<&'static str, usize>,
}

/// A tool with what is sent of it.
pub(crate) struct Entry {
    pub(crate) spec: ToolSpec,
    pub(crate) tool: Tool,
}

impl Catalog {
    /// Makes the catalog; the order given is the order shown.
    ///
    /// # Errors
    /// [`CatalogError`] for a name that is taken and for labels that hosts cut.
    pub fn new(specs: Vec<ToolSpec>) -> Result<Self, CatalogError> {
        let mut by_name = BTreeMap::new();
        let mut entries = Vec::with_capacity(specs.len());
        for spec in specs {
            let fits = |label: &str| !label.is_empty() && label.chars().count() <= LABEL_MAX;
            if !fits(spec.invoking) || !fits(spec.invoked) {
                return Err(CatalogError::Label(spec.name));
            }
            if by_name.insert(spec.name, entries.len()).is_some() {
                return Err(CatalogError::Duplicate(spec.name));
            }
            let tool = describe(&spec);
            entries.push(Arc::new(Entry { spec, tool }));
        }
        Ok(Self { entries, by_name })
    }

    /// The tool of that name, whatever the mode.
    pub(crate) fn get(&self, name: &str) -> Option<&Arc<Entry>> {
        self.by_name.get(name).map(|index| &self.entries[*index])
    }

    /// What `tools/list` answers in a mode. The small modes are loaded into every conversation, so
    /// titles (the names in words) and the labels of running calls are left out there.
    #[must_use]
    pub fn list(&self, mode: ToolMode) -> Vec<Tool> {
        let bare = mode <= ToolMode::Worker;
        let shown = self.shown(mode).map(|entry| entry.tool.clone());
        shown
            .map(|mut tool| {
                if bare {
                    tool.meta = None;
                    tool.title = None;
                }
                tool
            })
            .collect()
    }

    /// The names shown in a mode, in order.
    #[must_use]
    pub fn names(&self, mode: ToolMode) -> Vec<&'static str> {
        self.shown(mode).map(|entry| entry.spec.name).collect()
    }

    fn shown(&self, mode: ToolMode) -> impl Iterator<Item = &Entry> {
        self.entries.iter().map(Arc::as_ref).filter(move |entry| entry.spec.mode <= mode)
    }

    /// What to answer to a name that is not there: hosts keep tool lists for months.
    pub(crate) fn unknown(&self, name: &str, mode: ToolMode) -> ToolError {
        let name: String = name.chars().filter(|c| !c.is_control()).take(80).collect();
        let names = self.names(mode);
        let near = names
            .iter()
            .map(|known| (similar::TextDiff::from_chars(name.as_str(), *known).ratio(), *known))
            .filter(|(ratio, _)| *ratio > 0.6)
            .max_by(|a, b| a.0.total_cmp(&b.0))
            .map(|(_, known)| known);
        let hint = match near {
            Some(near) => format!("Did you mean {near}? If your list of tools shows {name}, it is old: refresh the connector."),
            None => "Your list of tools is old: refresh the connector (ChatGPT: Settings, Apps, Refresh) and look again.".to_owned(),
        };
        ToolError::new("tool_unknown", format!("there is no tool '{name}'"), hint)
            .with("tools", names)
    }

    /// What to answer to a tool that the mode does not show.
    pub(crate) fn hidden(spec: &ToolSpec, mode: ToolMode) -> ToolError {
        let (needed, now) = (mode_name(spec.mode), mode_name(mode));
        ToolError::new(
            "tool_not_in_mode",
            format!("{} belongs to tool mode {needed}; this connection has {now}", spec.name),
            format!(
                "Go on without it, or ask the user to start patchbay with `--tool-mode {needed}` \
                 (`app.tool_mode` in the configuration) and to refresh the connector."
            ),
        )
        .with("tool_mode", now)
        .with("needed_mode", needed)
    }
}

/// The mode as it is written in configuration and results.
#[must_use]
pub fn mode_name(mode: ToolMode) -> &'static str {
    match mode {
        ToolMode::Minimal => "minimal",
        ToolMode::Worker => "worker",
        ToolMode::Standard => "standard",
        ToolMode::Full => "full",
    }
}

fn describe(spec: &ToolSpec) -> Tool {
    let annotations = ToolAnnotations::new()
        .read_only(spec.hints.read_only)
        .destructive(spec.hints.destructive)
        .idempotent(spec.hints.idempotent)
        .open_world(spec.hints.open_world);
    let meta = match json!({
        "openai/toolInvocation/invoking": spec.invoking,
        "openai/toolInvocation/invoked": spec.invoked,
    }) {
        Value::Object(meta) => meta,
        _ => Map::new(),
    };
    Tool::new(spec.name, spec.description, Arc::new(portable(&spec.input, Side::Arguments)))
        .with_title(spec.title)
        .with_raw_output_schema(Arc::new(portable(&spec.output, Side::Result)))
        .with_annotations(annotations)
        .with_meta(MetaObject(meta))
}
