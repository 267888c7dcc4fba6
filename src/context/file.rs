use super::guard::Guard;
use super::page::{Slice, cut};
use super::place::path_argument;
use super::{Context, ContextError, ShownPath, Workspace};
use crate::paths::RepoPath;
use schemars::JsonSchema;
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::ffi::OsStr;
use std::fs::File;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// Largest file that is read, in bytes: all of it is looked at for its digest and its lines.
const MAX_FILE: u64 = 64 << 20;

/// Which part of which file is wanted.
#[derive(Debug, Clone, Default)]
pub struct FileQuery {
    /// Path relative to the workspace, or absolute below it.
    pub path: String,
    /// The exact path in base64, for one that is not UTF-8; then `path` is not looked at.
    pub path_b64: Option<String>,
    /// First line, from 1 (the default).
    pub start_line: Option<u64>,
    /// Byte of the file to start at instead of a line, from 0.
    pub start_byte: Option<u64>,
    /// Last line, included; default the last of the file.
    pub end_line: Option<u64>,
    /// Most bytes of the page; at least one line part is given. Bounded by `security.max_read_bytes`.
    pub max_bytes: Option<usize>,
}

/// A page of a text file, exactly as it is on disk.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(transform = super::bare)]
pub struct FilePage {
    /// Id of the workspace.
    pub workspace_id: String,
    /// The file.
    #[serde(flatten)]
    pub path: ShownPath,
    /// The page, byte for byte, line ends included.
    pub text: String,
    /// First line of the page, from 1.
    pub start_line: u64,
    /// Last line of the page, included; 0 in an empty file.
    pub end_line: u64,
    /// Lines of the whole file.
    pub total_lines: u64,
    /// Size of the whole file in bytes.
    pub bytes: u64,
    /// SHA-256 of the whole file in hexadecimal.
    pub sha256: String,
    /// Whether the wanted lines did not fit into the page.
    pub truncated: bool,
    /// `start_line` of the next page; absent when nothing was cut, or in the middle of a line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_start_line: Option<u64>,
    /// `start_byte` of the next page; absent when nothing was cut.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_start_byte: Option<u64>,
    /// The bound that was used, in bytes.
    #[schemars(skip)]
    pub max_bytes_applied: usize,
}

impl Context {
    /// Reads a page of a text file in the base checkout. No line end is changed, nothing is redacted.
    ///
    /// # Errors
    /// Paths that leave the workspace or are blocked, missing files, directories, files over 64 MiB,
    /// binary or non-UTF-8 files, and lines that do not exist are refused by name.
    pub async fn read_file(
        &self,
        workspace: &Workspace,
        query: FileQuery,
    ) -> Result<FilePage, ContextError> {
        let max = self.config.security.max_read_bytes;
        let want = slice(&query, max)?;
        let named = path_argument(&query.path, query.path_b64.as_deref())?;
        let (guard, workspace) = (self.guard.clone(), workspace.clone());
        super::blocking(move || {
            let place = guard.resolve(&workspace.root, &named)?;
            page_of(&guard, &workspace, &place, want)
        })
        .await
    }

    /// Whether the operator hides what is at this path, relative to a workspace.
    #[must_use]
    pub fn hides(&self, path: &[u8]) -> bool {
        self.guard.is_blocked(Path::new(OsStr::from_bytes(path)))
    }

    /// A page of a file that is not in the checkout (a worker's), by the same rules; at most `most`
    /// bytes.
    ///
    /// # Errors
    /// Blocked paths, binary or non-UTF-8 content, and lines that do not exist are refused by name.
    pub fn page_of_bytes(
        &self,
        path: &[u8],
        raw: &[u8],
        query: &FileQuery,
        most: usize,
    ) -> Result<FilePage, ContextError> {
        let named = Path::new(OsStr::from_bytes(path));
        let path = ShownPath::of(named);
        if self.hides(named.as_os_str().as_bytes()) {
            return Err(ContextError::Blocked(path.path));
        }
        page(String::new(), path, raw, slice(query, most)?)
    }
}

fn slice(query: &FileQuery, max: usize) -> Result<Slice, ContextError> {
    if query.start_byte.is_some() && query.start_line.is_some() {
        let why = "start_line and start_byte cannot be combined";
        return Err(ContextError::Argument(why.to_owned()));
    }
    Ok(Slice {
        start_line: query.start_line.unwrap_or(1).max(1),
        start_byte: query.start_byte,
        end_line: query.end_line,
        max_bytes: query.max_bytes.unwrap_or(max).clamp(1, max.max(1)),
    })
}

fn page_of(
    guard: &Guard,
    workspace: &Workspace,
    place: &RepoPath,
    want: Slice,
) -> Result<FilePage, ContextError> {
    let path = ShownPath::of(&place.relative);
    let raw = bytes_of(guard.open(&workspace.root, place)?, &path.path)?;
    page(workspace.id.clone(), path, &raw, want)
}

fn page(
    workspace_id: String,
    path: ShownPath,
    raw: &[u8],
    want: Slice,
) -> Result<FilePage, ContextError> {
    let text = text_of(raw, &path.path)?;
    let page = cut(&path.path, text, want)?;
    Ok(FilePage {
        workspace_id,
        text: page.text.to_owned(),
        start_line: page.start_line,
        end_line: page.end_line,
        total_lines: page.total_lines,
        bytes: raw.len() as u64,
        sha256: hex::encode(Sha256::digest(raw)),
        truncated: page.next.is_some(),
        next_start_line: page.next.as_ref().and_then(|next| next.line),
        next_start_byte: page.next.as_ref().map(|next| next.byte),
        max_bytes_applied: want.max_bytes,
        path,
    })
}

fn bytes_of(file: File, path: &str) -> Result<Vec<u8>, ContextError> {
    let io = |source| ContextError::Io { path: path.to_owned(), source };
    let meta = file.metadata().map_err(io)?;
    if !meta.is_file() {
        return Err(ContextError::NotAFile(path.to_owned()));
    }
    let too_large =
        |bytes| ContextError::TooLarge { path: path.to_owned(), bytes, limit: MAX_FILE };
    if meta.len() > MAX_FILE {
        return Err(too_large(meta.len()));
    }
    let mut raw = Vec::with_capacity(usize::try_from(meta.len()).unwrap_or_default() + 1);
    // The file may grow while it is read.
    file.take(MAX_FILE + 1).read_to_end(&mut raw).map_err(io)?;
    if raw.len() as u64 > MAX_FILE {
        return Err(too_large(raw.len() as u64));
    }
    Ok(raw)
}

fn text_of<'a>(raw: &'a [u8], path: &str) -> Result<&'a str, ContextError> {
    let not_text = |why| ContextError::NotText { path: path.to_owned(), why };
    if let Some(at) = raw.iter().position(|b| *b == 0) {
        return Err(not_text(format!("it is binary (NUL at byte {at})")));
    }
    std::str::from_utf8(raw)
        .map_err(|error| not_text(format!("byte {} is not UTF-8", error.valid_up_to())))
}
