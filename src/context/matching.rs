use super::ContextError;
use super::walk::Deadline;
use globset::{GlobBuilder, GlobMatcher};
use grep::matcher::Matcher;
use grep::regex::{RegexMatcher, RegexMatcherBuilder};
use grep::searcher::{BinaryDetection, Searcher, SearcherBuilder, Sink, SinkMatch};
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// Most bytes of a line that are shown.
const MAX_LINE: usize = 500;
/// Most memory that one file's lines may take; a longer line is not searched.
const MAX_HEAP: usize = 64 << 20;

/// What is looked for.
#[derive(Debug, Clone)]
pub(super) struct Pattern {
    matcher: RegexMatcher,
}

impl Pattern {
    /// A literal or a regular expression (Rust's syntax, as ripgrep's default) within one line.
    pub(super) fn new(query: &str, regex: bool, ignore_case: bool) -> Result<Self, ContextError> {
        if query.is_empty() {
            return Err(ContextError::Argument("query is empty".to_owned()));
        }
        // `(?R)` lets `$` match before `\r\n`, too.
        let pattern = if regex { format!("(?R){query}") } else { query.to_owned() };
        RegexMatcherBuilder::new()
            .multi_line(true)
            .fixed_strings(!regex)
            .case_insensitive(ignore_case)
            .line_terminator(Some(b'\n'))
            .build(&pattern)
            .map(|matcher| Self { matcher })
            .map_err(|error| ContextError::Pattern(error.to_string()))
    }
}

/// Which files are looked into: a glob on the relative path, or on the name when it has no `/`; `!`
/// in front turns it round.
#[derive(Debug, Clone)]
pub(super) struct FileGlob {
    glob: GlobMatcher,
    by_name: bool,
    negated: bool,
}

impl FileGlob {
    pub(super) fn new(text: &str) -> Result<Self, ContextError> {
        let (negated, text) = match text.strip_prefix('!') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let by_name = !text.contains('/');
        let glob = GlobBuilder::new(text.trim_start_matches('/'))
            .literal_separator(true)
            .build()
            .map_err(|error| ContextError::Pattern(error.to_string()))?;
        Ok(Self { glob: glob.compile_matcher(), by_name, negated })
    }

    pub(super) fn admits(&self, relative: &Path) -> bool {
        let subject = match relative.file_name() {
            Some(name) if self.by_name => Path::new(name),
            _ => relative,
        };
        self.glob.is_match(subject) != self.negated
    }
}

/// A matching line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    /// From 1.
    pub(super) number: u64,
    /// Byte of the line where the first match begins, from 1.
    pub(super) column: u64,
    /// The line without its end; the part around the match when it is long.
    pub(super) text: String,
    /// Whether the line is longer than `text`.
    pub(super) cut: bool,
}

/// What came of one file.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// Its matching lines, at most the bound.
    Lines(Vec<Line>),
    /// It has a NUL byte; nothing of it is shown.
    Binary,
}

/// Looks into files, one after the other.
pub(super) struct Seeker {
    searcher: Searcher,
    pattern: Pattern,
    deadline: Deadline,
    most: usize,
}

impl Seeker {
    pub(super) fn new(pattern: Pattern, most: usize, deadline: Deadline) -> Self {
        let searcher = SearcherBuilder::new()
            .line_number(true)
            .heap_limit(Some(MAX_HEAP))
            .binary_detection(BinaryDetection::quit(0))
            .build();
        Self { searcher, pattern, deadline, most }
    }

    /// Looks into one file; an error says that it cannot be read, or that the time is over.
    pub(super) fn look(&mut self, file: File) -> io::Result<Found> {
        let mut sink =
            Lines { pattern: &self.pattern, most: self.most, found: Vec::new(), binary: false };
        let reader = Timed { file, deadline: &self.deadline };
        self.searcher.search_reader(&self.pattern.matcher, reader, &mut sink)?;
        Ok(if sink.binary { Found::Binary } else { Found::Lines(sink.found) })
    }
}

/// A file that fails to be read once the time is over, so that a search inside of it ends.
struct Timed<'a> {
    file: File,
    deadline: &'a Deadline,
}

impl Read for Timed<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.deadline.over() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        self.file.read(buffer)
    }
}

struct Lines<'a> {
    pattern: &'a Pattern,
    most: usize,
    found: Vec<Line>,
    binary: bool,
}

