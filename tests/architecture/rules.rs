//! The rules. Each takes the house and returns what breaks it, one line a finding.

use super::names::Names;
use super::source::{File, House};
use std::path::Path;
use syn::Item;

const MAX_LINES: usize = 400;
/// Rooms that own a banned call: spawning, the environment, the clock, ids.
const OWNERS: [&str; 5] = ["process", "git", "clock", "paths", "ids"];
/// Where errors need no kind: the doors and the wiring.
const ANYHOW: [&str; 9] = ["app", "tasks", "cli", "demo", "doctor", "eval", "mcp", "stage", "web"];
const EXPECTED: [&str; 17] = [
    "README.md",
    "QUICKSTART.md",
    "SECURITY.md",
    "CONTRIBUTING.md",
    "LICENSE",
    "Makefile",
    "deny.toml",
    "clippy.toml",
    "rustfmt.toml",
    "config.example.yaml",
    ".config/nextest.toml",
    ".ci/run",
    "docs/architecture.md",
    "docs/glossary.md",
    "docs/decisions",
    "migrations",
    "tests",
];

fn rooms(house: &House) -> impl Iterator<Item = &File> {
    house.files.iter().filter(|f| !f.is_root())
}

pub(crate) fn homeless(house: &House) -> Vec<String> {
    let mut found: Vec<String> = rooms(house)
        .filter(|f| !house.floors.contains_key(f.room()))
        .map(|f| f.room().to_owned())
        .collect();
    found.dedup();
    found
}

pub(crate) fn upward(house: &House) -> Vec<String> {
    let mut found = Vec::new();
    for file in rooms(house) {
        let own = file.room();
        let Some(floor) = house.floors.get(own) else { continue };
        let siblings = house.siblings.get(own).map(Vec::as_slice).unwrap_or_default();
        for room in Names::of(file).rooms {
            let Some(other) = house.floors.get(&room) else { continue };
            let named = other == floor && siblings.contains(&room);
            if room != own && other >= floor && !named {
                found.push(format!("{}: {room} (floor {other})", file.path));
            }
        }
    }
    found
}

pub(crate) fn sql(house: &House) -> Vec<String> {
    let outside = rooms(house).filter(|f| f.room() != "store");
    let speaks = |file: &&File| {
        let names = Names::of(file);
        names.heads.contains("sqlx") || names.texts.iter().any(|t| is_sql(t))
    };
    outside.filter(speaks).map(|f| f.path.clone()).collect()
}

fn is_sql(text: &str) -> bool {
    let text = text.trim().to_uppercase();
    let starts = |head: &str, then: &str| text.starts_with(head) && text.contains(then);
    starts("SELECT ", " FROM ")
        || starts("INSERT ", " INTO ") && text.contains("VALUES")
        || starts("UPDATE ", " SET ")
        || starts("DELETE FROM ", " ")
        || starts("CREATE TABLE ", "(")
}

pub(crate) fn oversized(house: &House) -> Vec<String> {
    let long = house.files.iter().map(|f| (f, f.text.lines().count()));
    long.filter(|(_, n)| *n > MAX_LINES).map(|(f, n)| format!("{}: {n}", f.path)).collect()
}

pub(crate) fn mod_files(house: &House) -> Vec<String> {
    let mut found = Vec::new();
    for file in house.files.iter().filter(|f| f.path.ends_with("/mod.rs")) {
        if !file.text.starts_with("//! ") {
            found.push(format!("{}: no paragraph", file.path));
        }
        let is_logic = |item: &&Item| match item {
            Item::Use(_) => false,
            Item::Mod(m) => m.content.is_some(),
            _ => true,
        };
        if file.syntax.items.iter().any(|item| is_logic(&item)) {
            found.push(format!("{}: more than names", file.path));
        }
    }
    found
}

pub(crate) fn lifted_bans(house: &House) -> Vec<String> {
    let squeezed = |f: &File| f.text.split_whitespace().collect::<String>();
    let lifts = |f: &&File| {
        let text = squeezed(f);
        text.match_indices("disallowed_methods").any(|(at, _)| {
            let before = &text[..at];
            before.rfind("allow(").is_some_and(|open| !before[open..].contains(')'))
        })
    };
    let strangers = house.files.iter().filter(|f| !OWNERS.contains(&f.room()));
    strangers.filter(lifts).map(|f| f.path.clone()).collect()
}

pub(crate) fn anyhow_below(house: &House) -> Vec<String> {
    let below = rooms(house).filter(|f| !ANYHOW.contains(&f.room()));
    below.filter(|f| Names::of(f).heads.contains("anyhow")).map(|f| f.path.clone()).collect()
}

pub(crate) fn missing_files() -> Vec<String> {
    let missing = EXPECTED.iter().filter(|path| !Path::new(path).exists());
    missing.map(|path| (*path).to_owned()).collect()
}

/// Tests that a document names and nobody wrote.
pub(crate) fn unwritten_tests(document: &str) -> Vec<String> {
    let text = std::fs::read_to_string(document).unwrap_or_default();
    let mut sources = String::new();
    for top in ["src", "tests"] {
        super::source::read_all(Path::new(top), &mut sources);
    }
    let missing = tests_in(&text).filter(|name| !sources.contains(&format!("fn {name}(")));
    missing.map(str::to_owned).collect()
}

/// Numbered rows of a document's table that name no test, or numbers up to `last` that have no row.
pub(crate) fn unshown_rows(document: &str, last: usize) -> Vec<String> {
    let text = std::fs::read_to_string(document).unwrap_or_default();
    let row = |number: usize| text.lines().find(|l| l.starts_with(&format!("| {number} |")));
    let shown = |number: &usize| row(*number).is_some_and(|line| tests_in(line).next().is_some());
    (1..=last).filter(|number| !shown(number)).map(|n| format!("{document}: row {n}")).collect()
}

/// What stands in backticks and looks like the name of a test.
fn tests_in(text: &str) -> impl Iterator<Item = &str> {
    let is_test = |word: &&str| {
        word.matches('_').count() >= 3 && word.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')
    };
    text.split('`').skip(1).step_by(2).filter(is_test)
}
