//! What of the user's own codex home reaches workers, seen in what the real codex asks the model, and
//! what does not.

use crate::rig::{Rig, codex, report, run, sh};
use patchbay::backend::{Backend, Ending, Sandbox, TurnEvent};
use serde_json::Value;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const SECRET: &str = "CANARY-provider-key";

/// A user who has a codex home of their own; its provider leads to the scripted model.
struct User {
    rig: Rig,
    home: PathBuf,
}

impl User {
    async fn new(more: &str) -> Self {
        let mut rig = Rig::new().await;
        rig.config.scripted_base_url = None;
        let home = rig.home().join(".codex");
        for dir in ["skills/greeting/scripts", "skills/.system/old"] {
            std::fs::create_dir_all(home.join(dir)).unwrap();
        }
        let write = |name: &str, text: &str| std::fs::write(home.join(name), text).unwrap();
        write("auth.json", "{\"OPENAI_API_KEY\": \"CANARY-login\"}");
        write("AGENTS.md", "INSTRUCTIONS-OF-THE-USER\n");
        let skill = "---\nname: greeting\ndescription: SKILL-OF-THE-USER\n---\nBODY-OF-THE-SKILL\n";
        write("skills/greeting/SKILL.md", skill);
        write("skills/greeting/scripts/hello.sh", "echo SCRIPT-OF-THE-SKILL\n");
        write("hooks.json", "{}");
        let url = rig.model.base_url();
        write(
            "config.toml",
            &format!(
                "model = \"gpt-5.5\"\nmodel_reasoning_effort = \"high\"\nmodel_provider = \"house\"\n\
                 sandbox_mode = \"danger-full-access\"\napproval_policy = \"on-request\"\n\
                 notify = [\"touch\", \"{dir}/notified\"]\nprofile = \"work\"\n\
                 [features]\nshell_snapshot = true\n\
                 [profiles.work]\nmodel = \"model-of-a-profile\"\n\
                 [model_providers.house]\nname = \"House\"\nbase_url = \"{url}\"\n\
                 wire_api = \"responses\"\nenv_key = \"HOUSE_KEY\"\nsupports_websockets = false\n\
                 http_headers = {{ \"X-Team\" = \"CANARY-header\" }}\n{more}",
                dir = home.display(),
            ),
        );
        rig.env.push(("HOUSE_KEY".to_owned(), SECRET.to_owned()));
        Self { rig, home }
    }

    fn last_request(&self) -> Value {
        Value::clone(&self.rig.model.requests().last().expect("a request").body)
    }
}