impl Sink for Lines<'_> {
    type Error = io::Error;

    fn matched(&mut self, _: &Searcher, hit: &SinkMatch<'_>) -> io::Result<bool> {
        let raw = hit.bytes().strip_suffix(b"\n").unwrap_or(hit.bytes());
        let raw = raw.strip_suffix(b"\r").unwrap_or(raw);
        // The matcher's error type has no value.
        let at = self.pattern.matcher.find(hit.bytes()).ok().flatten().map_or(0, |m| m.start());
        let (text, cut) = window(raw, at.min(raw.len()));
        let number = hit.line_number().unwrap_or_default();
        self.found.push(Line { number, column: at as u64 + 1, text, cut });
        Ok(self.found.len() < self.most)
    }

    fn binary_data(&mut self, _: &Searcher, _: u64) -> io::Result<bool> {
        self.binary = true;
        Ok(false)
    }
}

/// The part of a line around a match, on character boundaries where the line is UTF-8.
fn window(raw: &[u8], at: usize) -> (String, bool) {
    if raw.len() <= MAX_LINE {
        return (String::from_utf8_lossy(raw).into_owned(), false);
    }
    let continues = |byte: usize| raw.get(byte).is_some_and(|b| b & 0xC0 == 0x80);
    let mut from = at.saturating_sub(MAX_LINE / 5).min(raw.len() - MAX_LINE);
    let mut to = from + MAX_LINE;
    while continues(from) && from < to {
        from += 1;
    }
    while continues(to) && to > from {
        to -= 1;
    }
    (String::from_utf8_lossy(&raw[from..to]).into_owned(), true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn look(content: &[u8], pattern: &Pattern, most: usize) -> Found {
        let dir = crate::context::testbed::tmp();
        let path = dir.path().join("f");
        std::fs::write(&path, content).unwrap();
        let deadline = Deadline::after(Duration::from_secs(60));
        Seeker::new(pattern.clone(), most, deadline).look(File::open(path).unwrap()).unwrap()
    }

    #[test]
    fn literals_regexes_and_line_ends() {
        let line =
            |number, column, text: &str| Line { number, column, text: text.to_owned(), cut: false };
        let literal = Pattern::new("a.b", false, false).unwrap();
        let lines = look(b"axb\n-a.b\r\nA.B", &literal, 9);
        assert_eq!(lines, Found::Lines(vec![line(2, 2, "-a.b")]));
        let regex = Pattern::new("x|b$", true, true).unwrap();
        let lines = look(b"ab\r\nbc\nA.B", &regex, 9);
        assert_eq!(lines, Found::Lines(vec![line(1, 2, "ab"), line(3, 3, "A.B")]));
        assert!(matches!(Pattern::new("(", true, false), Err(ContextError::Pattern(_))));
        assert!(matches!(Pattern::new("a\nb", false, false), Err(ContextError::Pattern(_))));
        assert!(matches!(Pattern::new("", false, false), Err(ContextError::Argument(_))));
    }

    #[test]
    fn binary_files_long_lines_and_bounds() {
        let pattern = Pattern::new("needle", false, false).unwrap();
        assert_eq!(look(b"needle\n\0", &pattern, 9), Found::Binary);
        let Found::Lines(lines) = look(b"needle\nneedle\nneedle\n", &pattern, 2) else { panic!() };
        assert_eq!(lines.len(), 2);
        let long = format!("{}needle{}", "ä".repeat(1000), "ö".repeat(1000));
        let Found::Lines(lines) = look(long.as_bytes(), &pattern, 2) else { panic!() };
        assert!(
            lines[0].cut && lines[0].text.contains("needle") && lines[0].text.len() <= MAX_LINE
        );
        assert!(!lines[0].text.contains('\u{fffd}'));
        assert_eq!(lines[0].column, 2001);
    }

    #[test]
    fn a_search_inside_a_file_ends_with_its_time() {
        let dir = crate::context::testbed::tmp();
        let path = dir.path().join("f");
        std::fs::write(&path, "x\n".repeat(1 << 20)).unwrap();
        let pattern = Pattern::new("needle", false, false).unwrap();
        let mut seeker = Seeker::new(pattern, 9, Deadline::after(Duration::ZERO));
        let error = seeker.look(File::open(path).unwrap()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    #[test]
    fn globs_go_by_name_or_by_path() {
        let admits = |glob: &str, path: &str| FileGlob::new(glob).unwrap().admits(Path::new(path));
        assert!(admits("*.rs", "src/a.rs") && !admits("*.rs", "a.py"));
        assert!(admits("src/**/*.{rs,py}", "src/x/a.py") && !admits("src/*.rs", "src/x/a.rs"));
        assert!(!admits("!*.rs", "a.rs") && admits("!*.rs", "a.py"));
        assert!(FileGlob::new("a[").is_err());
    }
}
