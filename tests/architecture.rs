//! The house rules that a compiler does not know, checked on the source itself: floors, rooms, SQL, sizes.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests fail by panicking"
)]

#[path = "architecture/names.rs"]
mod names;
#[path = "architecture/rules.rs"]
mod rules;
#[path = "architecture/source.rs"]
mod source;

use source::House;

const PITFALLS: &str = "docs/mcp-pitfalls.md";

#[test]
fn the_house_stands() {
    let house = House::read();
    assert!(house.files.len() > 30, "only {} files found", house.files.len());
    let rules = [
        ("rooms that src/lib.rs puts on no floor", rules::homeless(&house)),
        ("imports that go up, or to a sibling the room does not name", rules::upward(&house)),
        ("SQL outside of src/store", rules::sql(&house)),
        ("files over 400 lines", rules::oversized(&house)),
        ("a mod.rs with logic, or without a paragraph", rules::mod_files(&house)),
        ("bans lifted by a room that does not own them", rules::lifted_bans(&house)),
        ("anyhow below the doors", rules::anyhow_below(&house)),
        ("files a stranger looks for", rules::missing_files()),
        ("tests that SECURITY.md names", rules::unwritten_tests("SECURITY.md")),
        ("tests that the traps of codex name", rules::unwritten_tests("docs/codex-traps.md")),
        ("tests that the pitfalls name", rules::unwritten_tests(PITFALLS)),
        ("pitfalls without a test", rules::unshown_rows(PITFALLS, 14)),
    ];
    let broken: Vec<String> = rules
        .into_iter()
        .filter(|(_, found)| !found.is_empty())
        .map(|(rule, found)| format!("{rule}:\n  {}", found.join("\n  ")))
        .collect();
    assert!(broken.is_empty(), "\n{}", broken.join("\n"));
}

/// The rules themselves, tried on sources that break them.
#[test]
fn the_rules_see_what_they_forbid() {
    let lib =
        "// Floor 0: ground\npub mod ground;\npub mod beside;\n// Floor 1: up\npub mod upper;\n";
    let broken = |path: &str, text: &str| {
        House::of(&[
            ("lib.rs", lib),
            ("ground/mod.rs", "//! Ground.\n//! siblings: none\nmod a;\n"),
            ("upper/mod.rs", "//! Upper.\nmod b;\n"),
            (path, text),
        ])
    };
    for text in [
        "use crate::upper::X;",
        "use crate::{upper};",
        "use super::super::upper::X;",
        "fn f() { crate::upper::x(); }",
        "fn f() { let _ = vec![crate::upper::x()]; }",
        "use crate::beside::X;",
    ] {
        assert_eq!(rules::upward(&broken("ground/a.rs", text)).len(), 1, "{text}");
    }
    assert!(rules::upward(&broken("upper/b.rs", "use crate::ground::X; use super::Y;")).is_empty());
    for text in [
        "fn f() { sqlx::query!(\"x\"); }",
        "use sqlx::Row;",
        "const Q: &str = \"SELECT a FROM t\";",
        "const Q: &str = \" insert into t values (1)\";",
    ] {
        assert_eq!(rules::sql(&broken("upper/b.rs", text)).len(), 1, "{text}");
        assert!(rules::sql(&broken("store/b.rs", text)).is_empty(), "{text}");
    }
    let long = "\n".repeat(401);
    assert_eq!(rules::oversized(&broken("upper/b.rs", &long)).len(), 1);
    for text in ["mod b;", "//! Upper.\nfn f() {}", "//! Upper.\npub struct S;"] {
        assert_eq!(rules::mod_files(&broken("upper/c/mod.rs", text)).len(), 1, "{text}");
    }
    let allow = "#[allow(clippy::disallowed_methods)]\nfn f() {}";
    assert_eq!(rules::lifted_bans(&broken("upper/b.rs", allow)).len(), 1);
    assert!(rules::lifted_bans(&broken("git/b.rs", allow)).is_empty());
    assert_eq!(rules::anyhow_below(&broken("upper/b.rs", "use anyhow::Result;")).len(), 1);
    assert!(rules::homeless(&broken("cellar/b.rs", "")) == ["cellar"]);
}
