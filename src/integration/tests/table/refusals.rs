//! What cannot be exact is refused by path and reason.

use super::*;

const WITH_SUBMODULE: Row = Row {
    files: |top| {
        write(top, "a", b"1\n2\n3\n");
        std::fs::create_dir(top.join("sub")).unwrap();
    },
    before: &[
        &[
            "update-index",
            "--add",
            "--cacheinfo",
            "160000,1111111111111111111111111111111111111111,sub",
        ],
        &["commit", "-qm", "with a submodule"],
    ],
    ..ROW
};

#[tokio::test]
async fn submodules() {
    rows(&[
        Row {
            name: "a submodule that nobody touches",
            work: |top| write(top, "a", b"edited\n"),
            ..WITH_SUBMODULE
        },
        Row {
            name: "a submodule at another commit",
            worker_git: &[&[
                "update-index",
                "--cacheinfo",
                "160000,2222222222222222222222222222222222222222,sub",
            ]],
            end: End::Refused(&["submodule sub"]),
            ..WITH_SUBMODULE
        },
        Row {
            name: "a submodule that is gone",
            work: |top| remove(&top.join("sub")),
            end: End::Refused(&["submodule sub"]),
            ..WITH_SUBMODULE
        },
        Row {
            name: "a file in the place of a submodule",
            work: |top| {
                remove(&top.join("sub"));
                write(top, "sub", b"file\n");
            },
            end: End::Refused(&["submodule sub"]),
            ..WITH_SUBMODULE
        },
        Row {
            name: "a new submodule",
            work: |top| {
                std::fs::create_dir(top.join("new")).unwrap();
                write(top, "fine", b"f\n");
            },
            worker_git: &[&[
                "update-index",
                "--add",
                "--cacheinfo",
                "160000,1111111111111111111111111111111111111111,new",
            ]],
            end: End::Refused(&["nested_repository new"]),
            ..ROW
        },
    ])
    .await;
}

#[tokio::test]
async fn names_and_places() {
    rows(&[
        Row {
            name: "a name that git reserves",
            work: |top| {
                write(top, "git~1", b"x\n");
                write(top, "fine", b"f\n");
            },
            end: End::Refused(&["unstorable git~1"]),
            ..ROW
        },
        Row {
            name: "a pipe in the place of a file",
            work: |top| {
                remove(&top.join("a"));
                let mode = rustix::fs::Mode::from_raw_mode(0o644);
                rustix::fs::mknodat(
                    rustix::fs::CWD,
                    top.join("a"),
                    rustix::fs::FileType::Fifo,
                    mode,
                    0,
                )
                .unwrap();
                write(top, "fine", b"f\n");
            },
            end: End::Refused(&["unstorable a"]),
            ..ROW
        },
        Row {
            name: "the base made a link of a directory that the worker writes into",
            files: |top| write(top, "d/f", b"f\n"),
            work: |top| write(top, "d/f", b"g\n"),
            meanwhile: |top| {
                remove(&top.join("d"));
                link("/etc", &top.join("d"));
            },
            end: End::Refused(&["file_directory d", "modify_delete d/f"]),
            ..ROW
        },
        Row {
            name: "both change one line",
            work: |top| write(top, "a", b"1\nworker\n3\n"),
            meanwhile: |top| write(top, "a", b"1\nbase\n3\n"),
            end: End::Refused(&["contents a"]),
            ..ROW
        },
        Row {
            name: "both change a binary",
            files: |top| write(top, "bin", b"\0\x01"),
            work: |top| write(top, "bin", b"\0\x02"),
            meanwhile: |top| write(top, "bin", b"\0\x03"),
            end: End::Refused(&["binary bin"]),
            ..ROW
        },
        Row {
            name: "a file here, a directory there",
            work: |top| write(top, "x", b"file\n"),
            meanwhile: |top| write(top, "x/y", b"in a directory\n"),
            end: End::Refused(&["file_directory x"]),
            ..ROW
        },
        Row {
            name: "both rename, to different names",
            files: |top| write(top, "from", b"1\n2\n3\n4\n5\n6\n7\n8\n"),
            work: |top| rename(top, "from", "to"),
            meanwhile: |top| rename(top, "from", "elsewhere"),
            end: End::Refused(&[
                "rename_rename elsewhere",
                "rename_rename from",
                "rename_rename to",
            ]),
            ..ROW
        },
    ])
    .await;
}
