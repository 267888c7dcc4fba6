use super::drawing::Drawing;
use super::gather::{Gathered, gather};
use super::walk::{Deadline, Walk};
use super::{Context, ContextError, ShownPath, Workspace};
use schemars::JsonSchema;
use serde::Serialize;
use std::path::PathBuf;
use std::time::Duration;

/// Most entries that one walk looks at.
const MAX_WALKED: usize = 200_000;

/// Which tree is wanted.
#[derive(Debug, Clone)]
pub struct TreeQuery {
    /// Directory relative to the workspace, or absolute below it; `.` for its root.
    pub path: String,
    /// Levels that are drawn, 1 to 8.
    pub max_depth: usize,
    /// Most entries that are drawn; bounded by `security.max_tree_entries`.
    pub max_entries: Option<usize>,
    /// Whether names that begin with a dot are drawn.
    pub include_hidden: bool,
    /// Whether what `.gitignore` and `.ignore` name is drawn.
    pub include_ignored: bool,
}

impl Default for TreeQuery {
    fn default() -> Self {
        Self {
            path: ".".to_owned(),
            max_depth: 3,
            max_entries: None,
            include_hidden: false,
            include_ignored: false,
        }
    }
}

/// A drawn tree.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(transform = super::bare)]
pub struct TreeView {
    /// Id of the workspace.
    #[schemars(skip)]
    pub workspace_id: String,
    /// The directory.
    #[serde(flatten)]
    pub path: ShownPath,
    /// The tree, one entry a line, two spaces a level, names in byte order; directories end with `/`,
    /// links with `@`, and `(+n)` counts entries of a directory that are not drawn.
    pub text: String,
    /// Entries that are drawn.
    pub entries: usize,
    /// Entries within `max_depth` that are not drawn because there are too many.
    pub omitted: usize,
    /// Whether entries within `max_depth` are missing, for number or for time.
    pub truncated: bool,
    /// Whether the walk was stopped by its time limit.
    pub timed_out: bool,
    /// Directories that cannot be read.
    pub unreadable: usize,
    /// Drawn entries whose name is not UTF-8, exactly.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(skip)]
    pub odd_paths: Vec<ShownPath>,
}

impl Context {
    /// Draws the tree below a directory, the upper levels first where not everything fits.
    ///
    /// # Errors
    /// A path that leaves the workspace, is blocked, missing, or no directory.
    pub async fn tree(
        &self,
        workspace: &Workspace,
        query: TreeQuery,
    ) -> Result<TreeView, ContextError> {
        let most = self.config.security.max_tree_entries.max(1);
        let limit = Duration::from_millis(self.config.security.search_timeout_ms);
        let place = self.guard.resolve(&workspace.root, query.path.as_ref())?;
        let walk = Walk {
            root: workspace.root.clone(),
            start: place.absolute,
            hidden: query.include_hidden,
            ignored: query.include_ignored,
            guard: self.guard.clone(),
            deadline: Deadline::after(limit),
        };
        let (id, shown) = (workspace.id.clone(), place.relative);
        super::blocking(move || {
            let depth = query.max_depth.clamp(1, 8);
            let drawn = query.max_entries.unwrap_or(most).clamp(1, most);
            draw(&walk, id, shown, depth, drawn)
        })
        .await
    }
}

fn draw(
    walk: &Walk,
    workspace_id: String,
    shown: PathBuf,
    depth: usize,
    most: usize,
) -> Result<TreeView, ContextError> {
    let path = ShownPath::of(&shown);
    match walk.start.metadata() {
        Ok(meta) if meta.is_dir() => {}
        Ok(_) => return Err(ContextError::NotADirectory(path.path)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(ContextError::NoFile(path.path));
        }
        Err(source) => return Err(ContextError::Io { path: path.path, source }),
    }
    // One level more than is drawn, to count what is not.
    let Gathered { nodes, unreadable, full } = gather(walk, depth + 1);
    let full = full || nodes.len() > MAX_WALKED;
    let mut drawing = Drawing::new(depth);
    nodes.into_iter().take(MAX_WALKED).for_each(|node| drawing.add(node));
    let timed_out = walk.deadline.was_hit();
    let picture = drawing.finish(&path.path, most);
    Ok(TreeView {
        workspace_id,
        path,
        entries: picture.entries,
        omitted: picture.omitted,
        truncated: picture.omitted > 0 || timed_out || full,
        timed_out,
        unreadable,
        odd_paths: picture.odd_paths,
        text: picture.text,
    })
}
