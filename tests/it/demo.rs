//! `patchbay demo`, as a stranger runs it.

use patchbay::scripted::{ScriptedModel, ScriptedOptions};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A place of its own for a demo.
struct Place {
    dir: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let base = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/tmp");
        std::fs::create_dir_all(&base).unwrap();
        Self { dir: tempfile::tempdir_in(base).unwrap() }
    }

    fn demo(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    fn command(&self, args: &[&str]) -> Command {
        let codex = std::env::var_os("PATCHBAY_CODEX")
            .expect("PATCHBAY_CODEX names the pinned codex; `make test` sets it");
        let mut command = Command::new(env!("CARGO_BIN_EXE_patchbay"));
        command
            .arg("demo")
            .args(args)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap())
            .env("HOME", self.dir.path())
            .env("PATCHBAY_HOME", self.dir.path().join("state"))
            .env("PATCHBAY_CODEX", codex)
            .env("HOUSE_KEY", "key");
        command
    }

    /// Runs with `--json`; the exit code must fit the outcome.
    fn outcome(&self, args: &[&str]) -> Value {
        let out = self.demo(&[&["--json"], args].concat());
        let text = String::from_utf8(out.stdout).unwrap();
        let said = String::from_utf8_lossy(&out.stderr);
        let object: Value =
            serde_json::from_str(&text).unwrap_or_else(|e| panic!("{e}: {text}\n{said}"));
        let code = if object["ok"] == true { 0 } else { 1 };
        assert_eq!(out.status.code(), Some(code), "{object:#}\n{said}");
        object
    }

    fn is_empty(&self) -> bool {
        std::fs::read_dir(self.dir.path()).unwrap().count() == 0
    }
}

#[test]
fn the_demo_goes_through_and_leaves_nothing() {
    let place = Place::new();
    let outcome = place.outcome(&[]);
    assert_eq!(outcome["ok"], true, "{outcome:#}");
    assert_eq!(outcome["codex_version"], "0.169.0");
    let steps: Vec<&str> =
        outcome["steps"].as_array().unwrap().iter().map(|s| s["name"].as_str().unwrap()).collect();
    let expected = [
        "prepare",
        "server",
        "connect",
        "start",
        "watch",
        "inspect",
        "preview",
        "integrate",
        "stop",
        "check",
    ];
    assert_eq!(steps, expected);
    assert!(place.is_empty(), "nothing is left");
}

#[test]
fn what_is_broken_is_noticed_in_its_step() {
    for (what, step) in [("model", "watch"), ("worker", "inspect"), ("base", "integrate")] {
        let place = Place::new();
        let outcome = place.outcome(&["--break", what]);
        assert_eq!(outcome["ok"], false, "{what}: {outcome:#}");
        assert_eq!(outcome["failed_step"], step, "{what}: {outcome:#}");
        let steps = outcome["steps"].as_array().unwrap();
        let failed: Vec<&Value> = steps.iter().filter(|s| s["ok"] == false).collect();
        assert_eq!(failed.len(), 1, "only that step fails: {outcome:#}");
        assert!(place.is_empty(), "{what}: nothing is left");
    }
}

#[test]
fn keep_leaves_what_it_names_and_words_name_it() {
    let place = Place::new();
    let outcome = place.outcome(&["--keep"]);
    let kept = outcome["kept"].as_object().unwrap();
    for name in ["repository", "state", "store", "rollout", "transcript", "model_log", "server_log"]
    {
        let path = PathBuf::from(kept[name].as_str().unwrap_or_else(|| panic!("no {name}")));
        assert!(path.exists(), "{name}: {}", path.display());
    }
    let transcript = std::fs::read_to_string(kept["transcript"].as_str().unwrap()).unwrap();
    assert!(transcript.lines().count() > 10 && transcript.contains("codex_worker_integrate"));
    let token = std::fs::read_to_string(Path::new(kept["state"].as_str().unwrap()).join("token"));
    assert!(!transcript.contains(token.unwrap().trim()), "the token is not in the transcript");
    let words = place.demo(&[]);
    let said = String::from_utf8(words.stdout).unwrap();
    assert!(said.contains("Ada: ") && said.contains("+  echo \"hello, $name\""), "{said}");
}

