use super::beneath::Beneath;
use super::matching::{FileGlob, Found, Line, Pattern, Seeker};
use super::walk::{Deadline, Walk};
use super::{Context, ContextError, ShownPath, Workspace};
use ignore::WalkState;
use schemars::JsonSchema;
use serde::Serialize;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::Duration;

/// Longest search in milliseconds: no call of a tool takes longer than 45 s.
const MAX_TIMEOUT_MS: u64 = 40_000;
/// Most threads of one search.
const MAX_THREADS: usize = 8;

/// What is looked for, and where.
#[derive(Debug, Clone, Default)]
pub struct SearchQuery {
    /// The text; a literal unless `regex` is set. Never empty, within one line.
    pub query: String,
    /// File or directory relative to the workspace; `.` for its root.
    pub path: String,
    /// Only files that this glob names: by name, or by relative path when it has a `/`; `!` negates.
    pub glob: Option<String>,
    /// Whether `query` is a regular expression.
    pub regex: bool,
    /// Whether upper and lower case are the same.
    pub ignore_case: bool,
    /// Whether names that begin with a dot are searched.
    pub include_hidden: bool,
    /// Whether what `.gitignore` and `.ignore` name is searched.
    pub include_ignored: bool,
    /// Most matching lines; bounded by `security.max_search_results`.
    pub max_results: Option<usize>,
    /// Time limit in milliseconds, at most 40,000; default `security.search_timeout_ms`.
    pub timeout_ms: Option<u64>,
}

/// A matching line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct SearchMatch {
    /// The file.
    #[serde(flatten)]
    pub path: ShownPath,
    /// The line, from 1.
    pub line: u64,
    /// Byte of the line where the first match begins, from 1.
    pub column: u64,
    /// The line without its end; at most 500 bytes of it, around the match.
    pub text: String,
    /// Whether the line is longer than `text`.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    #[schemars(default)]
    pub line_cut: bool,
}

/// What a search found.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct SearchResult {
    /// Id of the workspace.
    pub workspace_id: String,
    /// Where was searched.
    pub searched_path: String,
    /// The first matching lines, in byte order of their paths.
    pub matches: Vec<SearchMatch>,
    /// Whether there are more matching lines, or files were not searched in time.
    pub truncated: bool,
    /// Whether the search was stopped by its time limit.
    pub timed_out: bool,
    /// The time limit that was used.
    pub timeout_ms: u64,
    /// Files that were looked into.
    pub files_searched: usize,
    /// Binary files, of which nothing is shown.
    pub binary_skipped: usize,
    /// Files and directories that cannot be read.
    pub unreadable: usize,
    /// What to do about a result that is not whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub suggested_next: Option<String>,
}

impl Context {
    /// Looks for a text in the files of a workspace, in process: the query is never an option of a
    /// program. The same repository gives the same answer, unless the time is over.
    ///
    /// # Errors
    /// A bad pattern or glob, or a path that leaves the workspace, is blocked or missing.
    pub async fn search(
        &self,
        workspace: &Workspace,
        query: SearchQuery,
    ) -> Result<SearchResult, ContextError> {
        let pattern = Pattern::new(&query.query, query.regex, query.ignore_case)?;
        let glob = query.glob.as_deref().map(FileGlob::new).transpose()?;
        let named = if query.path.is_empty() { "." } else { &query.path };
        let place = self.guard.resolve(&workspace.root, Path::new(named))?;
        let security = &self.config.security;
        let timeout_ms =
            query.timeout_ms.unwrap_or(security.search_timeout_ms).clamp(1, MAX_TIMEOUT_MS);
        let most = security.max_search_results.max(1);
        let most = query.max_results.unwrap_or(most).clamp(1, most);
        let deadline = Deadline::after(Duration::from_millis(timeout_ms));
        let walk = Walk {
            root: workspace.root.clone(),
            start: place.absolute,
            hidden: query.include_hidden,
            ignored: query.include_ignored,
            guard: self.guard.clone(),
            deadline: deadline.clone(),
        };
        let (id, shown) = (workspace.id.clone(), ShownPath::of(&place.relative).path);
        super::blocking(move || {
            if walk.start.symlink_metadata().is_err() {
                return Err(ContextError::NoFile(shown));
            }
            let (files, unlisted) = list(&walk, glob.as_ref());
            let mut tally = look_into(&walk.root, &files, &pattern, most, &deadline)?;
            tally.unreadable += unlisted;
            Ok(tally.report(id, shown, &files, most, timeout_ms, deadline.was_hit()))
        })
        .await
    }
}

/// The files to look into, relative to the workspace and sorted, and how many entries have no name
/// because they cannot be read.
fn list(walk: &Walk, glob: Option<&FileGlob>) -> (Vec<PathBuf>, usize) {
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
struct Tally {
    /// Index of the file, and its matching lines.
    found: Vec<(usize, Vec<Line>)>,
    searched: usize,
    binary: usize,
    unreadable: usize,
}

/// Looks into the files on several threads. They are handed out in order and each that was begun is
/// finished, so that the first `most` matches are the same however the threads run.
fn look_into(
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

    fn report(
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

fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get).min(MAX_THREADS)
}
