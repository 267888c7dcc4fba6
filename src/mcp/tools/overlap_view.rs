//! Which other workers touch the same files, as hosts see it.

use crate::worker::Overlap;
use serde_json::{Value, json};

/// Most paths that are named for one other worker; the count beside them is whole.
const NAMED: usize = 20;

/// The others, each with the files.
pub(super) fn overlap_view(overlaps: &[Overlap]) -> Value {
    let one = |overlap: &Overlap| {
        let paths: Vec<String> = overlap.paths.iter().take(NAMED).map(|p| p.lossy()).collect();
        json!({
            "worker_id": overlap.worker, "name": overlap.name, "state": overlap.state,
            "paths": paths, "path_count": overlap.paths.len(),
        })
    };
    overlaps.iter().map(one).collect()
}

/// The others in words: `Bob (src/a, src/b and 3 more)`.
pub(super) fn overlap_words(overlaps: &[Overlap]) -> String {
    let one = |overlap: &Overlap| {
        let paths: Vec<String> = overlap.paths.iter().take(3).map(|p| p.lossy()).collect();
        let more = overlap.paths.len() - paths.len();
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        format!("{} ({}{more})", overlap.name, paths.join(", "))
    };
    overlaps.iter().map(one).collect::<Vec<_>>().join("; ")
}
