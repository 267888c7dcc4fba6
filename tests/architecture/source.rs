//! The source of the program as the rules look at it.

use std::collections::BTreeMap;
use std::path::Path;

/// One file below `src/`.
pub(crate) struct File {
    /// Path below `src/`, with `/`.
    pub(crate) path: String,
    /// Its text.
    pub(crate) text: String,
    /// Its syntax.
    pub(crate) syntax: syn::File,
}

impl File {
    /// The room: first component of the path, without `.rs`.
    pub(crate) fn room(&self) -> &str {
        self.path.split('/').next().unwrap().trim_end_matches(".rs")
    }

    /// Module path of the file from the crate's root; a `mod.rs` is its directory.
    pub(crate) fn module(&self) -> Vec<String> {
        let path = self.path.trim_end_matches(".rs").trim_end_matches("/mod");
        path.split('/').map(str::to_owned).collect()
    }

    /// Whether the file is a program or the crate's root, which belong to no room.
    pub(crate) fn is_root(&self) -> bool {
        matches!(self.room(), "lib" | "main" | "bin")
    }
}

/// All rooms and floors.
pub(crate) struct House {
    pub(crate) files: Vec<File>,
    /// Floor of each room, as `src/lib.rs` says.
    pub(crate) floors: BTreeMap<String, usize>,
    /// Siblings that a room's `mod.rs` names.
    pub(crate) siblings: BTreeMap<String, Vec<String>>,
}

impl House {
    /// Reads `src/`.
    pub(crate) fn read() -> Self {
        let mut found = Vec::new();
        collect(Path::new("src"), &mut found);
        let borrowed: Vec<_> = found.iter().map(|(p, t)| (p.as_str(), t.as_str())).collect();
        Self::of(&borrowed)
    }

    /// A house of these files (path below `src/`, text); one of them is `lib.rs`.
    pub(crate) fn of(sources: &[(&str, &str)]) -> Self {
        let file = |(path, text): &(&str, &str)| File {
            path: (*path).to_owned(),
            text: (*text).to_owned(),
            syntax: syn::parse_file(text).unwrap_or_else(|e| panic!("{path}: {e}")),
        };
        let files: Vec<File> = sources.iter().map(file).collect();
        let lib = &files.iter().find(|f| f.path == "lib.rs").expect("lib.rs").text;
        let floors = floors(lib);
        let named = |f: &File| {
            let is_head = f.module().len() == 1 && !f.is_root();
            is_head.then(|| (f.room().to_owned(), siblings(&f.text)))
        };
        let siblings = files.iter().filter_map(named).collect();
        Self { files, floors, siblings }
    }
}

/// Appends the text of all Rust files below `dir`.
pub(crate) fn read_all(dir: &Path, into: &mut String) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            read_all(&path, into);
        } else if path.extension().is_some_and(|e| e == "rs") {
            into.push_str(&std::fs::read_to_string(&path).unwrap());
        }
    }
}

fn collect(dir: &Path, into: &mut Vec<(String, String)>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, into);
        } else if path.extension().is_some_and(|e| e == "rs") {
            let text = std::fs::read_to_string(&path).unwrap();
            into.push((path.strip_prefix("src").unwrap().to_str().unwrap().to_owned(), text));
        }
    }
}

/// `// Floor N: name` begins a floor; the `pub mod` lines below it are its rooms.
fn floors(lib: &str) -> BTreeMap<String, usize> {
    let mut floor = None;
    let mut rooms = BTreeMap::new();
    for line in lib.lines().map(str::trim) {
        if let Some(rest) = line.strip_prefix("// Floor ") {
            floor = rest.split(':').next().and_then(|n| n.parse().ok());
        } else if let (Some(rest), Some(floor)) = (line.strip_prefix("pub mod "), floor) {
            rooms.insert(rest.trim_end_matches(';').to_owned(), floor);
        }
    }
    rooms
}

/// The names after `siblings:` in the room's paragraph.
fn siblings(text: &str) -> Vec<String> {
    let lines = text.lines().take_while(|l| l.starts_with("//!"));
    let list = lines.filter_map(|l| l.split_once("siblings:").map(|(_, list)| list));
    let names = list.flat_map(|l| l.split(','));
    names.map(|n| n.trim().trim_matches(['`', '.']).to_owned()).filter(|n| n != "none").collect()
}
