use super::{Answer, ToolError};
use crate::app::App;
use crate::config::ToolMode;
use crate::ownership::Caller;
use futures_util::future::BoxFuture;
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::future::{Future, ready};
use std::sync::Arc;

/// One call of a tool: the program, and who asks.
#[derive(Clone)]
pub struct Call {
    /// All rooms, wired.
    pub app: Arc<App>,
    /// Who asks.
    pub caller: Caller,
}

/// What is so about a tool, for hosts that ask before they let a model call it.
#[derive(Debug, Clone, Copy)]
pub struct Hints {
    /// Changes nothing.
    pub read_only: bool,
    /// May change or remove what was there.
    pub destructive: bool,
    /// Reaches beyond this machine.
    pub open_world: bool,
    /// A second equal call changes nothing more.
    pub idempotent: bool,
}

impl Hints {
    /// A tool that only reads what is on this machine.
    pub const READ: Self =
        Self { read_only: true, destructive: false, open_world: false, idempotent: true };
}

/// How a tool is called: arguments as JSON in, answer or error out.
pub type Handler =
    Box<dyn Fn(Call, Value) -> BoxFuture<'static, Result<Answer, ToolError>> + Send + Sync>;

/// One tool: everything that list, call, schema and docs need.
pub struct ToolSpec {
    /// Name on the wire; frozen.
    pub name: &'static str,
    /// For people.
    pub title: &'static str,
    /// For models: what it does, when to call it, what comes back.
    pub description: &'static str,
    /// The least mode that shows it; richer modes show it too.
    pub mode: ToolMode,
    /// What is so about it.
    pub hints: Hints,
    /// Shown while it runs, at most 64 characters.
    pub invoking: &'static str,
    /// Shown when it is done, at most 64 characters.
    pub invoked: &'static str,
    /// Schema of the arguments.
    pub input: Value,
    /// Schema of a successful result.
    pub output: Value,
    /// What runs.
    pub handler: Handler,
}

/// Declares a tool from a typed handler: `A` gives the input schema, `O` the output schema. The
/// handler returns an [`Answer`] that was made from an `O`.
pub fn tool<A, O, F, R>(
    name: &'static str,
    title: &'static str,
    description: &'static str,
    mode: ToolMode,
    hints: Hints,
    labels: (&'static str, &'static str),
    handler: F,
) -> ToolSpec
where
    A: DeserializeOwned + JsonSchema + Send + 'static,
    O: JsonSchema,
    F: Fn(Call, A) -> R + Send + Sync + 'static,
    R: Future<Output = Result<Answer, ToolError>> + Send + 'static,
{
    let handler: Handler =
        Box::new(move |call, arguments| match serde_json::from_value(arguments) {
            Ok(arguments) => Box::pin(handler(call, arguments)),
            Err(error) => Box::pin(ready(Err(ToolError::invalid(error.to_string())))),
        });
    ToolSpec {
        name,
        title,
        description,
        mode,
        hints,
        invoking: labels.0,
        invoked: labels.1,
        input: SchemaSettings::draft2020_12()
            .into_generator()
            .into_root_schema_for::<A>()
            .to_value(),
        output: SchemaSettings::draft2020_12()
            .for_serialize()
            .into_generator()
            .into_root_schema_for::<O>()
            .to_value(),
        handler,
    }
}