/// An MCP server in a few lines: it says that it was started, and has one tool.
const SERVER: &str = r#"
import json, os, sys
open(sys.argv[1], "a").write(os.environ.get("DOCS_KEY", "none") + "\n")
for line in sys.stdin:
    message = json.loads(line)
    if "id" not in message:
        continue
    if message["method"] == "initialize":
        result = {"protocolVersion": message["params"]["protocolVersion"],
                  "capabilities": {"tools": {}}, "serverInfo": {"name": "docs", "version": "1"}}
    elif message["method"] == "tools/list":
        result = {"tools": [{"name": "look_up", "description": "Looks a word up",
                             "inputSchema": {"type": "object", "properties": {}}}]}
    else:
        result = {}
    print(json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": result}), flush=True)
"#;

fn completed(events: &[TurnEvent]) {
    assert!(matches!(events.last(), Some(TurnEvent::Ended(Ending::Completed))), "{events:?}");
}

#[tokio::test]
async fn model_effort_provider_instructions_and_skills_reach_the_model() {
    let user = User::new("").await;
    let server = user.rig.server();
    let (_, events) = run(&server, &user.rig.thread(Sandbox::Worktree), "[[answer]]").await;
    completed(&events);
    let request = user.last_request();
    assert_eq!(request["model"], "gpt-5.5");
    assert_eq!(request["reasoning"]["effort"], "high");
    let text = request.to_string();
    assert!(text.contains("INSTRUCTIONS-OF-THE-USER"), "{text}");
    assert!(text.contains("SKILL-OF-THE-USER"), "{text}");
    assert!(!text.contains("model-of-a-profile") && !text.contains("on-request"), "{text}");
    let menu = server.models().await.unwrap();
    assert_eq!(menu.default_model.as_deref(), Some("gpt-5.5"));
    assert_eq!(menu.default_effort.as_deref(), Some("high"));
    assert!(!user.home.join("notified").exists(), "a program of the user's was started");
    assert_secret_kept(&user.rig);
    user.rig.end().await;
}

/// No log of ours holds what only codex may know.
fn assert_secret_kept(rig: &Rig) {
    for file in std::fs::read_dir(rig.state.logs()).unwrap().flatten() {
        let text = String::from_utf8_lossy(&std::fs::read(file.path()).unwrap()).into_owned();
        assert!(!text.contains("CANARY"), "{} holds a secret", file.path().display());
    }
}

#[tokio::test]
async fn a_worker_reads_a_skill_and_neither_login_nor_keys() {
    let user = User::new("").await;
    let copies = user.rig.state.root().join("codex-skills/all");
    let (theirs, copied) = (user.home.display(), copies.display());
    let command = format!(
        "cat {copied}/greeting/SKILL.md; sh {copied}/greeting/scripts/hello.sh; \
         ls {copied}/.system/*/SKILL.md >/dev/null && echo SYSTEM_R; \
         (echo x > {copied}/greeting/SKILL.md && echo SKILL_W); \
         (mkdir {copied}/new && echo NEW_W); (mv {copied} {copied}2 && echo MOVE_W); \
         cat {theirs}/auth.json {theirs}/config.toml {theirs}/AGENTS.md; \
         cat {ours}/auth.json {ours}/config.toml {ours}/AGENTS.md; \
         env; cat /proc/*/environ; true",
        ours = user.rig.state.codex_home().display(),
    );
    for sandbox in [Sandbox::Worktree, Sandbox::ReadOnly] {
        let server = user.rig.server();
        let (_, events) = run(&server, &user.rig.thread(sandbox), &sh(&command)).await;
        let said = report(&events);
        for word in ["BODY-OF-THE-SKILL", "SCRIPT-OF-THE-SKILL", "SYSTEM_R"] {
            assert!(said.contains(word), "{word} is missing in:\n{said}");
        }
        for word in ["SKILL_W", "NEW_W", "MOVE_W", "CANARY", "HOUSE_KEY", "INSTRUCTIONS-OF"] {
            assert!(!said.contains(word), "{word} in:\n{said}");
        }
        server.close(false).await;
    }
    user.rig.end().await;
}

/// `codex login` with an API key, as a user does it, on a codex home.
fn log_in(rig: &Rig, home: &Path, key: &str) {
    let mut child = Command::new(codex().canonicalize().unwrap())
        .args(["login", "--with-api-key"])
        .env_clear()
        .envs(rig.env.clone())
        .env("CODEX_HOME", home)
        .current_dir(rig.home())
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(key.as_bytes()).unwrap();
    let done = child.wait_with_output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}

#[tokio::test]
async fn a_login_goes_through_the_link_and_stays_one() {
    let user = User::new("").await;
    let server = user.rig.server();
    server.open_thread(&user.rig.thread(Sandbox::Worktree), None).await.unwrap();
    server.close(false).await;
    let ours = user.rig.state.codex_home();
    let (link, theirs) = (ours.join("auth.json"), user.home.join("auth.json"));
    assert_eq!(std::fs::read_link(&link).unwrap(), theirs);
    // The user's own settings are not the matter here.
    std::fs::write(user.home.join("config.toml"), "").unwrap();
    for (home, key) in [(&ours, "sk-CANARY-ours"), (&user.home, "sk-CANARY-theirs")] {
        log_in(&user.rig, home, key);
        assert_eq!(std::fs::read_link(&link).unwrap(), theirs, "{key}: it is no link any more");
        assert!(std::fs::symlink_metadata(&theirs).unwrap().is_file(), "{key}");
        for file in [&theirs, &link] {
            let login: Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
            assert_eq!(login["OPENAI_API_KEY"], key, "{}", file.display());
        }
    }
    assert_secret_kept(&user.rig);
    user.rig.end().await;
}

fn server_table(name: &str, script: &Path, mark: &Path) -> String {
    format!(
        "[mcp_servers.{name}]\ncommand = \"python3\"\nargs = [\"{}\", \"{}\"]\n\
         env_vars = [\"DOCS_KEY\"]\nstartup_timeout_sec = 20.5\n",
        script.display(),
        mark.display()
    )
}

#[tokio::test]
async fn a_named_mcp_server_is_there_and_no_other_is_started() {
    let mut user = User::new("").await;
    let script = user.home.join("server.py");
    std::fs::write(&script, SERVER).unwrap();
    let (mark, other) = (user.home.join("named"), user.home.join("other"));
    let file = user.home.join("config.toml");
    let mut text = std::fs::read_to_string(&file).unwrap();
    text += &server_table("docs", &script, &mark);
    text += &server_table("mail", &script, &other);
    std::fs::write(&file, text).unwrap();
    user.rig.config.mcp_servers = vec!["docs".to_owned()];
    user.rig.env.push(("DOCS_KEY".to_owned(), "CANARY-docs".to_owned()));
    let server = user.rig.server();
    let (_, events) = run(&server, &user.rig.thread(Sandbox::Worktree), &sh("env; true")).await;
    completed(&events);
    let request = user.last_request().to_string();
    assert!(request.contains("mcp__docs"), "{request}");
    assert!(!request.contains("mcp__mail") && !request.contains("mcp__evil"), "{request}");
    assert_eq!(std::fs::read_to_string(&mark).unwrap().lines().next(), Some("CANARY-docs"));
    assert!(!other.exists(), "a server that nobody named was started");
    assert!(!report(&events).contains("CANARY"), "{}", report(&events));
    server.close(false).await;
    user.rig.end().await;
}

#[tokio::test]
async fn sub_agents_are_off_unless_configured() {
    let mut rig = Rig::new().await;
    for on in [false, true] {
        rig.config.sub_agents = on;
        let server = rig.server();
        let mut spec = rig.thread(Sandbox::Worktree);
        // A model that codex offers sub-agents to.
        spec.model = Some("gpt-5.6-sol".to_owned());
        let (_, events) = run(&server, &spec, "[[answer]]").await;
        completed(&events);
        let request = rig.model.requests().last().unwrap().body.to_string();
        assert_eq!(request.contains("spawn_agent"), on, "{request}");
        server.close(false).await;
    }
    rig.end().await;
}

#[tokio::test]
async fn a_broken_configuration_of_the_user_stops_nothing() {
    let user = User::new("[broken").await;
    let mut rig = user.rig;
    // Nothing of it is used, so the model must come from elsewhere.
    rig.config.scripted_base_url = Some(rig.model.base_url());
    let server = rig.server();
    let (_, events) = run(&server, &rig.thread(Sandbox::Worktree), "[[answer]]").await;
    completed(&events);
    assert!(rig.model.requests().last().unwrap().body.to_string().contains("INSTRUCTIONS-OF"));
    rig.end().await;
}
