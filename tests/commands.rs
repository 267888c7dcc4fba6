//! The command line as a shell sees it: exit codes, what goes to which stream, JSON.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests fail by panicking")]

use assert_cmd::Command;
use serde_json::Value;
use std::path::Path;
use tempfile::TempDir;

/// A state directory of its own, and nothing of the caller's environment.
struct Shell {
    dir: TempDir,
}

struct Done {
    code: i32,
    out: String,
    err: String,
}

impl Done {
    fn json(&self) -> Value {
        assert_eq!(self.out.lines().count(), 1, "one line of JSON: {}", self.out);
        serde_json::from_str(&self.out).unwrap()
    }
}

impl Shell {
    fn new() -> Self {
        std::fs::create_dir_all("target/tmp").unwrap();
        Self { dir: tempfile::tempdir_in("target/tmp").unwrap() }
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.dir.path().canonicalize().unwrap().join(name)
    }

    fn run_with(&self, args: &[&str], env: &[(&str, &Path)]) -> Done {
        let mut command = Command::new(env!("CARGO_BIN_EXE_patchbay"));
        command.args(args).env_clear().env("PATH", "/usr/local/bin:/usr/bin:/bin");
        command.current_dir(self.path("")).env("HOME", self.path("home"));
        command.env("PATCHBAY_HOME", self.path("state")).envs(env.iter().copied());
        let done = command.output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Done { code: done.status.code().unwrap(), out: text(done.stdout), err: text(done.stderr) }
    }

    fn run(&self, args: &[&str]) -> Done {
        self.run_with(args, &[])
    }
}

#[test]
fn misuse_is_2_and_help_is_0() {
    let shell = Shell::new();
    for args in [&[][..], &["nonsense"], &["start", "--port", "70000"], &["worker"]] {
        let done = shell.run(args);
        assert_eq!(done.code, 2, "{args:?}: {}", done.err);
        assert_eq!(done.out, "", "{args:?}");
    }
    let help = shell.run(&["--help"]);
    assert_eq!(help.code, 0);
    for word in ["start", "stdio", "doctor", "install-codex"] {
        assert!(help.out.contains(word), "{word}");
    }
    assert!(!help.out.contains("sidecar"));
    assert!(!shell.path("state").exists(), "help and misuse make nothing");
}

#[test]
fn a_bad_setting_is_2_and_told_on_both_streams() {
    let shell = Shell::new();
    let done = shell.run_with(
        &["start", "--json", "--print-only"],
        &[("PATCHBAY_SERVER__PROT", Path::new("1"))],
    );
    assert_eq!(done.code, 2);
    assert!(done.err.contains("did you mean `server.port`"), "{}", done.err);
    assert_eq!(done.json()["error"]["code"], "bad_configuration");
}

#[test]
fn workers_cannot_be_asked_without_an_engine() {
    let shell = Shell::new();
    for args in [&["list"][..], &["show", "Ada"], &["log", "Ada"], &["stop", "Ada"]] {
        let done = shell.run(&[&["worker"], args, &["--json"]].concat());
        assert_eq!(done.code, 1, "{args:?}");
        assert_eq!(done.json()["error"]["code"], "no_engine", "{args:?}");
        assert!(done.err.contains("patchbay start"), "{}", done.err);
    }
}

#[test]
fn an_open_state_directory_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let shell = Shell::new();
    std::fs::create_dir(shell.path("state")).unwrap();
    std::fs::set_permissions(shell.path("state"), PermissionsExt::from_mode(0o755)).unwrap();
    let done = shell.run(&["status", "--json"]);
    assert_eq!(done.code, 1);
    assert_eq!(done.json()["error"]["code"], "state_directory");
    assert!(done.err.contains("chmod 700"), "{}", done.err);
}

#[test]
fn the_doctor_names_a_fix_for_everything_that_is_not_well() {
    let shell = Shell::new();
    let done = shell.run(&["doctor", "--json", "--port", "0"]);
    let answer = done.json();
    let findings = answer["findings"].as_array().unwrap();
    let ids: Vec<_> = findings.iter().map(|f| f["id"].as_str().unwrap()).collect();
    for id in
        ["configuration", "git", "codex", "sandbox", "login", "port", "state", "disk", "supervisor"]
    {
        assert!(ids.contains(&id), "{id} in {ids:?}");
    }
    for finding in findings {
        assert_eq!(finding["status"] == "pass", finding["fix"].is_null(), "{finding}");
    }
    // A home of its own has no login, so it cannot be ready.
    let login = findings.iter().find(|f| f["id"] == "login").unwrap();
    assert_eq!(login["status"], "fail");
    assert_eq!((done.code, &answer["ok"]), (1, &Value::Bool(false)));
}

