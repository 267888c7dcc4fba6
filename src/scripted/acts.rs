use super::reply::Reply;
use super::request::{Request, is_output, output_text, text_of};
use super::scenes::Scene;
use super::tools::Shell;
use serde_json::{Value, json};

/// Scenes in which the model calls tools; none for other names.
pub(super) fn play(scene: &Scene<'_>) -> Option<Reply> {
    let name = scene.marker.name.as_str();
    let total = scene.marker.number("n", 5_usize);
    let last = match name {
        "write" => 2,
        "many" => total,
        "plan" => 3,
        _ => 1,
    };
    if scene.step() < last {
        let calls = calls(scene, scene.step())?;
        return Some(Reply::of(calls));
    }
    calls(scene, 0)?;
    let seen = match name {
        "parallel" => scene.outputs.join(" | "),
        "hugeout" => {
            let length = scene.outputs.last().map_or(0, |o| o.chars().count());
            format!("chars seen by the model={length} head={:?}", scene.last_output(200))
        }
        _ => scene.last_output(4000),
    };
    let steer = scene.request.said_after(scene.marker.index);
    let steer = if steer.is_empty() { String::new() } else { format!(" steer={steer:?}") };
    Some(scene.say(&format!("{} DONE.{steer} out={seen}", name.to_uppercase())))
}

/// The calls of one step.
fn calls(scene: &Scene<'_>, step: usize) -> Option<Vec<Value>> {
    let tools = &scene.tools;
    let marker = &scene.marker;
    if let Some(shell) = command(scene, step) {
        return Some(vec![tools.shell(&shell)]);
    }
    Some(match (marker.name.as_str(), step) {
        ("write", 0) => {
            let file = marker.text("file", "hello.txt");
            let text = format!(
                "*** Begin Patch\n*** Add File: {file}\n+hello from the script\n*** End Patch\n"
            );
            vec![scene.ids.reasoning(&format!("I will create {file}")), tools.patch(&text)]
        }
        ("patchout", _) => {
            let path = marker.text("path", "/outside-patch.txt");
            vec![tools.patch(&format!(
                "*** Begin Patch\n*** Add File: {path}\n+outside\n*** End Patch\n"
            ))]
        }
        ("badpatch", _) => {
            vec![
                tools.patch(
                    "*** Begin Patch\n*** Update File: nope.txt\n@@\n-a\n+b\n*** End Patch\n",
                ),
            ]
        }
        ("badargs", _) => vec![tools.broken()],
        ("unknowntool", _) => vec![tools.function("no_such_tool", &json!({"x": 1}))],
        ("parallel", _) => {
            ["p1", "p2"].map(|p| tools.shell(&Shell::of(format!("sleep 1; echo {p}")))).to_vec()
        }
        ("tool", _) => {
            let arguments = scene.decoded().and_then(|text| serde_json::from_str(&text).ok());
            vec![tools.call(marker.text("name", ""), &arguments.unwrap_or_else(|| json!({})))]
        }
        ("plan", 0) => vec![
            scene.ids.reasoning("planning"),
            scene.ids.message("Here is what I will do.", Some("commentary")),
            plan(scene, "in_progress", "pending"),
        ],
        ("plan", _) => vec![plan(scene, "completed", "completed")],
        _ => return None,
    })
}

/// The command of scenes that run one.
fn command(scene: &Scene<'_>, step: usize) -> Option<Shell> {
    let marker = &scene.marker;
    let text = |key, default| marker.text(key, default).to_owned();
    let seconds = |default: f64| marker.number("s", default);
    let yielding = |command: String, ms| Shell { yield_ms: Some(ms), ..Shell::of(command) };
    Some(match (marker.name.as_str(), step) {
        ("sh", _) => Shell {
            yield_ms: marker.options.get("yield").and_then(|v| v.parse().ok()),
            ..Shell::of(scene.decoded().unwrap_or_else(|| text("cmd", "true")))
        },
        ("shwrite", _) => Shell::of(text("cmd", "echo data > shell-made.txt && ls shell-made.txt")),
        ("write", 1) => Shell::of(format!(
            "cat {} && pwd && git status --short | head -5",
            text("file", "hello.txt")
        )),
        ("env", _) => Shell::of("env | sort | cut -c1-200"),
        ("plan", 1) => Shell::of("ls -1 | head -3"),
        ("many", _) => Shell::of(format!("echo step{step}; sleep {}", marker.number("sl", 0.0))),
        ("sleep", _) => yielding(format!("echo begin; sleep {}; echo end", seconds(30.0)), 120_000),
        ("longcmd", _) => {
            let count = marker.number("s", 20_u32);
            yielding(format!("for i in $(seq 1 {count}); do echo tick$i; sleep 1; done"), 1000)
        }
        ("bg", _) => {
            Shell::of(format!("nohup sleep {} >/dev/null 2>&1 & echo bg=$!", seconds(300.0)))
        }
        ("hugeout", _) => {
            let mb = marker.number("mb", 5_u32);
            Shell::of(format!("head -c {mb}000000 /dev/zero | tr '\\0' 'x' | fold -w 100"))
        }
        ("escalate", _) => Shell {
            escalate: Some("need to write outside".to_owned()),
            ..Shell::of(text("cmd", "echo escalated"))
        },
        _ => return None,
    })
}

fn plan(scene: &Scene<'_>, look: &str, edit: &str) -> Value {
    let steps = json!([{"step": "Look", "status": look}, {"step": "Edit", "status": edit}]);
    scene.tools.call("update_plan", &json!({"explanation": "a scripted plan", "plan": steps}))
}

/// What was said and done so far, shortened: `u:` user, `a:` assistant, `c:` call, `o:` output.
/// Context that codex adds by itself is left out.
pub(super) fn history(request: &Request) -> Value {
    const CONTEXT: [&str; 4] =
        ["<environment_context", "# AGENTS", "<user_instructions", "<permissions"];
    let short = |mark: char, text: &str, most: usize| {
        json!(format!("{mark}:{}", text.chars().take(most).collect::<String>()))
    };
    let mut lines = Vec::new();
    for item in &request.input {
        let kind = item["type"].as_str().unwrap_or("message");
        let role = item["role"].as_str().unwrap_or_default();
        if kind == "message" && (role == "user" || role == "assistant") {
            let text = text_of(item);
            if !CONTEXT.iter().any(|c| text.trim_start().starts_with(c)) {
                lines.push(short(if role == "user" { 'u' } else { 'a' }, &text, 300));
            }
        } else if is_output(item) {
            lines.push(short('o', &output_text(item), 160));
        } else if let Some(text) = item["arguments"].as_str().or(item["input"].as_str()) {
            lines.push(short('c', text, 120));
        }
    }
    Value::Array(lines)
}
