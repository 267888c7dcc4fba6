//! States and makes of the base.

use super::*;

fn three(top: &Path) {
    write(top, "a", b"1\n2\n3\n4\n5\n6\n");
    write(top, "b", b"b\n");
    write(top, "c", b"c\n");
}

fn edit(top: &Path) {
    write(top, "a", b"one\n2\n3\n4\n5\n6\n");
    write(top, "new", b"new\n");
}

const EDIT: Row = Row { files: three, work: edit, ..ROW };

#[tokio::test]
async fn states_of_the_files() {
    rows(&[
        Row {
            name: "staged, of the same file and of others",
            meanwhile: |top| {
                write(top, "a", b"1\n2\n3\n4\n5\nsix\n");
                write(top, "b", b"staged\n");
                write(top, "staged new", b"s\n");
                remove(&top.join("c"));
            },
            base_git: &[&["add", "-A"]],
            ..EDIT
        },
        Row {
            name: "staged, and edited since",
            meanwhile: |top| write(top, "a", b"1\n2\n3\n4\n5\nstaged\n"),
            base_git: &[
                &["add", "-A"],
                &["config", "alias.edit", "!sed -i s/staged/six/ a"],
                &["edit"],
            ],
            ..EDIT
        },
        Row {
            name: "unstaged, of the same file and of others",
            meanwhile: |top| {
                write(top, "a", b"1\n2\n3\n4\n5\nsix\n");
                write(top, "b", b"dirty\n");
                remove(&top.join("c"));
            },
            ..EDIT
        },
        Row {
            name: "staged as deleted, still on the disk",
            base_git: &[&["rm", "-q", "--cached", "b"], &["rm", "-q", "--cached", "a"]],
            ..EDIT
        },
        Row {
            name: "meant to be added",
            meanwhile: |top| write(top, "meant", b"m\n"),
            base_git: &[&["add", "-N", "meant"]],
            ..EDIT
        },
        Row {
            name: "untracked and ignored files beside",
            meanwhile: |top| {
                write(top, "untracked/u", b"u\n");
                write(top, ".git/info/exclude", b"*.log\n");
                write(top, "x.log", b"l\n");
                std::fs::create_dir(top.join("empty")).unwrap();
            },
            ..EDIT
        },
    ])
    .await;
}

#[tokio::test]
async fn what_stands_where_a_file_shall_be() {
    rows(&[
        Row {
            name: "an untracked file with the worker's content",
            meanwhile: |top| write(top, "new", b"new\n"),
            ..EDIT
        },
        Row {
            name: "an untracked file with other content",
            meanwhile: |top| write(top, "new", b"the user's\n"),
            end: End::Refused(&["contents new"]),
            ..EDIT
        },
        Row {
            name: "an empty directory where a file shall be",
            meanwhile: |top| std::fs::create_dir_all(top.join("new/empty")).unwrap(),
            ..EDIT
        },
        Row {
            name: "conflicting elsewhere",
            meanwhile: |top| write(top, "b", b"main\n"),
            base_git: CONFLICT_IN_B,
            ..EDIT
        },
        Row {
            name: "conflicting in the same file",
            work: |top| {
                edit(top);
                write(top, "b", b"worker\n");
            },
            meanwhile: |top| write(top, "b", b"main\n"),
            base_git: CONFLICT_IN_B,
            end: End::Refused(&["contents b"]),
            ..EDIT
        },
    ])
    .await;
}

const CONFLICT_IN_B: Runs = &[
    &["commit", "-qam", "main"],
    &["checkout", "-q", "-b", "other", "HEAD~1"],
    &["rm", "-q", "b"],
    &["commit", "-qam", "other"],
    &["checkout", "-q", "main"],
    &["merge", "-q", "other"],
];

#[tokio::test]
async fn states_of_the_history() {
    rows(&[
        Row {
            name: "the branch moved",
            meanwhile: |top| write(top, "a", b"1\n2\n3\n4\n5\nsix\n"),
            base_git: &[
                &["commit", "-qam", "moved"],
                &["commit", "-q", "--allow-empty", "-m", "x"],
            ],
            ..EDIT
        },
        Row {
            name: "another branch, with other files",
            base_git: &[
                &["checkout", "-q", "-b", "side"],
                &["rm", "-q", "c"],
                &["commit", "-qm", "without c"],
            ],
            ..EDIT
        },
        Row {
            name: "an amended commit",
            meanwhile: |top| write(top, "b", b"amended\n"),
            base_git: &[&["commit", "-qa", "--amend", "-m", "again"]],
            ..EDIT
        },
        Row { name: "detached", base_git: &[&["checkout", "-q", "--detach"]], ..EDIT },
        Row {
            name: "in the middle of a rebase",
            meanwhile: |top| write(top, "b", b"main\n"),
            base_git: &[
                &["commit", "-qam", "main"],
                &["checkout", "-q", "-b", "other", "HEAD~1"],
                &["rm", "-q", "b"],
                &["commit", "-qam", "other"],
                &["rebase", "-q", "main"],
            ],
            ..EDIT
        },
        Row {
            name: "in the middle of a bisection",
            base_git: &[&["bisect", "start"], &["bisect", "bad"]],
            ..EDIT
        },
    ])
    .await;
}

#[tokio::test]
async fn makes_of_the_repository() {
    rows(&[
        Row { name: "SHA-256", init: &["--object-format=sha256"], ..EDIT },
        Row { name: "reftable", init: &["--ref-format=reftable"], ..EDIT },
        Row { name: "an index of version 4", before: &[&["update-index", "--index-version", "4"]], ..EDIT },
        Row { name: "a split index", before: &[&["update-index", "--split-index"]], ..EDIT },
        Row {
            name: "many files, untracked cache",
            before: &[&["config", "feature.manyFiles", "true"], &["update-index", "--untracked-cache"]],
            ..EDIT
        },
        Row {
            name: "sparse, cone",
            files: |top| {
                three(top);
                write(top, "out/x", b"x\n");
            },
            before: &[&["sparse-checkout", "set", "--cone", "in"]],
            ..EDIT
        },
        Row {
            name: "sparse, patterns",
            files: |top| {
                three(top);
                write(top, "out/x", b"x\n");
            },
            before: &[&["sparse-checkout", "set", "--no-cone", "/*", "!/out/"]],
            ..EDIT
        },
        Row {
            name: "packed",
            before: &[&["gc", "-q"], &["pack-refs", "--all"]],
            ..EDIT
        },
        Row {
            name: "settings that change what git prints or does",
            user: "[diff]\n\tnoprefix = true\n\trenames = copies\n\texternal = false\n[core]\n\tquotePath = false\n\
                   \tlogAllRefUpdates = always\n[merge]\n\tconflictStyle = diff3\n\trenames = false\n[status]\n\
                   \tshowUntrackedFiles = no\n[color]\n\tui = always\n[commit]\n\tgpgSign = true\n[init]\n\
                   \tdefaultBranch = x\n[add]\n\tignoreErrors = true\n",
            ..EDIT
        },
    ])
    .await;
}
