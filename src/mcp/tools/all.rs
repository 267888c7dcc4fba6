use super::{connector, context, integrate, worker};
use crate::mcp::{Facts, ToolSpec};

/// All tools of all families, in the order they are listed in. The order is frozen: hosts cache lists.
#[must_use]
pub fn all(facts: &Facts) -> Vec<ToolSpec> {
    let mut all = connector::tools(facts);
    all.extend(context::tools());
    all.extend(worker::tools());
    all.extend(integrate::tools());
    all
}
