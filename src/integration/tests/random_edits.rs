//! Random edits of a checkout: every kind of change, name and content that the table has.

use super::*;
use proptest::prelude::*;
use proptest::sample::select;

/// One edit. Indexes wrap around what is there.
#[derive(Debug, Clone)]
pub(super) enum Edit {
    Write { name: Vec<u8>, content: Vec<u8> },
    Line { file: usize, line: usize, text: u8 },
    Append { file: usize, tail: Vec<u8> },
    Delete { file: usize },
    DeleteDirectory { file: usize },
    Rename { file: usize, name: Vec<u8> },
    Copy { file: usize, name: Vec<u8> },
    Executable { file: usize },
    Link { name: Vec<u8>, target: &'static str },
    LineEnds { file: usize },
}

/// What a case does with git, beside the edits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BaseGit {
    Nothing,
    Stage,
    Commit,
    NewBranch,
    Detach,
}

/// One round: the worker's edits, the base's, and what becomes of both.
#[derive(Debug, Clone)]
pub(super) struct Round {
    pub(super) worker: Vec<Edit>,
    pub(super) worker_commits: bool,
    pub(super) base: Vec<Edit>,
    pub(super) base_git: BaseGit,
}

const NAMES: &[&[u8]] = &[
    b"a",
    b"b.crlf",
    b"c.id",
    b"d.auto",
    b"dir/e",
    b"dir/f.crlf",
    b"dir/sub/g",
    b"dir",
    b"A",
    b"new\nline",
    b"caf\xe9",
    b"-rf",
    b"sp ace",
    b"quo\"te",
    b"u.u16",
    b"x.log",
    b"deep/er/y",
    b"deep",
    b"z.up",
    b"dir/sub",
    b"*",
];

fn name() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        4 => select(NAMES).prop_map(<[u8]>::to_vec),
        1 => (0_u32..1000).prop_map(|n| format!("n{n}").into_bytes()),
    ]
}

fn content() -> impl Strategy<Value = Vec<u8>> {
    let lines: &[&[u8]] = &[
        b"one\n",
        b"two\n",
        b"three\r\n",
        b"$Id$\n",
        b"$Id: odd $\n",
        b"\x0c\n",
        b"caf\xe9\n",
        b"\n",
        b"lone\r",
        b"tail",
    ];
    prop_oneof![
        6 => prop::collection::vec(select(lines), 0..12).prop_map(|lines| lines.concat()),
        1 => prop::collection::vec(any::<u8>(), 0..60),
        1 => Just(b"a\0\n\0".to_vec()),
    ]
}

fn edit() -> impl Strategy<Value = Edit> {
    let targets: &[&str] = &["a", "/etc/passwd", "dir", "../..", "nowhere"];
    prop_oneof![
        4 => (name(), content()).prop_map(|(name, content)| Edit::Write { name, content }),
        6 => (0..64_usize, 0..12_usize, b'a'..=b'z')
            .prop_map(|(file, line, text)| Edit::Line { file, line, text }),
        3 => (0..64_usize, content()).prop_map(|(file, tail)| Edit::Append { file, tail }),
        2 => (0..64_usize).prop_map(|file| Edit::Delete { file }),
        1 => (0..64_usize).prop_map(|file| Edit::DeleteDirectory { file }),
        2 => (0..64_usize, name()).prop_map(|(file, name)| Edit::Rename { file, name }),
        1 => (0..64_usize, name()).prop_map(|(file, name)| Edit::Copy { file, name }),
        2 => (0..64_usize).prop_map(|file| Edit::Executable { file }),
        1 => (name(), select(targets)).prop_map(|(name, target)| Edit::Link { name, target }),
        1 => (0..64_usize).prop_map(|file| Edit::LineEnds { file }),
    ]
}