#[test]
fn the_doctor_sees_a_port_that_somebody_else_has() {
    let shell = Shell::new();
    let other = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = other.local_addr().unwrap().port().to_string();
    let answer = shell.run(&["doctor", "--json", "--port", &port]).json();
    let findings = answer["findings"].as_array().unwrap();
    let found = findings.iter().find(|f| f["id"] == "port").unwrap();
    assert_eq!(found["status"], "fail", "{found}");
}

#[test]
fn the_doctor_knows_a_login_and_a_keyring() {
    let shell = Shell::new();
    let home = shell.path("home/.codex");
    std::fs::create_dir_all(&home).unwrap();
    let login = || {
        let answer = shell.run(&["doctor", "--json", "--port", "0"]).json();
        let findings = answer["findings"].as_array().unwrap().clone();
        findings.into_iter().find(|f| f["id"] == "login").unwrap()
    };
    std::fs::write(home.join("config.toml"), "cli_auth_credentials_store = \"keyring\"\n").unwrap();
    assert!(login()["detail"].as_str().unwrap().contains("keyring"));
    std::fs::write(home.join("auth.json"), "{}").unwrap();
    assert_eq!(login()["status"], "pass");
}

#[test]
fn the_doctor_lists_what_of_the_users_codex_home_is_taken_and_what_is_left() {
    use std::os::unix::fs::PermissionsExt;
    let shell = Shell::new();
    let home = shell.path("home/.codex");
    std::fs::create_dir_all(&home).unwrap();
    let config = "model = \"gpt-5.5\"\nnotify = [\"touch\", \"CANARY\"]\n[mcp_servers.docs]\n\
                  command = \"docs\"\nenv = { KEY = \"CANARY\" }\n[mcp_servers.mail]\ncommand = \"mail\"\n";
    std::fs::write(home.join("config.toml"), config).unwrap();
    std::fs::create_dir(shell.path("state")).unwrap();
    std::fs::set_permissions(shell.path("state"), PermissionsExt::from_mode(0o700)).unwrap();
    let named = "codex:\n  mcp_servers: [docs]\n";
    std::fs::write(shell.path("state/config.yaml"), named).unwrap();
    let expected = [
        ("model", true),
        ("mcp_servers.docs", true),
        ("mcp_servers.mail", false),
        ("notify", false),
    ];
    let done = shell.run(&["doctor", "--json", "--port", "0"]);
    let answer = done.json();
    let findings = answer["findings"].as_array().unwrap();
    let carried = findings.iter().find(|f| f["id"] == "carried").unwrap();
    assert_eq!(carried["detail"], "2 of 4 things of your codex home count for workers");
    let items: Vec<_> = carried["items"].as_array().unwrap().iter().collect();
    let told: Vec<_> =
        items.iter().map(|i| (i["name"].as_str().unwrap(), i["taken"] == true)).collect();
    assert_eq!(told, expected, "{carried:#}");
    assert!(items.iter().all(|i| !i["why"].as_str().unwrap().is_empty()), "{carried:#}");
    let text = shell.run(&["doctor", "--port", "0"]).out;
    for (name, taken) in expected {
        let mark = if taken { "taken" } else { "left" };
        let line = text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
        let line = line.into_iter().find(|words| words.get(1) == Some(&name));
        let line = line.unwrap_or_else(|| panic!("no line of {name}: {text}"));
        assert!(line[0] == mark && line.len() > 2, "{line:?}");
    }
    assert!(!(done.out + &text).contains("CANARY"), "a value of the user's is shown");
}

#[test]
fn completions_and_manual_page_are_printed() {
    let shell = Shell::new();
    for kind in ["bash", "zsh", "fish"] {
        let done = shell.run(&["completions", kind]);
        assert_eq!(done.code, 0);
        assert!(done.out.contains("install-codex"), "{kind}");
    }
    let page = shell.run(&["man"]).out;
    assert!(page.contains(".TH patchbay") && page.contains("PATCHBAY DOCTOR"), "{page}");
    assert!(!page.contains("SIDECAR"));
}
