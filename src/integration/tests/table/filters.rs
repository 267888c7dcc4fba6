//! Filters of git: line ends, encodings, idents, LFS.

use super::*;

const ENDS: &str = "*.text text\n*.off -text\n*.auto text=auto\n*.lf text eol=lf\n\
                    *.crlf text eol=crlf\n*.autocrlf text=auto eol=crlf\n*.bin binary\n";
const KINDS: &[&str] = &["none", "text", "off", "auto", "lf", "crlf", "autocrlf", "bin"];
const CONTENTS: &[(&str, &[u8])] = &[
    ("lf", b"a\nb\n"),
    ("crlf", b"a\r\nb\r\n"),
    ("mixed", b"a\r\nb\nc"),
    ("cr", b"a\rb\r"),
    ("nul", b"a\0\r\nb\n"),
    ("crcrlf", b"a\r\r\nb\r\n"),
];

fn each(top: &Path, write_one: impl Fn(&Path, &str, &[u8])) {
    for kind in KINDS {
        for (name, bytes) in CONTENTS {
            write_one(top, &format!("{name}.{kind}"), bytes);
        }
    }
}

fn committed(top: &Path) {
    write(top, ".gitattributes", ENDS.as_bytes());
    each(top, |top, name, _| write(top, name, b"first\nsecond\n"));
    each(top, |top, name, bytes| write(top, format!("kept/{name}"), bytes));
}

fn rewritten(top: &Path) {
    each(top, |top, name, bytes| write(top, name, bytes));
    each(top, |top, name, bytes| write(top, format!("new/{name}"), bytes));
}

const LINE_ENDS: Row = Row { files: committed, work: rewritten, ..ROW };

#[tokio::test]
async fn line_ends_without_settings() {
    rows(&[
        Row { name: "no autocrlf", ..LINE_ENDS },
        Row { name: "eol crlf", before: &[&["config", "core.eol", "crlf"]], ..LINE_ENDS },
        Row {
            name: "the attributes come with the files",
            files: |top| each(top, |top, name, _| write(top, name, b"first\nsecond\n")),
            work: |top| {
                write(top, ".gitattributes", ENDS.as_bytes());
                rewritten(top);
            },
            ..ROW
        },
        Row {
            name: "attributes of the base that would convert what the worker wrote",
            work: |top| {
                for name in ["crlf.txt", "crlf.off"] {
                    write(top, name, b"a\r\nb\r\n");
                }
                write(top, "mixed.txt", b"a\r\nb\n");
                write(top, "lf.txt", b"a\nb\n");
            },
            meanwhile: |top| write(top, ".gitattributes", b"* text eol=crlf\n*.off -text\n"),
            // CRLF that the worker means to keep cannot be kept under such attributes.
            end: End::Refused(&["filters crlf.txt", "filters mixed.txt"]),
            ..ROW
        },
        Row {
            name: "attributes of the base that leave the tree as it is",
            files: |top| write(top, "a.txt", b"a\n"),
            work: |top| {
                write(top, "a.txt", b"a\nb\n");
                write(top, "new.txt", b"n\n");
            },
            meanwhile: |top| write(top, ".gitattributes", b"* text eol=crlf\n"),
            base_git: &[&["add", "-A"], &["commit", "-qm", "attributes"]],
            ..ROW
        },
    ])
    .await;
}

#[tokio::test]
async fn line_ends_with_autocrlf() {
    rows(&[
        Row { name: "autocrlf true", before: &[&["config", "core.autocrlf", "true"]], ..LINE_ENDS },
        Row {
            name: "autocrlf and safecrlf true",
            before: &[&["config", "core.autocrlf", "true"], &["config", "core.safecrlf", "true"]],
            ..LINE_ENDS
        },
        Row {
            name: "autocrlf input",
            before: &[&["config", "core.autocrlf", "input"]],
            ..LINE_ENDS
        },
        Row {
            name: "autocrlf false",
            before: &[&["config", "core.autocrlf", "false"]],
            ..LINE_ENDS
        },
        Row {
            // Git keeps CRLF where the index has it: the worker's has, the base's has not.
            name: "CRLF that only the worker's index holds",
            before: &[&["config", "core.autocrlf", "true"]],
            work: |top| {
                write(top, "a", b"1\r\n2\r\n");
                write(top, "new", b"1\r\n");
            },
            worker_git: &[&["-c", "core.autocrlf=false", "add", "a", "new"]],
            end: End::Refused(&["filters a", "filters new"]),
            ..ROW
        },
    ])
    .await;
}

