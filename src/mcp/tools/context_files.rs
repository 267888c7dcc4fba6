//! `codex_read_file`, `codex_search_repo`.

use crate::config::ToolMode;
use crate::context::{Context, FilePage, FileQuery, SearchQuery, SearchResult};
use crate::mcp::{Answer, Call, Hints, ToolError, ToolSpec, tool};
use schemars::JsonSchema;
use serde::Deserialize;

/// Most bytes of a page that the text for people repeats.
const MAX_TEXT: usize = 16_000;

pub(super) fn tools() -> Vec<ToolSpec> {
    vec![read_file(), search_repo()]
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ReadArgs {
    /// Default: the first root.
    repo_path: Option<String>,
    /// File, relative to the repository.
    file_path: String,
    /// Exact name, base64.
    path_b64: Option<String>,
    /// First line, from 1.
    #[schemars(range(min = 1), extend("default" = 1))]
    start_line: Option<u64>,
    /// A page's `next_start_byte`, instead of a line.
    #[schemars(range(min = 0))]
    start_byte: Option<u64>,
    /// Last line, included. Default: the last of the file.
    #[schemars(range(min = 1))]
    end_line: Option<u64>,
    /// Most bytes of the page; default and bound 200,000.
    #[schemars(range(min = 1))]
    max_bytes: Option<usize>,
}

fn read_file() -> ToolSpec {
    tool::<ReadArgs, FilePage, _, _>(
        "codex_read_file",
        "Codex Read File",
        "Read a page of a text file of the base checkout, byte for byte. For a worker's files: codex_worker_inspect(view=file).",
        ToolMode::Minimal,
        Hints::READ,
        ("Reading file", "File ready"),
        |call: Call, args| async move { read(&call.app.context, args).await },
    )
}

pub(super) async fn read(context: &Context, args: ReadArgs) -> Result<Answer, ToolError> {
    if args.file_path.is_empty() && args.path_b64.is_none() {
        return Err(ToolError::invalid("file_path is empty"));
    }
    let workspace = context.workspace(args.repo_path.as_deref()).await?;
    let query = FileQuery {
        path: args.file_path,
        path_b64: args.path_b64,
        start_line: args.start_line,
        start_byte: args.start_byte,
        end_line: args.end_line,
        max_bytes: args.max_bytes,
    };
    let page = context.read_file(&workspace, query).await?;
    let text = page_text(&page);
    Answer::new(&page, text)
}

fn page_text(page: &FilePage) -> String {
    let shown = &page.text[..page.text.floor_char_boundary(MAX_TEXT)];
    let mut head = format!(
        "{} lines {}-{} of {} ({} bytes)",
        page.path.path, page.start_line, page.end_line, page.total_lines, page.bytes
    );
    if shown.len() < page.text.len() {
        head.push_str("; the rest of this page is in structuredContent.text");
    }
    match (page.next_start_line, page.next_start_byte) {
        (Some(line), _) => head.push_str(&format!("; cut, go on with start_line={line}")),
        (None, Some(byte)) => head.push_str(&format!("; cut, go on with start_byte={byte}")),
        (None, None) => {}
    }
    format!("{head}\n{shown}")
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SearchArgs {
    /// Default: the first root.
    repo_path: Option<String>,
    /// Text within one line; literal unless regex.
    #[schemars(length(min = 1))]
    query: String,
    /// File or directory, relative to the repository.
    #[schemars(extend("default" = "."))]
    path: Option<String>,
    /// Only files that this glob names: by name (`*.rs`), or by path when it has a `/`
    /// (`src/**/*.rs`); `!` in front turns it round.
    glob: Option<String>,
    /// query is a regular expression (Rust).
    #[serde(default)]
    regex: bool,
    /// Upper and lower case are the same.
    #[serde(default)]
    ignore_case: bool,
    /// Search names that begin with a dot.
    #[serde(default)]
    include_hidden: bool,
    /// Search what .gitignore and .ignore name.
    #[serde(default)]
    include_ignored: bool,
    /// Most matching lines; default and bound 100.
    #[schemars(range(min = 1))]
    max_results: Option<usize>,
    /// Time limit; default 10,000.
    #[schemars(range(min = 1, max = 40000))]
    timeout_ms: Option<u64>,
}

fn search_repo() -> ToolSpec {
    tool::<SearchArgs, SearchResult, _, _>(
        "codex_search_repo",
        "Codex Search Repo",
        "Find lines in the text files of the base checkout, as ripgrep does; in order of paths.",
        ToolMode::Worker,
        Hints::READ,
        ("Searching repo", "Search complete"),
        |call: Call, args| async move { search(&call.app.context, args).await },
    )
}

pub(super) async fn search(context: &Context, args: SearchArgs) -> Result<Answer, ToolError> {
    let workspace = context.workspace(args.repo_path.as_deref()).await?;
    let query = SearchQuery {
        query: args.query,
        path: args.path.unwrap_or_default(),
        glob: args.glob.filter(|glob| !glob.is_empty()),
        regex: args.regex,
        ignore_case: args.ignore_case,
        include_hidden: args.include_hidden,
        include_ignored: args.include_ignored,
        max_results: args.max_results,
        timeout_ms: args.timeout_ms,
    };
    let result = context.search(&workspace, query).await?;
    let text = matches_text(&result);
    Answer::new(&result, text)
}

fn matches_text(result: &SearchResult) -> String {
    let mut text = match result.matches.len() {
        0 => format!("No matches in {} file(s).", result.files_searched),
        count => format!("{count} matching line(s) in {} file(s).", result.files_searched),
    };
    if let Some(advice) = &result.suggested_next {
        text.push_str(&format!(" {advice}"));
    }
    for hit in &result.matches {
        text.push_str(&format!("\n{}:{}: {}", hit.path.path, hit.line, hit.text));
    }
    text
}
