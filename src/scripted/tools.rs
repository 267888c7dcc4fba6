use super::dialect::Dialect;
use super::item::ItemIds;
use super::request::Request;
use serde_json::{Value, json};

/// Writes calls of tools in the dialect of the request.
pub(super) struct Tools<'a> {
    /// The dialect in use.
    pub(super) dialect: Dialect,
    /// Whether `apply_patch` is a function here, not a freeform tool.
    patch_is_function: bool,
    ids: &'a ItemIds,
}

/// A command for the worker's shell.
#[derive(Debug, Clone, Default)]
pub(super) struct Shell {
    /// What `bash -c` gets.
    pub(super) command: String,
    /// After how many milliseconds the tool gives back what there is; codex's default when absent.
    pub(super) yield_ms: Option<u64>,
    /// Asks to run outside of the sandbox, with this reason.
    pub(super) escalate: Option<String>,
}

impl Shell {
    /// A plain command.
    pub(super) fn of(command: impl Into<String>) -> Self {
        Self { command: command.into(), ..Self::default() }
    }

    fn arguments(&self, command_key: &str, time_key: &str) -> Value {
        let mut arguments = json!({ command_key: self.command });
        if let Some(ms) = self.yield_ms {
            arguments[time_key] = json!(ms);
        }
        if let Some(reason) = &self.escalate {
            arguments["sandbox_permissions"] = json!("require_escalated");
            arguments["justification"] = json!(reason);
        }
        arguments
    }
}

impl<'a> Tools<'a> {
    /// Tools for a request; `forced` wins over what the request offers.
    pub(super) fn new(request: &Request, forced: Option<Dialect>, ids: &'a ItemIds) -> Self {
        Self {
            dialect: forced.unwrap_or_else(|| Dialect::of(request)),
            patch_is_function: request.offers("function", "apply_patch"),
            ids,
        }
    }

    /// Runs a command.
    pub(super) fn shell(&self, shell: &Shell) -> Value {
        let unified = || shell.arguments("cmd", "yield_time_ms");
        match self.dialect {
            Dialect::Code => self.code("exec_command", &unified()),
            Dialect::ExecCommand => self.function("exec_command", &unified()),
            Dialect::ShellCommand => {
                self.function("shell_command", &shell.arguments("command", "timeout_ms"))
            }
        }
    }

    /// Applies a patch in codex's format.
    pub(super) fn patch(&self, text: &str) -> Value {
        if self.dialect == Dialect::Code {
            self.code("apply_patch", &json!(text))
        } else if self.patch_is_function {
            self.function("apply_patch", &json!({ "input": text }))
        } else {
            self.ids.custom_call("apply_patch", text)
        }
    }

    /// Calls any other tool that codex offers; in code mode through JavaScript.
    pub(super) fn call(&self, name: &str, arguments: &Value) -> Value {
        match self.dialect {
            Dialect::Code => self.code(name, arguments),
            _ => self.function(name, arguments),
        }
    }

    /// A call that codex cannot make sense of.
    pub(super) fn broken(&self) -> Value {
        match self.dialect {
            Dialect::Code => self.ids.custom_call("exec", "this is not ( javascript"),
            Dialect::ExecCommand => self.ids.function_call("exec_command", "{\"cmd\": \"echo"),
            Dialect::ShellCommand => {
                self.ids.function_call("shell_command", "{\"command\": \"echo")
            }
        }
    }

    /// A function call, whatever the dialect.
    pub(super) fn function(&self, name: &str, arguments: &Value) -> Value {
        self.ids.function_call(name, &arguments.to_string())
    }

    fn code(&self, tool: &str, argument: &Value) -> Value {
        let script = format!("const r = await tools.{tool}({argument});\ntext(JSON.stringify(r));");
        self.ids.custom_call("exec", &script)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tools(ids: &ItemIds, dialect: Dialect) -> Tools<'_> {
        Tools::new(&Request::of(&json!({})), Some(dialect), ids)
    }

    #[test]
    fn a_command_is_written_in_each_dialect() {
        let ids = ItemIds::new().unwrap();
        let shell =
            Shell { yield_ms: Some(7), escalate: Some("why".into()), ..Shell::of("a \"b\"") };
        let code = tools(&ids, Dialect::Code).shell(&shell);
        assert_eq!(code["name"], "exec");
        let input = code["input"].as_str().unwrap();
        assert!(input.starts_with("const r = await tools.exec_command({"), "{input}");
        assert!(input.contains(r#""cmd":"a \"b\"""#), "{input}");
        for (dialect, command, time) in [
            (Dialect::ExecCommand, "cmd", "yield_time_ms"),
            (Dialect::ShellCommand, "command", "timeout_ms"),
        ] {
            let call = tools(&ids, dialect).shell(&shell);
            let args: Value = serde_json::from_str(call["arguments"].as_str().unwrap()).unwrap();
            assert_eq!((&args[command], &args[time]), (&json!("a \"b\""), &json!(7)));
            assert_eq!(args["sandbox_permissions"], "require_escalated");
        }
    }

    #[test]
    fn a_patch_is_freeform_unless_offered_as_a_function() {
        let ids = ItemIds::new().unwrap();
        assert_eq!(tools(&ids, Dialect::ExecCommand).patch("p")["type"], "custom_tool_call");
        let offers = json!({"tools": [{"type": "function", "name": "apply_patch"}]});
        let call = Tools::new(&Request::of(&offers), None, &ids).patch("p");
        assert_eq!(call["arguments"], r#"{"input":"p"}"#);
    }
}
