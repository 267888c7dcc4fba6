//! Kinds of work.

use super::*;

const LINES: &[u8] = b"one\ntwo\nthree\nfour\nfive\nsix\nseven\neight\n";

#[tokio::test]
async fn edits_and_moves() {
    rows(&[
        Row {
            name: "commits by the worker, and an edit on top",
            work: |top| write(top, "a", b"1\n2\n3\n4\n"),
            worker_git: &[&["commit", "-qam", "mine"], &["mv", "a", "b"]],
            ..ROW
        },
        Row {
            name: "a commit by the worker that it took back",
            work: |top| write(top, "new", b"n\n"),
            worker_git: &[
                &["add", "-A"],
                &["commit", "-qm", "mine"],
                &["reset", "-q", "--soft", "HEAD~1"],
            ],
            ..ROW
        },
        Row {
            name: "a rename with an edit, which the base edits too",
            files: |top| write(top, "from", LINES),
            work: |top| {
                rename(top, "from", "moved/to");
                write(top, "moved/to", &[LINES, b"nine\n"].concat());
            },
            meanwhile: |top| write(top, "from", &[b"zero\n", LINES].concat()),
            ..ROW
        },
        Row {
            name: "a rename by the base of a file that the worker edits",
            files: |top| write(top, "from", LINES),
            work: |top| write(top, "from", &[LINES, b"nine\n"].concat()),
            meanwhile: |top| rename(top, "from", "to"),
            base_git: &[&["add", "-A"], &["commit", "-qm", "moved"]],
            ..ROW
        },
        Row {
            name: "two files that swap their names",
            files: |top| {
                write(top, "a", LINES);
                write(top, "b", b"other\n");
            },
            work: |top| {
                rename(top, "a", "c");
                rename(top, "b", "a");
                rename(top, "c", "b");
            },
            ..ROW
        },
        Row {
            name: "a renamed directory stays where the base adds to the old one",
            files: |top| write(top, "old/f", LINES),
            work: |top| rename(top, "old", "new"),
            meanwhile: |top| write(top, "old/added", b"by the base\n"),
            ..ROW
        },
    ])
    .await;
}

#[tokio::test]
async fn copies_and_deletions() {
    rows(&[
        Row {
            name: "copies",
            files: |top| write(top, "a", LINES),
            work: |top| {
                write(top, "copy", LINES);
                write(top, "d/copy with an edit", &[LINES, b"nine\n"].concat());
            },
            ..ROW
        },
        Row {
            name: "deletions, of the last file of a directory too",
            files: |top| {
                write(top, "a", b"a\n");
                write(top, "d/e/f", b"f\n");
                write(top, "keep", b"k\n");
            },
            work: |top| {
                remove(&top.join("a"));
                remove(&top.join("d"));
            },
            ..ROW
        },
        Row {
            name: "a file that both delete, beside an edit",
            files: |top| {
                write(top, "a", b"a\n");
                write(top, "b", b"b\n");
            },
            work: |top| {
                remove(&top.join("a"));
                write(top, "b", b"c\n");
            },
            meanwhile: |top| remove(&top.join("a")),
            ..ROW
        },
        Row {
            name: "no final newline, form feeds, Latin-1, lone carriage returns",
            files: |top| {
                write(top, "none", b"a\nb");
                write(top, "one", b"a\nb\n");
                write(top, "ff", b"a\n\x0c\nb\n");
                write(top, "latin", b"caf\xe9\n");
            },
            work: |top| {
                write(top, "none", b"a\nb\nc");
                write(top, "one", b"a\nb");
                write(top, "ff", b"a\n\x0c\x0c\nb\x0c");
                write(top, "latin", b"caf\xe9\n\xfcber\n");
                write(top, "cr", b"a\rb\r");
                write(top, "only newlines", b"\n\n\n");
            },
            ..ROW
        },
    ])
    .await;
}

#[tokio::test]
async fn kinds_of_things() {
    rows(&[
        Row {
            name: "type changes",
            files: |top| {
                for name in ["file to link", "file to directory", "link to file", "link to dir"] {
                    write(top, name, b"x\n");
                }
                link("a", &top.join("link to file"));
                link("nowhere", &top.join("link to dir"));
                write(top, "directory to file/x", b"x\n");
                write(top, "directory to link/x", b"x\n");
            },
            work: |top| {
                link("a", &top.join("file to link"));
                remove(&top.join("file to directory"));
                write(top, "file to directory/deep/x", b"x\n");
                remove(&top.join("link to file"));
                write(top, "link to file", b"file\n");
                remove(&top.join("link to dir"));
                write(top, "link to dir/x", b"x\n");
                remove(&top.join("directory to file"));
                write(top, "directory to file", b"file\n");
                remove(&top.join("directory to link"));
                link("/etc", &top.join("directory to link"));
            },
            ..ROW
        },
        Row {
            name: "binary edits and new binaries",
            files: |top| write(top, "bin", b"\0\x01\x02\xff\n\0"),
            work: |top| {
                write(top, "bin", b"\0\x01\x03\xff\r\n\0");
                write(top, "new.png", b"\x89PNG\r\n\x1a\n\0\0\0");
            },
            ..ROW
        },
        Row {
            name: "empty files, and files that become empty or no longer are",
            files: |top| {
                write(top, "full", b"x\n");
                write(top, "empty", b"");
            },
            work: |top| {
                write(top, "full", b"");
                write(top, "empty", b"x");
                write(top, "new", b"");
            },
            ..ROW
        },
    ])
    .await;
}