pub(super) fn round() -> impl Strategy<Value = Round> {
    use BaseGit::{Commit, Detach, NewBranch, Nothing, Stage};
    let edits = |most: usize| prop::collection::vec(edit(), 0..most);
    let git = select(&[Nothing, Nothing, Stage, Commit, Commit, NewBranch, Detach][..]);
    (edits(8), any::<bool>(), edits(3), git).prop_map(|(worker, commits, base, base_git)| Round {
        worker,
        worker_commits: commits,
        base,
        base_git,
    })
}

/// Makes an edit; one that makes no sense where it comes does nothing.
pub(super) fn make(top: &Path, edit: &Edit) {
    match edit {
        Edit::Write { name, content } => put(top, name, content),
        Edit::Line { file, line, text } => change(top, *file, |bytes| {
            let mut lines: Vec<Vec<u8>> =
                bytes.split_inclusive(|b| *b == b'\n').map(<[u8]>::to_vec).collect();
            if let Some(at) = line.checked_rem(lines.len()) {
                lines[at] = vec![*text, *text, b'\n'];
            }
            lines.concat()
        }),
        Edit::Append { file, tail } => change(top, *file, |bytes| [bytes, tail].concat()),
        Edit::Delete { file } => with_file(top, *file, |at| std::fs::remove_file(at).unwrap()),
        Edit::DeleteDirectory { file } => with_file(top, *file, |at| {
            if at.parent() != Some(top) {
                std::fs::remove_dir_all(at.parent().unwrap()).unwrap();
            }
        }),
        Edit::Rename { file, name } => with_file(top, *file, |at| {
            if room_for(top, name) {
                std::fs::rename(at, top.join(OsStr::from_bytes(name))).unwrap();
            }
        }),
        Edit::Copy { file, name } => {
            with_file(top, *file, |at| put(top, name, &std::fs::read(at).unwrap_or_default()));
        }
        Edit::Executable { file } => with_file(top, *file, |at| {
            if !at.is_symlink() {
                let mode = std::fs::metadata(at).unwrap().permissions().mode();
                make_executable(at, mode & 0o100 == 0);
            }
        }),
        Edit::Link { name, target } => {
            let at = top.join(OsStr::from_bytes(name));
            if room_for(top, name) && !at.is_dir() {
                link(target, &at);
            }
        }
        Edit::LineEnds { file } => change(top, *file, |bytes| {
            let lf: Vec<u8> = bytes.iter().copied().filter(|b| *b != b'\r').collect();
            if lf.len() != bytes.len() {
                return lf;
            }
            lf.iter()
                .flat_map(|b| if *b == b'\n' { vec![b'\r', b'\n'] } else { vec![*b] })
                .collect()
        }),
    }
}

fn with_file(top: &Path, n: usize, act: impl FnOnce(&Path)) {
    let mut files: Vec<PathBuf> = files_of(top).into_iter().map(|(path, ..)| path).collect();
    files.retain(|path| path != Path::new(".gitattributes") && path != Path::new(".gitignore"));
    if let Some(at) = n.checked_rem(files.len()) {
        act(&top.join(&files[at]));
    }
}

fn change(top: &Path, n: usize, edit: impl FnOnce(&[u8]) -> Vec<u8>) {
    with_file(top, n, |at| {
        if !at.is_symlink() {
            std::fs::write(at, edit(&std::fs::read(at).unwrap())).unwrap();
        }
    });
}

/// Makes the directories above a name; whether a file can be there then.
fn room_for(top: &Path, name: &[u8]) -> bool {
    let at = top.join(OsStr::from_bytes(name));
    let parents: Vec<&Path> = at.ancestors().skip(1).take_while(|parent| *parent != top).collect();
    // Through a link an edit would leave the checkout.
    if parents.iter().any(|parent| parent.is_symlink() || parent.is_file()) {
        return false;
    }
    std::fs::create_dir_all(at.parent().unwrap()).unwrap();
    at.is_symlink() || !at.is_dir()
}

fn put(top: &Path, name: &[u8], content: &[u8]) {
    let at = top.join(OsStr::from_bytes(name));
    if room_for(top, name) {
        if at.is_symlink() {
            std::fs::remove_file(&at).unwrap();
        }
        std::fs::write(at, content).unwrap();
    }
}
