//! A worker's result, read from its newest snapshot: changed files, diffs, files.

use super::integrate_view::{ChangeView, listed};
use super::worker_args::InspectArgs;
use crate::context::{PageSlice, cut_page};
use crate::git::{GitPath, MODE_SUBMODULE};
use crate::mcp::{Call, ToolError};
use crate::store::WorkerRow;
use crate::worker::{ChangeBase, WorkerChanges};
use serde_json::{Value, json};

/// The view `changes`.
pub(super) async fn changes_view(call: &Call, row: &WorkerRow) -> Result<Value, ToolError> {
    let changes = changes(call, row).await?;
    let notes = call.app.workers.notes(&changes.repo, &changes.to).await?;
    let files: Vec<ChangeView> = listed(&changes.list);
    Ok(json!({
        "has_changes": !changes.list.is_empty(),
        "change_count": changes.list.len(),
        "truncated": files.len() < changes.list.len(),
        "changed_files": files,
        "ignored_count": notes.ignored_count,
        "ignored": notes.ignored.iter().map(GitPath::lossy).collect::<Vec<_>>(),
        "nested_repositories": notes.nested.iter().map(GitPath::lossy).collect::<Vec<_>>(),
    }))
}

/// The view `diff`: of one file, or of all.
pub(super) async fn diff_view(
    call: &Call,
    row: &WorkerRow,
    args: &InspectArgs,
) -> Result<Value, ToolError> {
    let changes = changes(call, row).await?;
    let path = args.file_path.as_deref().map(file_path).transpose()?;
    let most = args.max_bytes.unwrap_or(usize::MAX).min(call.app.config.security.max_diff_bytes);
    let diff = changes.diff(path.as_ref(), most).await?;
    Ok(json!({
        "file_path": path.as_ref().map(GitPath::lossy),
        "diff": String::from_utf8_lossy(&diff.text),
        "truncated": diff.truncated,
        "total_bytes": diff.total_bytes,
    }))
}

/// The view `file`: one file as the newest snapshot holds it.
pub(super) async fn file_view(
    call: &Call,
    row: &WorkerRow,
    args: &InspectArgs,
) -> Result<Value, ToolError> {
    let changes = changes(call, row).await?;
    let path = file_path(args.file_path.as_deref().unwrap_or_default())?;
    let Some(file) = changes.file(&path).await? else {
        return Err(ToolError::new(
            "file_unknown",
            format!("{} does not exist in the worker's result", path.lossy()),
            "Call codex_worker_inspect with view=changes for the names.",
        ));
    };
    if file.entry.mode == MODE_SUBMODULE {
        return Ok(json!({"file_path": path.lossy(), "exists": true, "submodule": file.entry.oid}));
    }
    let Ok(text) = std::str::from_utf8(&file.bytes) else {
        return Err(ToolError::new(
            "binary_file",
            format!("{} is not text ({} bytes)", path.lossy(), file.bytes.len()),
            "Integrate it to use it; its bytes are kept exactly.",
        ));
    };
    let most = call.app.config.workers.file_response_max_bytes;
    let slice = PageSlice {
        start_line: args.start_line.unwrap_or(1),
        start_byte: None,
        end_line: args.end_line,
        max_bytes: args.max_bytes.unwrap_or(usize::MAX).min(most),
    };
    let page = cut_page(&path.lossy(), text, slice)?;
    Ok(json!({
        "file_path": path.lossy(),
        "exists": true,
        "mode": format!("{:o}", file.entry.mode),
        "text": page.text,
        "start_line": page.start_line,
        "end_line": page.end_line,
        "total_lines": page.total_lines,
        "bytes": file.bytes.len(),
        "truncated": page.next.is_some(),
        "next_start_line": page.next.and_then(|next| next.line),
    }))
}

async fn changes(call: &Call, row: &WorkerRow) -> Result<WorkerChanges, ToolError> {
    Ok(call.app.workers.changes(row, ChangeBase::Integrated).await?)
}

fn file_path(text: &str) -> Result<GitPath, ToolError> {
    let path = GitPath::new(text.strip_prefix("./").unwrap_or(text).as_bytes());
    if path.is_plain() {
        Ok(path)
    } else {
        Err(ToolError::invalid("file_path must name a file relative to the repository's top"))
    }
}
