use super::Survey;
use super::report::CarriedItem;
use crate::config::CodexConfig;
use crate::paths::Env;
use serde_json::{Value, json};
use std::path::Path;

struct Home(tempfile::TempDir);

impl Home {
    fn new(config: &str) -> Self {
        std::fs::create_dir_all("target/tmp").unwrap();
        let home = Self(tempfile::tempdir_in("target/tmp").unwrap());
        std::fs::write(home.path().join("config.toml"), config).unwrap();
        home
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn survey(&self, config: &CodexConfig, set: &Value) -> Survey {
        Survey::of(self.path(), &Env::default(), config, set)
    }
}

fn find<'a>(survey: &'a Survey, name: &str) -> &'a CarriedItem {
    let items = &survey.carried.items;
    items.iter().find(|i| i.name == name).unwrap_or_else(|| panic!("no {name} in {items:?}"))
}

const THEIRS: &str = r#"
model = "big-model"
model_reasoning_effort = "high"
model_provider = "house"
sandbox_mode = "danger-full-access"
notify = ["touch", "ran"]
profile = "work"
[profiles.work]
model = "other"
[model_providers.house]
name = "House"
base_url = "https://models.example/v1"
env_key = "HOUSE_KEY"
http_headers = { "X-Team" = "t" }
[model_providers.idle]
name = "Idle"
base_url = "https://idle.example/v1"
[mcp_servers.docs]
command = "docs-server"
startup_timeout_sec = 2.5
[mcp_servers.other]
command = "other-server"
"#;

#[test]
fn what_was_asked_for_is_taken_and_all_else_is_told() {
    let home = Home::new(THEIRS);
    let config = CodexConfig { mcp_servers: vec!["docs".to_owned()], ..CodexConfig::default() };
    let survey = home.survey(&config, &json!({}));
    let expected = json!({
        "model": "big-model",
        "model_reasoning_effort": "high",
        "model_provider": "house",
        "model_providers": { "house": {
            "name": "House",
            "base_url": "https://models.example/v1",
            "env_key": "HOUSE_KEY",
            "http_headers": { "X-Team": "t" },
        } },
        "mcp_servers": { "docs": { "command": "docs-server", "startup_timeout_sec": 2.5 } },
    });
    assert_eq!(Value::Object(survey.settings.clone()), expected);
    for name in ["model", "model_provider", "model_providers.house", "mcp_servers.docs"] {
        assert!(find(&survey, name).taken, "{name}");
    }
    let left = ["sandbox_mode", "notify", "profile", "profiles", "mcp_servers.other"];
    for name in left.into_iter().chain(["model_providers.idle"]) {
        assert!(!find(&survey, name).taken, "{name}");
    }
    assert_eq!(survey.carried.problems, [] as [&str; 0]);
}

#[test]
fn our_own_settings_win() {
    let home = Home::new(THEIRS);
    let set = json!({"model": "ours", "model_provider": "mine", "model_providers": {"mine": {}}});
    let survey = home.survey(&CodexConfig::default(), &set);
    assert_eq!(Value::Object(survey.settings.clone()), json!({"model_reasoning_effort": "high"}));
    assert!(find(&survey, "model").why.contains("patchbay's own"));
    let scripted =
        CodexConfig { scripted_base_url: Some("http://s".to_owned()), ..CodexConfig::default() };
    let set =
        json!({"model": "m", "model_provider": "scripted", "model_providers": {"scripted": {}}});
    assert!(home.survey(&scripted, &set).settings.is_empty());
}

#[test]
fn a_file_that_cannot_be_used_is_a_problem_and_shows_nothing() {
    let broken = Home::new("model = \"a\"\nsecret = \"sk-CANARY");
    let survey = broken.survey(&CodexConfig::default(), &json!({}));
    assert!(survey.settings.is_empty());
    assert!(survey.carried.problems[0].contains("line 2"), "{:?}", survey.carried.problems);
    assert!(!format!("{:?}", survey.carried).contains("CANARY"));
    let huge = Home::new(&"# padding\n".repeat(120_000));
    let survey = huge.survey(&CodexConfig::default(), &json!({}));
    assert!(survey.carried.problems[0].contains("1 MiB"));
    let pipe = Home::new("");
    let file = pipe.path().join("config.toml");
    std::fs::remove_file(&file).unwrap();
    std::fs::create_dir(&file).unwrap();
    let survey = pipe.survey(&CodexConfig::default(), &json!({}));
    assert!(survey.carried.problems[0].contains("no plain file"));
}

#[test]
fn a_provider_that_starts_something_or_lies_takes_its_model_with_it() {
    for (members, word) in [
        ("auth = { command = \"get-token\" }", "`auth`"),
        ("wire_api = \"chat\"", "responses"),
        ("base_url = \"file:///etc/passwd\"", "base_url"),
        ("env_key = \"PATCHBAY_TOKEN\"", "env_key"),
        ("since = 1979-05-27", "`since`"),
    ] {
        let home = Home::new(&format!(
            "model = \"m\"\nmodel_provider = \"p\"\n[model_providers.p]\n{members}\n"
        ));
        let survey = home.survey(&CodexConfig::default(), &json!({}));
        assert!(survey.settings.is_empty(), "{members}");
        assert!(survey.carried.problems[0].contains(word), "{:?}", survey.carried.problems);
        assert!(!find(&survey, "model").taken);
    }
}

#[test]
fn only_whole_skills_count_and_a_missing_server_is_told() {
    let home = Home::new("");
    let skills = home.path().join("skills");
    for dir in ["good", "empty", ".system"] {
        std::fs::create_dir_all(skills.join(dir)).unwrap();
    }
    std::fs::write(skills.join("good/SKILL.md"), "x").unwrap();
    std::fs::write(home.path().join("AGENTS.md"), "x").unwrap();
    let config = CodexConfig { mcp_servers: vec!["gone".to_owned()], ..CodexConfig::default() };
    let survey = home.survey(&config, &json!({}));
    assert!(find(&survey, "skills/good").taken && find(&survey, "AGENTS.md").taken);
    assert!(!find(&survey, "skills/empty").taken);
    assert!(survey.carried.problems[0].contains("mcp_servers.gone"));
    assert!(survey.carried.items.iter().all(|item| !item.name.contains(".system")));
}