/// The demo with a home directory of its own, as `--live` sees it.
fn live(place: &Place, provider: Option<(&str, &str)>) -> (Value, i32) {
    let home = place.dir.path().join("home");
    std::fs::create_dir_all(home.join(".codex")).unwrap();
    if let Some((base_url, access)) = provider {
        let steps = serde_json::json!([{"sh": "echo moon >> names.txt"}, {"say": "Done."}]);
        let b64 =
            base64::Engine::encode(&base64::engine::general_purpose::STANDARD, steps.to_string());
        // The brief is the demo's own, so the script comes with the user's instructions.
        std::fs::write(home.join(".codex/AGENTS.md"), format!("[[steps:b64={b64}]]\n")).unwrap();
        let config = format!(
            "model = \"gpt-5.5\"\nmodel_provider = \"house\"\n[model_providers.house]\n\
             name = \"House\"\nbase_url = \"{base_url}\"\nwire_api = \"responses\"\n\
             supports_websockets = false\n{access}\n"
        );
        std::fs::write(home.join(".codex/config.toml"), config).unwrap();
    }
    let out = place.command(&["--live", "--json"]).env("HOME", &home).output().unwrap();
    let text = String::from_utf8(out.stdout).unwrap();
    let said = String::from_utf8_lossy(&out.stderr);
    (
        serde_json::from_str(&text).unwrap_or_else(|e| panic!("{e}: {text}\n{said}")),
        out.status.code().unwrap(),
    )
}

#[test]
fn a_live_demo_without_a_login_is_refused_with_a_hint() {
    let place = Place::new();
    let (outcome, code) = live(&place, None);
    assert_eq!((code, &outcome["failed_step"]), (1, &Value::from("prepare")), "{outcome:#}");
    let error = outcome["error"].as_str().unwrap();
    assert!(error.contains("no_login") && error.contains("codex login"), "{error}");
    assert!(!place.dir.path().join("state-demo").exists(), "nothing was made");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_live_demo_plays_with_the_provider_of_the_user() {
    let model = ScriptedModel::start(ScriptedOptions::default()).await.unwrap();
    let place = Place::new();
    let url = model.base_url();
    let (outcome, code) =
        tokio::task::block_in_place(|| live(&place, Some((&url, "env_key = \"HOUSE_KEY\""))));
    assert_eq!((code, &outcome["ok"]), (0, &Value::Bool(true)), "{outcome:#}");
    let asked = model.requests();
    assert!(!asked.is_empty(), "the provider of the user was not asked");
    assert!(asked.iter().any(|a| a.body.to_string().contains("names.txt")));
    let left: Vec<_> = std::fs::read_dir(place.dir.path()).unwrap().flatten().collect();
    assert_eq!(left.len(), 1, "only the home is left: {left:?}");
    model.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_live_demo_plays_with_the_login_of_the_user() {
    let model = ScriptedModel::start(ScriptedOptions::default()).await.unwrap();
    model.accept_only("sk-of-the-user");
    let place = Place::new();
    let auth = place.dir.path().join("home/.codex/auth.json");
    std::fs::create_dir_all(auth.parent().unwrap()).unwrap();
    let login = r#"{"OPENAI_API_KEY":"sk-of-the-user"}"#;
    std::fs::write(&auth, login).unwrap();
    let url = model.base_url();
    let play = || live(&place, Some((&url, "requires_openai_auth = true")));
    let (outcome, code) = tokio::task::block_in_place(play);
    assert_eq!((code, &outcome["ok"]), (0, &Value::Bool(true)), "{outcome:#}");
    assert!(model.requests().iter().any(|a| a.body.to_string().contains("names.txt")));
    // A model that takes another login only: the demo says what is to be done.
    model.accept_only("sk-of-somebody-else");
    let (outcome, code) = tokio::task::block_in_place(play);
    assert_eq!((code, &outcome["failed_step"]), (1, &Value::from("watch")), "{outcome:#}");
    assert!(outcome["error"].as_str().unwrap().contains("needs_login"), "{outcome:#}");
    assert_eq!(std::fs::read_to_string(&auth).unwrap(), login, "the login is as it was");
    let left: Vec<_> = std::fs::read_dir(place.dir.path()).unwrap().flatten().collect();
    assert_eq!(left.len(), 1, "only the home is left: {left:?}");
    model.shutdown().await;
}
