use super::matching::{FileGlob, Pattern};
use super::sweep::{list, look_into};
use super::walk::{Deadline, Walk};
use super::{Context, ContextError, ShownPath, Workspace};
use schemars::JsonSchema;
use serde::Serialize;
use std::path::Path;
use std::time::Duration;

/// Longest search in milliseconds: no call of a tool takes longer than 45 s.
const MAX_TIMEOUT_MS: u64 = 40_000;

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
#[schemars(transform = super::bare)]
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
#[schemars(transform = super::bare)]
pub struct SearchResult {
    /// Id of the workspace.
    #[schemars(skip)]
    pub workspace_id: String,
    /// Where was searched.
    pub searched_path: String,
    /// The first matching lines, in byte order of their paths.
    #[schemars(with = "Vec<super::Open>")]
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
    /// program. The same repository gives the same matches, unless the time is over.
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
