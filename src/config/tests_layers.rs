//! The configuration as an operator meets it: layers, bounds, words.

use super::{Config, ConfigError, Layers, Problem, ToolMode};
use crate::paths::Env;
use serde_json::Value;

fn build(yaml: &str, env: &[(&str, &str)]) -> Result<Config, Vec<Problem>> {
    let mut layers = Layers::new(Some("/home/somebody".into()));
    layers.text("test.yaml", yaml).map_err(|e| panic!("{e}")).unwrap();
    layers.env(&Env::of(env.iter().copied()));
    match layers.build() {
        Ok(config) => Ok(config),
        Err(ConfigError::Refused(problems)) => Err(problems),
        Err(other) => panic!("{other}"),
    }
}

fn only_problem(yaml: &str, env: &[(&str, &str)]) -> Problem {
    let mut problems = build(yaml, env).expect_err(yaml);
    assert_eq!(problems.len(), 1, "{problems:?}");
    problems.remove(0)
}

#[test]
fn a_later_layer_wins() {
    let mut layers = Layers::new(None);
    layers.text("f", "server:\n  port: 1\n  host: localhost\napp: {tool_mode: full}\n").unwrap();
    layers.env(&Env::of([("PATCHBAY_SERVER__PORT", "2"), ("PATCHBAY_SERVER__HOST", "127.0.0.2")]));
    layers.flag("--port", "server.port", 3);
    let config = layers.build().unwrap();
    assert_eq!((config.server.port, config.server.host.as_str()), (3, "127.0.0.2"));
    assert_eq!(config.app.tool_mode, ToolMode::Full);
}

#[test]
fn variables_take_the_type_of_their_setting() {
    let config = build(
        "",
        &[
            ("PATCHBAY_AUTH__ALLOW_QUERY_TOKEN", "false"),
            ("PATCHBAY_SERVER__ALLOWED_HOSTS", "one.example"),
            ("PATCHBAY_SERVER__ALLOWED_ORIGINS", "[https://a.example, https://b.example]"),
            ("PATCHBAY_CODEX__MODEL", "5"),
            ("PATCHBAY_HOME", "/not/a/setting"),
        ],
    )
    .unwrap();
    assert!(!config.auth.allow_query_token);
    assert_eq!(config.server.allowed_hosts, ["one.example"]);
    assert_eq!(config.server.allowed_origins.len(), 2);
    assert_eq!(config.codex.model.as_deref(), Some("5"));
}

#[test]
fn a_mistake_names_key_origin_and_way_out() {
    for (yaml, env, key, words) in [
        ("server: {prot: 1}", None, "server.prot", "did you mean `server.port`"),
        ("auth: {tool_mode: full}", None, "auth.tool_mode", "did you mean `app.tool_mode`"),
        ("server: {port: 70000}", None, "server.port", "u16"),
        ("server: {max_concurrent_turns: 0}", None, "server.max_concurrent_turns", "1 to 64"),
        ("server: {longest_wait_seconds: 46}", None, "server.longest_wait_seconds", "1 to 45"),
        ("server: {port: yes please}", None, "server.port", "invalid type"),
        ("server: 5", None, "server", "unknown setting"),
        ("{auth: {enabled: false}, tunnel: {mode: cloudflare}}", None, "tunnel.mode", "anybody"),
        ("codex: {mcp_servers: [a b]}", None, "codex.mcp_servers", "no name"),
        ("tunnel: {mode: on}", None, "tunnel.mode", "off or cloudflare"),
        ("app: {tool_mode: god}", None, "app.tool_mode", "worker"),
        ("repositories: {allowed: [/]}", None, "repositories.allowed", "whole disk"),
        ("repositories: {default: here}", None, "repositories.default", "absolute"),
        ("security: {blocked_globs: ['[']}", None, "security.blocked_globs", "unclosed"),
        ("server: {allowed_origins: ['*']}", None, "server.allowed_origins", "origin"),
        ("auth: {enabled: false}\nserver: {host: 0.0.0.0}", None, "auth.enabled", "other machines"),
        ("", Some(("PATCHBAY_SERVER__PROT", "1")), "server.prot", "did you mean"),
        ("", Some(("PATCHBAY_SERVER__PORT", "many")), "server.port", "invalid type"),
    ] {
        let env: Vec<_> = env.into_iter().collect();
        let problem = only_problem(yaml, &env);
        assert_eq!(problem.key, key, "{yaml}");
        assert!(problem.message.contains(words), "{yaml}: {}", problem.message);
        let origin = env.first().map_or("test.yaml", |(name, _)| name);
        assert_eq!(problem.origin, origin, "{yaml}");
    }
}

