use super::drawing::Node;
use super::walk::{Walk, threads};
use ignore::{DirEntry, WalkState};
use std::cmp::Ordering;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering as Memory};
use std::sync::mpsc;

/// Most entries that one walk keeps in memory.
const MOST: usize = 1_000_000;

/// What a walk found.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    /// In the order of a depth-first walk that takes the names of a directory in byte order.
    pub(super) nodes: Vec<Node>,
    /// Entries that cannot be read.
    pub(super) unreadable: usize,
    /// Whether the walk was stopped because there is too much.
    pub(super) full: bool,
}

/// Walks down to a depth on several threads.
pub(super) fn gather(walk: &Walk, depth: usize) -> Gathered {
    let (send, parts) = mpsc::channel();
    let count = AtomicUsize::new(0);
    let walker = walk.builder().max_depth(Some(depth)).threads(threads()).build_parallel();
    walker.run(|| {
        let mut part = Part { found: Gathered::default(), whole: send.clone() };
        let count = &count;
        Box::new(move |entry| part.take(walk, entry, count))
    });
    drop(send);
    let mut all = Gathered::default();
    for part in parts {
        all.nodes.extend(part.nodes);
        all.unreadable += part.unreadable;
        all.full |= part.full;
    }
    // Each part is sorted already: a stable sort merges them.
    all.nodes.sort_by(in_order);
    all
}

/// What one thread found; it hands it over when it is done.
struct Part {
    found: Gathered,
    whole: mpsc::Sender<Gathered>,
}

impl Part {
    fn take(
        &mut self,
        walk: &Walk,
        entry: Result<DirEntry, ignore::Error>,
        count: &AtomicUsize,
    ) -> WalkState {
        match entry {
            Ok(entry) if entry.depth() == 0 => {}
            Ok(entry) => {
                let kind = entry.file_type();
                self.found.nodes.push(Node {
                    depth: entry.depth(),
                    directory: kind.is_some_and(|k| k.is_dir()),
                    link: kind.is_some_and(|k| k.is_symlink()),
                    path: walk.relative(entry.path()).to_path_buf(),
                });
            }
            Err(_) => self.found.unreadable += 1,
        }
        self.found.full = count.fetch_add(1, Memory::Relaxed) >= MOST;
        if self.found.full { WalkState::Quit } else { WalkState::Continue }
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        let mut found = std::mem::take(&mut self.found);
        found.nodes.sort_unstable_by(in_order);
        // The receiver outlives the walk.
        let _ = self.whole.send(found);
    }
}

fn in_order(one: &Node, other: &Node) -> Ordering {
    by_component(&one.path, &other.path)
}

/// Compares paths name by name: a `/` is less than every byte of a name.
fn by_component(one: &Path, other: &Path) -> Ordering {
    let (one, other) = (one.as_os_str().as_bytes(), other.as_os_str().as_bytes());
    // Neighbours share most of their path: it is passed over in larger steps.
    let eights = one.chunks_exact(8).zip(other.chunks_exact(8)).take_while(|(a, b)| a == b);
    let from = 8 * eights.count();
    let rest = one[from..].iter().zip(&other[from..]).take_while(|(a, b)| a == b);
    let same = from + rest.count();
    let byte = |path: &[u8]| path.get(same).map(|b| if *b == b'/' { 0 } else { *b });
    byte(one).cmp(&byte(other))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_comes_before_names_that_go_on() {
        let long = ["some/long/path.b", "some/long/path/b", "some/long/path"].map(Path::new);
        assert!(by_component(long[2], long[1]).is_lt() && by_component(long[1], long[0]).is_lt());
        let mut paths = ["a.b", "a/b", "a", "a-/c", "a-", "b", "a/b/c", "a/b-"].map(Path::new);
        paths.sort_by(|one, other| by_component(one, other));
        assert_eq!(paths, ["a", "a/b", "a/b/c", "a/b-", "a-", "a-/c", "a.b", "b"].map(Path::new));
        let mut components = paths;
        components.sort();
        assert_eq!(paths, components);
    }
}
