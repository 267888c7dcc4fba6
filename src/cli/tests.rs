//! Where settings come from, as the command line sees it.

use super::args::{Cli, ListenArgs, ServeArgs};
use super::error::CliError;
use super::global::Global;
use super::settings::Settings;
use crate::clock::Clock;
use crate::paths::{Env, StateDir};
use clap::CommandFactory;
use std::path::{Path, PathBuf};

/// A home, a state directory, and a repository that is the working directory.
struct Desk {
    _dir: tempfile::TempDir,
    state: StateDir,
    repo: PathBuf,
    env: Vec<(&'static str, PathBuf)>,
}

impl Desk {
    fn new() -> Self {
        std::fs::create_dir_all("target/tmp").unwrap();
        let dir = tempfile::tempdir_in("target/tmp").unwrap();
        let top = dir.path().canonicalize().unwrap();
        let repo = top.join("repo");
        std::fs::create_dir_all(repo.join("inner")).unwrap();
        let state = StateDir::open(&top.join("state")).unwrap();
        let env = vec![("HOME", top.join("home")), ("PATCHBAY_HOME", top.join("state"))];
        Self { _dir: dir, state, repo, env }
    }

    fn global(&self, config: Option<&str>) -> Global {
        Global {
            config: config.map(PathBuf::from),
            json: false,
            env: Env::of(self.env.iter().map(|(k, v)| (*k, v))),
            cwd: self.repo.clone(),
            program: PathBuf::from("/nowhere/patchbay"),
            clock: Clock::system(),
        }
    }

    fn load(&self, config: Option<&str>, serve: &ServeArgs) -> Result<Settings, CliError> {
        Settings::load(&self.global(config), &self.state, serve, None)
    }

    fn port(&self, config: Option<&str>) -> u16 {
        self.load(config, &ServeArgs::default()).unwrap().config.server.port
    }
}

fn write_port(path: &Path, port: u16) {
    std::fs::write(path, format!("server: {{port: {port}}}")).unwrap();
}

#[test]
fn the_configuration_is_the_one_that_is_named_and_never_the_repositorys() {
    let mut desk = Desk::new();
    write_port(&desk.repo.join("config.yaml"), 1);
    assert_eq!(desk.port(None), 8000, "a repository's own file must not count");
    write_port(&desk.state.config(), 2);
    assert_eq!(desk.port(None), 2);
    let named = desk.repo.join("named.yaml");
    write_port(&named, 3);
    desk.env.push(("PATCHBAY_CONFIG", named));
    assert_eq!(desk.port(None), 3);
    assert_eq!(desk.port(Some("config.yaml")), 1, "--config may name any file");
    let missing = desk.load(Some("missing.yaml"), &ServeArgs::default()).unwrap_err();
    assert_eq!((missing.code.as_ref(), missing.exit), ("bad_configuration", 2));
}

#[test]
fn root_stands_for_the_section_and_allow_root_adds() {
    let desk = Desk::new();
    let top = desk.repo.parent().unwrap();
    let names = |serve: &ServeArgs| -> Vec<String> {
        let roots = desk.load(None, serve).unwrap().roots;
        roots.all().iter().map(|r| r.strip_prefix(top).unwrap().display().to_string()).collect()
    };
    assert_eq!(names(&ServeArgs::default()), ["repo"]);
    let yaml = format!("repositories: {{allowed: [{}]}}", top.join("state").display());
    std::fs::write(desk.state.config(), yaml).unwrap();
    assert_eq!(names(&ServeArgs::default()), ["state"]);
    let more = ServeArgs { allow_root: vec!["inner".into()], ..ServeArgs::default() };
    assert_eq!(names(&more), ["state", "repo/inner"]);
    let root = ServeArgs { root: Some(".".into()), ..more };
    assert_eq!(names(&root), ["repo", "repo/inner"]);
}

#[test]
fn a_root_that_is_missing_or_too_wide_is_refused() {
    let desk = Desk::new();
    let up: PathBuf = std::iter::repeat_n("..", 40).collect();
    for (root, code) in
        [("/".into(), "root_too_wide"), (up, "root_too_wide"), ("no".into(), "bad_root")]
    {
        let serve = ServeArgs { root: Some(root), ..ServeArgs::default() };
        let error = desk.load(None, &serve).unwrap_err();
        assert_eq!((error.code.as_ref(), error.exit), (code, 2));
    }
}

#[test]
fn codex_is_named_by_flag_or_variable_relative_to_the_working_directory() {
    let mut desk = Desk::new();
    desk.env.push(("PATCHBAY_CODEX", "by/variable".into()));
    let bin = |serve: &ServeArgs| desk.load(None, serve).unwrap().config.codex.bin.clone().unwrap();
    assert_eq!(bin(&ServeArgs::default()), desk.repo.join("by/variable"));
    let flag = ServeArgs { codex: Some("by/flag".into()), ..ServeArgs::default() };
    assert_eq!(bin(&flag), desk.repo.join("by/flag"));
}

#[test]
fn a_flag_beats_the_file() {
    let desk = Desk::new();
    write_port(&desk.state.config(), 2);
    let listen = ListenArgs { host: Some("::1".into()), port: Some(4) };
    let global = desk.global(None);
    let loaded = Settings::load(&global, &desk.state, &ServeArgs::default(), Some(&listen));
    let server = loaded.unwrap().config.server.clone();
    assert_eq!((server.host.as_str(), server.port), ("::1", 4));
}

#[test]
fn the_arguments_hold_together() {
    Cli::command().debug_assert();
    let hidden: Vec<_> = Cli::command()
        .get_subcommands()
        .filter(|c| c.is_hide_set())
        .map(|c| c.get_name().to_owned())
        .collect();
    assert_eq!(hidden, ["sidecar", "leash", "model"]);
}
