//! The scripted model drives the real codex, in both dialects of tools.

use base64::Engine;
use patchbay::scripted::{ScriptedModel, ScriptedOptions};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Stdio;

/// A model with plain tools, and one that works in code mode.
const MODELS: [&str; 2] = ["gpt-5.5", "gpt-5.6-sol"];

const CONFIG: &str = r#"
model_provider = "scripted"
check_for_update_on_startup = false
web_search = "disabled"
allow_login_shell = false
[features]
plugins = false
apps = false
shell_snapshot = false
unbounded_connection_retries = false
[analytics]
enabled = false
[feedback]
enabled = false
[history]
persistence = "none"
[model_providers.scripted]
name = "scripted"
base_url = "BASE"
wire_api = "responses"
env_key = "SCRIPTED_KEY"
requires_openai_auth = false
supports_websockets = false
request_max_retries = 2
stream_max_retries = 2
stream_idle_timeout_ms = 15000
"#;

/// A codex home, a working directory and a model.
struct Lab {
    dir: tempfile::TempDir,
    model: ScriptedModel,
}

/// What codex said and how it ended.
struct Run {
    ok: bool,
    events: Vec<Value>,
}

impl Run {
    /// The last message.
    fn said(&self) -> &str {
        let of = |kind| move |e: &&Value| e["item"]["type"] == kind;
        let last = self.events.iter().rev().find(of("agent_message"));
        last.and_then(|e| e["item"]["text"].as_str()).unwrap_or_default()
    }
}

impl Lab {
    async fn new() -> Self {
        let base = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/tmp");
        std::fs::create_dir_all(&base).unwrap();
        let dir = tempfile::tempdir_in(base).unwrap();
        let model = ScriptedModel::start(ScriptedOptions::default()).await.unwrap();
        for name in ["codex", "work"] {
            std::fs::create_dir(dir.path().join(name)).unwrap();
        }
        let config = CONFIG.replace("BASE", &model.base_url());
        std::fs::write(dir.path().join("codex/config.toml"), config).unwrap();
        Self { dir, model }
    }

    fn work(&self) -> PathBuf {
        self.dir.path().join("work")
    }

    async fn exec(&self, model: &str, prompt: &str) -> Run {
        let codex = std::env::var_os("PATCHBAY_CODEX")
            .expect("PATCHBAY_CODEX names the pinned codex; `make test` sets it");
        let out = tokio::process::Command::new(codex)
            .args(["exec", "--json", "--skip-git-repo-check", "-s", "workspace-write", "-m", model])
            .arg(prompt)
            .current_dir(self.work())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap())
            .env("HOME", self.dir.path())
            .env("CODEX_HOME", self.dir.path().join("codex"))
            .env("SCRIPTED_KEY", "none")
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output()
            .await
            .unwrap();
        let text = String::from_utf8(out.stdout).unwrap();
        let events = text.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
        Run { ok: out.status.success(), events }
    }
}

fn script(steps: &Value) -> String {
    let b64 = base64::engine::general_purpose::STANDARD.encode(steps.to_string());
    format!("Do it. [[steps:b64={b64}]]")
}

#[tokio::test]
async fn steps_write_by_patch_and_by_shell() {
    let lab = Lab::new().await;
    for model in MODELS {
        let steps = json!([
            {"think": "a patch first"},
            {"say": "I begin."},
            {"patch": format!("*** Begin Patch\n*** Add File: {model}.patch\n+by patch\n*** End Patch\n")},
            {"sh": format!("echo by shell > {model}.sh")},
            {"say": "Both are written."},
        ]);
        let run = lab.exec(model, &script(&steps)).await;
        assert!(run.ok, "{model}: {:#?}", run.events);
        assert_eq!(run.said(), "Both are written.");
        let read = |end: &str| std::fs::read_to_string(lab.work().join(format!("{model}.{end}")));
        assert_eq!(read("patch").unwrap(), "by patch\n", "{model}");
        assert_eq!(read("sh").unwrap(), "by shell\n", "{model}");
    }
    let offered = |n: usize| lab.model.requests()[n].body["tools"].to_string();
    assert!(offered(0).contains("exec_command"), "the first model has plain tools");
    assert!(!offered(3).contains("\"exec_command\""), "the second works in code mode");
    assert_eq!(lab.model.requests().len(), 6, "one request a step");
    lab.model.shutdown().await;
}

#[tokio::test]
async fn scenes_that_act_end_with_what_the_tool_gave_back() {
    let lab = Lab::new().await;
    let command = base64::engine::general_purpose::STANDARD.encode("echo $((6*7))");
    for model in MODELS {
        for (scene, told) in [
            (format!("sh:b64={command}"), "42"),
            ("write:file=hello.txt".to_owned(), "hello from the script"),
            ("badargs".to_owned(), "BADARGS DONE."),
            ("badpatch".to_owned(), "BADPATCH DONE."),
            ("hugeout:mb=1".to_owned(), "chars seen by the model="),
            ("plan".to_owned(), "PLAN DONE."),
        ] {
            let _ = std::fs::remove_file(lab.work().join("hello.txt"));
            let run = lab.exec(model, &format!("[[{scene}]]")).await;
            assert!(run.ok && run.said().contains(told), "{model} {scene}: {:#?}", run.events);
        }
    }
    lab.model.shutdown().await;
}

#[tokio::test]
async fn faults_recover_or_end_the_turn_as_codex_has_it() {
    let lab = Lab::new().await;
    for scene in ["err500:fails=2", "err401:fails=1", "cut", "badjson", "err429:fails=1,ra=1"] {
        let run = lab.exec(MODELS[1], &format!("[[{scene}]]")).await;
        assert!(run.ok && run.said().starts_with("RECOVERED"), "{scene}: {:#?}", run.events);
    }
    for (scene, words) in [
        ("usage_limit", "usage limit"),
        ("err400:fails=99", "scripted 400"),
        ("ctx", "context window"),
        ("incomplete", "max_output_tokens"),
    ] {
        let run = lab.exec(MODELS[1], &format!("[[{scene}]]")).await;
        let said = serde_json::to_string(&run.events).unwrap();
        assert!(!run.ok && said.contains(words), "{scene}: {said}");
    }
    lab.model.shutdown().await;
}