#[tokio::test]
async fn modes_and_links() {
    rows(&[
        Row {
            name: "modes, alone and with an edit",
            files: |top| {
                for name in ["on", "off", "on and edit"] {
                    write(top, name, b"#!/bin/sh\n");
                }
                make_executable(&top.join("off"), true);
            },
            work: |top| {
                make_executable(&top.join("on"), true);
                make_executable(&top.join("off"), false);
                write(top, "on and edit", b"#!/bin/sh\ntrue\n");
                make_executable(&top.join("on and edit"), true);
                write(top, "new", b"#!/bin/sh\n");
                make_executable(&top.join("new"), true);
            },
            ..ROW
        },
        Row {
            name: "modes in a repository that does not look at them",
            before: &[&["config", "core.fileMode", "false"]],
            work: |top| write(top, "a", b"edited\n"),
            meanwhile: |top| make_executable(&top.join("a"), false),
            ..ROW
        },
        Row {
            name: "links are copied, never followed",
            files: |top| {
                link("a", &top.join("stays"));
                link("a", &top.join("moves"));
            },
            work: |top| {
                for (target, name) in [
                    ("/etc/passwd", "absolute"),
                    ("/", "root"),
                    ("../../..", "outside"),
                    ("nowhere", "broken"),
                    ("loop", "loop"),
                    (".git/config", "git"),
                    ("new\nline \u{e9}", "odd"),
                    ("b", "moves"),
                ] {
                    link(target, &top.join(name));
                }
            },
            ..ROW
        },
        Row {
            name: "a link that leads outside gives way to a directory",
            files: |top| link("/etc", &top.join("d")),
            work: |top| {
                remove(&top.join("d"));
                write(top, "d/passwd", b"mine\n");
            },
            ..ROW
        },
    ])
    .await;
    assert!(std::fs::read("/etc/passwd").unwrap() != b"mine\n");
}

#[tokio::test]
async fn names() {
    rows(&[
        Row {
            name: "spaces, quotes, newlines, dashes, globs, pathspecs, not UTF-8",
            files: |top| write(top, " lead and trail ", b"x\n"),
            work: |top| {
                write(top, " lead and trail ", b"y\n");
                for name in [
                    "quo\"te",
                    "apo'strophe",
                    "new\nline",
                    "tab\t",
                    "-rf",
                    "--help",
                    "back\\slash",
                    "*",
                    "[a]",
                    "?",
                    "!x",
                    ":(exclude)a",
                    ":(top)a",
                    "#c",
                    "%00",
                    "$HOME",
                    "`id`",
                    "a;b",
                    "\u{1b}[31m",
                    "dir with space/-x",
                    "HEAD",
                    "refs/heads/main",
                    "trailing.",
                    "con",
                    "caf\u{e9}",
                    "cafe\u{301}",
                    "\u{202e}",
                    "@",
                    "~",
                    "x/.github/y",
                ] {
                    write(top, name, name.as_bytes());
                }
                write(top, odd_name(), b"latin\n");
                write(top, OsStr::from_bytes(b"\xff\xfe/\x80"), b"bytes\n");
                write(top, "n".repeat(240), b"long\n");
                write(top, format!("{}deep", "d/".repeat(100)), b"deep\n");
            },
            ..ROW
        },
        Row {
            name: "case-only renames",
            files: |top| {
                write(top, "readme", b"r\n");
                write(top, "Dir/x", b"x\n");
            },
            work: |top| {
                rename(top, "readme", "README");
                rename(top, "Dir", "dir");
            },
            ..ROW
        },
        Row {
            name: "names that differ in case only",
            files: |top| write(top, "readme", b"r\n"),
            work: |top| write(top, "README", b"R\n"),
            ..ROW
        },
    ])
    .await;
}

#[tokio::test]
async fn sizes() {
    rows(&[
        Row {
            name: "a file of 100 MB, which stays one when it is edited",
            files: |top| {
                let file = std::fs::File::create(top.join("big")).unwrap();
                file.set_len(100 << 20).unwrap();
            },
            work: |top| {
                use std::os::unix::fs::FileExt;
                let file = std::fs::File::options().write(true).open(top.join("big")).unwrap();
                file.write_all_at(b"in the middle", 50 << 20).unwrap();
            },
            ..ROW
        },
        Row {
            name: "10,000 files in one turn",
            work: |top| {
                for n in 0..10_000 {
                    write(top, format!("d{}/f{n}", n % 100), b"new\n");
                }
            },
            ..ROW
        },
    ])
    .await;
}
