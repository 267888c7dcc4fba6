use super::place::path_argument;
use super::summary::GIT_LIMIT;
use super::{Context, ContextError, ShownPath};
use crate::git::{DiffScope, DiffStat, Repo};
use schemars::JsonSchema;
use serde::Serialize;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// Which difference is wanted.
#[derive(Debug, Clone, Default)]
pub struct DiffQuery {
    /// Only this file or directory, relative to the workspace; empty for everything.
    pub path: String,
    /// The exact path in base64, for one that is not UTF-8; then `path` is not looked at.
    pub path_b64: Option<String>,
    /// Index against HEAD; otherwise working tree against index.
    pub staged: bool,
    /// Most bytes of the patch, bounded by `security.max_diff_bytes`; 0 asks for none.
    pub max_bytes: usize,
}

impl DiffQuery {
    pub(super) fn named(&self) -> Result<PathBuf, ContextError> {
        path_argument(&self.path, self.path_b64.as_deref())
    }
}

/// A file that differs.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(transform = super::bare)]
pub struct FileChange {
    /// The file.
    #[serde(flatten)]
    pub path: ShownPath,
    /// `added`, `modified`, `deleted`, `renamed`, `copied`, `type_changed` or `conflicted`.
    pub kind: &'static str,
    /// Where a renamed or copied file was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub old_path: Option<String>,
    /// Added lines; absent for a binary file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub additions: Option<u64>,
    /// Removed lines; absent for a binary file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deletions: Option<u64>,
    /// Whether git takes it for a binary file.
    pub binary: bool,
    /// Old and new file mode, where a file keeps its place and changes its mode: `100644 100755`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode_change: Option<String>,
}

/// What differs on one side.
pub(super) struct Differences {
    pub(super) files: Vec<FileChange>,
    pub(super) additions: u64,
    pub(super) deletions: u64,
    pub(super) patch: String,
    pub(super) cut: bool,
    pub(super) notes: Vec<String>,
}

/// Reads one side: counts of everything, and the patch of what may be shown.
pub(super) async fn differences(
    context: &Context,
    repo: &Repo,
    only: &Path,
    query: &DiffQuery,
) -> Result<Differences, ContextError> {
    let only = Some(only.as_os_str().as_bytes().to_vec()).filter(|path| !path.is_empty());
    let mut scope = DiffScope { staged: query.staged, only, without: Vec::new() };
    let (stats, mut cut) = repo.diff_stats(&scope, GIT_LIMIT).await?;
    let blocked = |raw: &[u8]| context.guard.is_blocked(Path::new(OsStr::from_bytes(raw)));
    let (hidden, shown): (Vec<DiffStat>, Vec<DiffStat>) =
        stats.into_iter().partition(|s| blocked(&s.path) || s.from.as_deref().is_some_and(blocked));
    scope.without = hidden.iter().flat_map(|s| s.from.iter().chain([&s.path]).cloned()).collect();
    let mut notes = Vec::new();
    if !hidden.is_empty() {
        notes.push(format!("{} changed file(s) are blocked and not shown.", hidden.len()));
    }
    let mut patch = String::new();
    let max = query.max_bytes.min(context.config.security.max_diff_bytes);
    if max > 0 && !shown.is_empty() {
        let page = repo.diff_patch(&scope, max, GIT_LIMIT).await?;
        cut |= page.cut;
        let (text, exact) = text_of(&page.stdout, page.cut);
        if !exact {
            notes.push("Bytes of the patch that are not UTF-8 are replaced by U+FFFD.".to_owned());
        }
        patch = text;
    }
    let sum = |count: fn(&DiffStat) -> Option<u64>| shown.iter().filter_map(count).sum();
    Ok(Differences {
        additions: sum(|s| s.additions),
        deletions: sum(|s| s.deletions),
        files: shown.iter().map(FileChange::of).collect(),
        patch,
        cut,
        notes,
    })
}

/// A patch as text; where it was cut, without its last, torn line.
fn text_of(raw: &[u8], cut: bool) -> (String, bool) {
    let whole = match raw.iter().rposition(|b| *b == b'\n') {
        Some(end) if cut => &raw[..=end],
        None if cut => &[],
        _ => raw,
    };
    let text = String::from_utf8_lossy(whole);
    let exact = matches!(text, std::borrow::Cow::Borrowed(_));
    (text.into_owned(), exact)
}

impl FileChange {
    fn of(stat: &DiffStat) -> Self {
        let kind = match stat.kind {
            'A' => "added",
            'D' => "deleted",
            'R' => "renamed",
            'C' => "copied",
            'T' => "type_changed",
            'U' => "conflicted",
            _ => "modified",
        };
        let (old, new) = &stat.modes;
        let moded = old != new && !matches!(stat.kind, 'A' | 'D' | 'U');
        Self {
            path: ShownPath::bytes(&stat.path),
            kind,
            old_path: stat.from.as_deref().map(|raw| ShownPath::bytes(raw).path),
            additions: stat.additions,
            deletions: stat.deletions,
            binary: stat.additions.is_none() && stat.kind != 'U',
            mode_change: moded.then(|| format!("{old} {new}")),
        }
    }
}
