use super::beneath::Beneath;
use super::matching::{FileGlob, Found, Line, Pattern, Seeker};
use super::walk::{Deadline, Walk, threads};
use super::{ContextError, SearchMatch, SearchResult, ShownPath};
use ignore::WalkState;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;

/// The files to look into, relative to the workspace and sorted, and how many entries have no name
/// because they cannot be read.
pub(super) fn list(walk: &Walk, glob: Option<&FileGlob>) -> (Vec<PathBuf>, usize) {
    let (send, receive) = mpsc::channel();
    walk.builder().threads(threads()).build_parallel().run(|| {
        let send = send.clone();
        Box::new(move |entry| {
            // The receiver outlives the walk.
            let _ = match entry {
                Ok(entry) if entry.file_type().is_some_and(|kind| kind.is_file()) => {
                    let relative = walk.relative(entry.path());
                    match glob.is_none_or(|glob| glob.admits(relative)) {
                        true => send.send(Some(relative.to_path_buf())),
                        false => Ok(()),
                    }
                }
                Ok(_) => Ok(()),
                Err(_) => send.send(None),
            };
            WalkState::Continue
        })
    });
    drop(send);
    let entries: Vec<Option<PathBuf>> = receive.into_iter().collect();
    let unreadable = entries.iter().filter(|entry| entry.is_none()).count();
    let mut files: Vec<PathBuf> = entries.into_iter().flatten().collect();
    files.sort_unstable_by(|a, b| a.as_os_str().as_bytes().cmp(b.as_os_str().as_bytes()));
    (files, unreadable)
}

/// What came of some files.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// Index of the file, and its matching lines.
    found: Vec<(usize, Vec<Line>)>,
    searched: usize,
    binary: usize,
    pub(super) unreadable: usize,
}

/// Looks into the files on several threads. They are handed out in order and each that was begun is
/// finished, so that the first `most` matches are the same however the threads run.
pub(super) fn look_into(
    root: &Path,
    files: &[PathBuf],
    pattern: &Pattern,
    most: usize,
    deadline: &Deadline,
) -> Result<Tally, ContextError> {
    let beneath = Beneath::new(root)
        .map_err(|source| ContextError::Io { path: ".".to_owned(), source: source.into() })?;
    let (next, count) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let work = || {
        // One more than is wanted tells whether there are more.
        let mut seeker = Seeker::new(pattern.clone(), most + 1, deadline.clone());
        let mut tally = Tally::default();
        while !deadline.over() && count.load(Ordering::Acquire) <= most {
            let index = next.fetch_add(1, Ordering::AcqRel);
            let Some(file) = files.get(index) else { break };
            let lines = tally.take(index, beneath.open(file), &mut seeker);
            count.fetch_add(lines, Ordering::AcqRel);
        }
        tally
    };
    let mut whole = Tally::default();
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads().min(files.len())).map(|_| scope.spawn(work)).collect();
        for worker in workers {
            let part = worker.join().map_err(|_| {
                ContextError::Internal("a search thread ended with a panic".to_owned())
            })?;
            whole.merge(part);
        }
        Ok(whole)
    })
}

impl Tally {
    fn take(
        &mut self,
        index: usize,
        file: Result<std::fs::File, rustix::io::Errno>,
        seeker: &mut Seeker,
    ) -> usize {
        self.searched += 1;
        match file.map_err(std::io::Error::from).and_then(|file| seeker.look(file)) {
            Ok(Found::Lines(lines)) if lines.is_empty() => 0,
            Ok(Found::Lines(lines)) => {
                let count = lines.len();
                self.found.push((index, lines));
                count
            }
            Ok(Found::Binary) => {
                self.binary += 1;
                0
            }
            Err(error) => {
                self.unreadable += usize::from(error.kind() != std::io::ErrorKind::TimedOut);
                0
            }
        }
    }

    fn merge(&mut self, part: Self) {
        self.found.extend(part.found);
        self.searched += part.searched;
        self.binary += part.binary;
        self.unreadable += part.unreadable;
    }

    /// The first `most` matches in order, and whether there are more.
    pub(super) fn report(
        mut self,
        workspace_id: String,
        searched_path: String,
        files: &[PathBuf],
        most: usize,
        timeout_ms: u64,
        timed_out: bool,
    ) -> SearchResult {
        self.found.sort_unstable_by_key(|(index, _)| *index);
        let mut matches: Vec<SearchMatch> = self
            .found
            .into_iter()
            .flat_map(|(index, lines)| lines.into_iter().map(move |line| (index, line)))
            .take(most + 1)
            .map(|(index, line)| SearchMatch {
                path: ShownPath::of(&files[index]),
                line: line.number,
                column: line.column,
                text: line.text,
                line_cut: line.cut,
            })
            .collect();
        let more = matches.len() > most;
        matches.truncate(most);
        SearchResult {
            workspace_id,
            searched_path,
            matches,
            truncated: more || timed_out,
            timed_out,
            timeout_ms,
            files_searched: self.searched,
            binary_skipped: self.binary,
            unreadable: self.unreadable,
            suggested_next: advice(more, timed_out),
        }
    }
}

fn advice(more: bool, timed_out: bool) -> Option<String> {
    let text = match (timed_out, more) {
        (true, _) => "The time was over: narrow `path` or `glob`, or raise timeout_ms.",
        (false, true) => "There are more matches: narrow `query`, `path` or `glob`.",
        (false, false) => return None,
    };
    Some(text.to_owned())
}
