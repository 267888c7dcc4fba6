use super::ShownPath;
use std::fmt::Write;
use std::path::PathBuf;

/// One entry of a tree.
#[derive(Debug)]
pub(super) struct Node {
    /// 1 for what is directly below the start.
    pub(super) depth: usize,
    pub(super) directory: bool,
    pub(super) link: bool,
    /// Relative to the workspace.
    pub(super) path: PathBuf,
}

/// A tree that is being collected, in the order of a depth-first walk.
#[derive(Debug)]
pub(super) struct Drawing {
    depth: usize,
    nodes: Vec<Node>,
    /// For each node, its parent and how many children it has; the start is node 0.
    parents: Vec<usize>,
    children: Vec<usize>,
    /// The last node seen at each depth.
    open: Vec<usize>,
}

/// A tree that is drawn.
#[derive(Debug)]
pub(super) struct Picture {
    pub(super) text: String,
    pub(super) entries: usize,
    pub(super) omitted: usize,
    pub(super) odd_paths: Vec<ShownPath>,
}

impl Drawing {
    /// Draws `depth` levels; nodes below that only count for their parents.
    pub(super) fn new(depth: usize) -> Self {
        let start = Node { depth: 0, directory: true, link: false, path: PathBuf::new() };
        Self { depth, nodes: vec![start], parents: vec![0], children: vec![0], open: vec![0] }
    }

    pub(super) fn add(&mut self, node: Node) {
        self.open.truncate(node.depth);
        let parent = self.open.last().copied().unwrap_or_default();
        self.children[parent] += 1;
        if node.depth > self.depth {
            return;
        }
        self.open.push(self.nodes.len());
        self.nodes.push(node);
        self.parents.push(parent);
        self.children.push(0);
    }

    /// Draws at most `most` entries: whole levels as long as they fit, then the first of the next.
    pub(super) fn finish(self, start: &str, most: usize) -> Picture {
        let mut order: Vec<usize> = (1..self.nodes.len()).collect();
        order.sort_by_key(|index| (self.nodes[*index].depth, *index));
        let omitted = order.len().saturating_sub(most);
        order.truncate(most);
        order.sort_unstable();
        let mut hidden = self.children.clone();
        for index in &order {
            hidden[self.parents[*index]] -= 1;
        }
        let mut text = format!("{}/{}", printable(start), more(hidden[0]));
        let mut odd_paths = Vec::new();
        for index in &order {
            let node = &self.nodes[*index];
            let name = node.path.file_name().unwrap_or_default().to_string_lossy();
            let mark = if node.directory { "/" } else { ["", "@"][usize::from(node.link)] };
            let (pad, more) = (node.depth * 2, more(hidden[*index]));
            // Writing to a string cannot fail.
            let _ = write!(text, "\n{:pad$}{}{mark}{more}", "", printable(&name));
            let shown = ShownPath::of(&node.path);
            odd_paths.extend(shown.path_b64.is_some().then_some(shown));
        }
        Picture { text, entries: order.len(), omitted, odd_paths }
    }
}

fn more(hidden: usize) -> String {
    if hidden == 0 { String::new() } else { format!(" (+{hidden})") }
}

/// A name on one line: control characters are escaped.
pub(super) fn printable(name: &str) -> String {
    let mut text = String::with_capacity(name.len());
    for c in name.chars() {
        if c.is_control() { text.extend(c.escape_default()) } else { text.push(c) }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawing() -> Drawing {
        let mut drawing = Drawing::new(2);
        for path in ["a", "a/b", "a/b/c", "a/b/d", "e", "e/f", "g\n"] {
            drawing.add(Node {
                depth: path.split('/').count(),
                directory: ["a", "a/b", "e"].contains(&path),
                link: path == "e/f",
                path: PathBuf::from(path),
            });
        }
        drawing
    }

    #[test]
    fn upper_levels_come_first_and_the_rest_is_counted() {
        let all = drawing().finish(".", 10);
        assert_eq!(all.text, "./\n  a/\n    b/ (+2)\n  e/\n    f@\n  g\\n");
        assert_eq!((all.entries, all.omitted), (5, 0));
        let some = drawing().finish(".", 4);
        assert_eq!(some.text, "./\n  a/\n    b/ (+2)\n  e/ (+1)\n  g\\n");
        assert_eq!((some.entries, some.omitted), (4, 1));
        assert_eq!(drawing().finish(".", 2).text, "./ (+1)\n  a/ (+1)\n  e/ (+1)");
    }
}