#[tokio::test]
async fn idents_and_encodings() {
    rows(&[
        Row {
            name: "ident, expanded, edited by hand, and new",
            files: |top| {
                write(top, ".gitattributes", b"*.c ident\n");
                write(top, "a.c", b"/* $Id$ */\n1\n");
                write(top, "b.c", b"/* $Id$ */\n1\n");
            },
            work: |top| {
                let bytes = [read(top, "a.c"), b"2\n".to_vec()].concat();
                write(top, "a.c", &bytes);
                write(top, "b.c", b"/* $Id: by hand $ */\n2\n");
                write(top, "new.c", b"/* $Id$ */\n");
            },
            ..ROW
        },
        Row {
            name: "working-tree-encoding",
            files: |top| {
                write(top, ".gitattributes", b"*.le working-tree-encoding=UTF-16LE\n*.bom working-tree-encoding=UTF-16\n*.latin working-tree-encoding=ISO-8859-1\n");
                write(top, "a.le", b"a\0\n\0");
                write(top, "a.latin", b"caf\xe9\n");
            },
            work: |top| {
                write(top, "a.le", b"b\0\n\0\xe9\0\n\0");
                write(top, "new.bom", b"\xfe\xff\0a\0\n");
                write(top, "other.bom", b"\xff\xfea\0\n\0");
                write(top, "a.latin", b"caf\xe9 \xfc\n");
            },
            ..ROW
        },
        Row {
            name: "an encoding that the file is not in",
            files: |top| write(top, ".gitattributes", b"*.le working-tree-encoding=UTF-16LE\n"),
            work: |top| {
                write(top, "a.le", b"odd");
                write(top, "fine", b"f\n");
            },
            end: End::Refused(&["unstorable a.le"]),
            ..ROW
        },
        Row {
            name: "an encoding that the base's file is not in",
            files: |top| {
                write(top, ".gitattributes", b"*.le working-tree-encoding=UTF-16LE\n");
                write(top, "a.le", b"a\0\n\0");
            },
            work: |top| {
                write(top, "a.le", b"b\0\n\0");
                write(top, "fine", b"f\n");
            },
            meanwhile: |top| write(top, "a.le", b"odd"),
            end: End::Refused(&["unstorable_in_base a.le"]),
            ..ROW
        },
        Row {
            name: "such a file of the base that the worker leaves alone",
            files: |top| {
                write(top, ".gitattributes", b"*.le working-tree-encoding=UTF-16LE\n");
                write(top, "a", b"a\n");
            },
            work: |top| write(top, "a", b"b\n"),
            meanwhile: |top| write(top, ".git/info/exclude", b"odd.le\n"),
            ..ROW
        },
    ])
    .await;
}

const LFS: &str = "[filter \"lfs\"]\n\tclean = printf 'version lfs\\\\n' && tee \"$HOME/object\" | cksum\n\
                   \tsmudge = cat >/dev/null && cat \"$HOME/object\"\n\trequired = true\n";
const BROKEN: &str = "[filter \"lfs\"]\n\tclean = false\n\tsmudge = false\n\trequired = true\n";
const UPPER: &str = "[filter \"up\"]\n\tclean = tr a-z A-Z\n\tsmudge = cat\n";

#[tokio::test]
async fn filter_programs() {
    rows(&[
        Row {
            name: "LFS pointers without LFS",
            files: |top| {
                write(top, ".gitattributes", b"*.big filter=lfs diff=lfs merge=lfs -text\n")
            },
            work: |top| write(top, "a.big", b"version https://git-lfs.github.com/spec/v1\noid x\n"),
            ..ROW
        },
        Row {
            name: "LFS with its filter",
            user: LFS,
            files: |top| {
                write(top, ".gitattributes", b"*.big filter=lfs diff=lfs merge=lfs -text\n")
            },
            work: |top| write(top, "a.big", b"\0large\r\ncontent"),
            ..ROW
        },
        Row {
            name: "a required filter that fails",
            user: BROKEN,
            files: |top| write(top, ".gitattributes", b"*.big filter=lfs\n"),
            work: |top| {
                write(top, "a.big", b"large\n");
                write(top, "fine", b"f\n");
            },
            end: End::Refused(&["unstorable a.big"]),
            ..ROW
        },
        Row {
            name: "a filter that does not give back what it took",
            user: UPPER,
            files: |top| write(top, ".gitattributes", b"*.up filter=up\n"),
            work: |top| {
                write(top, "a.up", b"lower\n");
                write(top, "b.up", b"UPPER\n");
            },
            ..ROW
        },
    ])
    .await;
}