#[test]
fn a_tunnel_is_off_however_off_is_written() {
    for yaml in ["tunnel: {mode: off}", "tunnel: {mode: \"off\"}", "tunnel: {mode: false}"] {
        assert_eq!(build(yaml, &[]).unwrap().tunnel.mode, crate::config::TunnelMode::Off);
    }
    let on = build("", &[("PATCHBAY_TUNNEL__MODE", "cloudflare")]).unwrap();
    assert_eq!(on.tunnel.mode, crate::config::TunnelMode::Cloudflare);
}

#[test]
fn checks_are_named_by_the_operator() {
    let text = "checks:\n  commands:\n    unit-tests: make test\n  require_checks: [unit-tests]\n";
    let checks = build(text, &[]).unwrap().checks;
    assert_eq!(checks.commands["unit-tests"], "make test");
    let variable = [("PATCHBAY_CHECKS__COMMANDS", "{lint: make lint}")];
    let lint = build("", &variable).unwrap().checks;
    assert_eq!(lint.commands["lint"], "make lint");
    let bad = "checks:\n  require_checks: [nosuch]\n";
    assert_eq!(only_problem(bad, &[]).key, "checks.require_checks");
    for bad in ["'a b': 'true'", "ok: ' '", "'': 'true'"] {
        let text = format!("checks:\n  commands: {{{bad}}}\n");
        assert_eq!(only_problem(&text, &[]).key, "checks.commands", "{bad}");
    }
}

#[test]
fn all_mistakes_are_told_at_once() {
    let problems = build("server: {port: -1, colour: red}\nhub: {a: 1}", &[]).unwrap_err();
    let mut keys: Vec<_> = problems.iter().map(|p| p.key.as_str()).collect();
    keys.sort_unstable();
    assert_eq!(keys, ["hub.a", "server.colour", "server.port"]);
}

#[test]
fn empty_files_and_blank_sections_are_defaults_and_lists_are_not() {
    for yaml in ["", "# nothing\n", "server:\n", "server:\n  port:\n"] {
        assert_eq!(build(yaml, &[]).unwrap().server.port, 8000, "{yaml:?}");
    }
    for yaml in ["[]", "5", "server: {port: 1}\nserver: {port: 2}\n", "a: [", "\t- x"] {
        let mut layers = Layers::new(None);
        let error = layers.text("test.yaml", yaml).unwrap_err();
        assert!(matches!(error, ConfigError::Malformed { .. }), "{yaml:?}: {error}");
    }
}

#[test]
fn home_is_expanded_in_paths() {
    let config = build("repositories: {default: ~/src/one, allowed: [~/src]}", &[]).unwrap();
    assert_eq!(
        config.repositories.default.unwrap(),
        std::path::Path::new("/home/somebody/src/one")
    );
    assert_eq!(config.repositories.allowed, [std::path::Path::new("/home/somebody/src")]);
}

#[test]
fn the_example_file_holds_every_setting_with_its_default() {
    let text = std::fs::read_to_string("config.example.yaml").unwrap();
    let example: Value = serde_saphyr::from_str(&text).unwrap();
    assert_eq!(example, serde_json::to_value(Config::default()).unwrap());
    build(&text, &[]).unwrap();
}

#[test]
fn variables_of_the_python_program_are_noted() {
    let mut layers = Layers::new(None);
    layers.env(&Env::of([("PATCHBAY_HTTP_TOKEN", "x"), ("PATCHBAY_CODEX", "/x")]));
    assert_eq!(layers.notes().len(), 1);
    assert!(layers.notes()[0].contains("file `token`"));
}
