use super::IntegrationError;
use super::place::{Content, Found, Place};
use crate::git::{GitPath, MODE_EXECUTABLE, MODE_LINK};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// One side of a move: what is, or shall be, at the path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Side {
    /// As in a tree.
    pub(super) mode: u32,
    /// Permission bits to set; `None` = as the umask gives them.
    pub(super) permissions: Option<u32>,
    /// Blob with the exact bytes (the target, for a link).
    pub(super) raw: String,
}

/// What an apply does to one path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Move {
    /// The path's exact bytes as base64.
    path_b64: String,
    pub(super) before: Option<Side>,
    pub(super) after: Option<Side>,
}

impl Move {
    pub(super) fn new(path: &GitPath, before: Option<Side>, after: Option<Side>) -> Self {
        Self { path_b64: path.b64(), before, after }
    }

    pub(super) fn path(&self) -> GitPath {
        GitPath::from_b64(&self.path_b64).unwrap_or_else(|| GitPath::new(Vec::new()))
    }
}

/// Which way the moves are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// From before to after.
    Forward,
    /// Back again.
    Back,
}

/// What the disk holds at the path of a move.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    Before,
    After,
    /// Neither: somebody else wrote it.
    Foreign,
}

/// All moves of one apply. The contents lie in files `before/<n>` and `after/<n>`.
#[derive(Debug)]
pub(super) struct Moves {
    pub(super) id: String,
    pub(super) list: Vec<Move>,
    pub(super) contents: PathBuf,
}

impl Moves {
    /// The order in which to make the moves: removals first and the deepest of them first, so that
    /// files can take the place of directories; then the rest.
    pub(super) fn order(&self, way: Way) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.list.len()).collect();
        order.sort_by_cached_key(|n| self.list[*n].path());
        let target = |n: &usize| self.target(*n, way).is_some();
        let (puts, mut removals): (Vec<usize>, Vec<usize>) = order.into_iter().partition(target);
        removals.reverse();
        removals.extend(puts);
        removals
    }

    /// Makes one move unless it is made already.
    ///
    /// # Errors
    /// [`IntegrationError::BaseChanged`] when somebody else wrote the path.
    pub(super) fn make(&self, place: &Place, n: usize, way: Way) -> Result<(), IntegrationError> {
        let path = self.list[n].path();
        let (done, todo) = match way {
            Way::Forward => (Standing::After, Standing::Before),
            Way::Back => (Standing::Before, Standing::After),
        };
        match self.standing(place, n)? {
            standing if standing == done => Ok(()),
            standing if standing == todo => match self.target(n, way) {
                None => place.remove(&path),
                Some(side) => place.put(&path, &self.temporary(n), &self.content(n, side, way)?),
            },
            _ => Err(IntegrationError::BaseChanged(path)),
        }
    }

    /// What is at the path of a move now.
    pub(super) fn standing(&self, place: &Place, n: usize) -> Result<Standing, IntegrationError> {
        let found = match place.look(&self.list[n].path()) {
            // What the way there leads through is another path's business.
            Err(IntegrationError::Obstructed(_)) => Found::Absent,
            other => other?,
        };
        for (standing, side, way) in [
            (Standing::After, &self.list[n].after, Way::Forward),
            (Standing::Before, &self.list[n].before, Way::Back),
        ] {
            let matches = match (side, &found) {
                (None, Found::Absent | Found::Directory) => true,
                (Some(side), Found::Link { target }) => {
                    side.mode == MODE_LINK && *target == self.bytes(n, way)?
                }
                (Some(side), Found::File { permissions, bytes }) => {
                    side.mode != MODE_LINK
                        && (side.mode == MODE_EXECUTABLE) == (permissions & 0o100 != 0)
                        && *bytes == self.bytes(n, way)?
                }
                _ => false,
            };
            if matches {
                return Ok(standing);
            }
        }
        Ok(Standing::Foreign)
    }

    /// Removes what a crash may have left beside the paths.
    pub(super) fn sweep(&self, place: &Place) {
        for n in 0..self.list.len() {
            place.remove_temporary(&self.list[n].path(), &self.temporary(n));
        }
    }

    /// The file that holds the content of one side.
    pub(super) fn content_file(&self, n: usize, way: Way) -> PathBuf {
        let side = if way == Way::Forward { "after" } else { "before" };
        self.contents.join(side).join(n.to_string())
    }

    fn target(&self, n: usize, way: Way) -> Option<&Side> {
        let one = &self.list[n];
        if way == Way::Forward { one.after.as_ref() } else { one.before.as_ref() }
    }

    fn temporary(&self, n: usize) -> String {
        format!(".patchbay-{}-{n}", self.id)
    }

    fn bytes(&self, n: usize, way: Way) -> Result<Vec<u8>, IntegrationError> {
        let file = self.content_file(n, way);
        std::fs::read(&file).map_err(IntegrationError::io(&file))
    }

    fn content(&self, n: usize, side: &Side, way: Way) -> Result<Content, IntegrationError> {
        let bytes = self.bytes(n, way)?;
        Ok(if side.mode == MODE_LINK {
            Content::Link { target: bytes }
        } else {
            let executable = side.mode == MODE_EXECUTABLE;
            Content::File { permissions: side.permissions, executable, bytes }
        })
    }
}
