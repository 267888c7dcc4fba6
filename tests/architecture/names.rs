//! Which crate-internal rooms and which outside crates a file names, wherever it names them.

use super::source::File;
use proc_macro2::{TokenStream, TokenTree};
use std::collections::BTreeSet;
use syn::visit::Visit;

/// First names of the paths in a file.
#[derive(Default)]
pub(crate) struct Names {
    /// Rooms of this crate, by `crate::room` or by `super` up to the root.
    pub(crate) rooms: BTreeSet<String>,
    /// First segments of all other paths.
    pub(crate) heads: BTreeSet<String>,
    /// String literals, macros included.
    pub(crate) texts: Vec<String>,
    module: Vec<String>,
}

impl Names {
    /// Reads a file.
    pub(crate) fn of(file: &File) -> Self {
        let mut names = Self { module: file.module(), ..Self::default() };
        names.visit_file(&file.syntax);
        names
    }

    fn path(&mut self, segments: &[String]) {
        let Some(head) = segments.first() else { return };
        match head.as_str() {
            "crate" | "patchbay" => self.rooms.extend(segments.get(1).cloned()),
            "super" => {
                let ups = segments.iter().take_while(|s| *s == "super").count();
                if ups == self.module.len() {
                    self.rooms.extend(segments.get(ups).cloned());
                }
            }
            _ => {
                self.heads.insert(head.clone());
            }
        }
    }

    fn tree(&mut self, before: &[String], tree: &syn::UseTree) {
        let with = |name: &syn::Ident| [before, &[name.to_string()]].concat();
        match tree {
            syn::UseTree::Path(p) => self.tree(&with(&p.ident), &p.tree),
            syn::UseTree::Name(n) => self.path(&with(&n.ident)),
            syn::UseTree::Rename(r) => self.path(&with(&r.ident)),
            syn::UseTree::Glob(_) => self.path(before),
            syn::UseTree::Group(g) => g.items.iter().for_each(|t| self.tree(before, t)),
        }
    }

    /// The inside of a macro is tokens only: paths are runs of `name :: name`.
    fn tokens(&mut self, stream: TokenStream) {
        let mut run: Vec<String> = Vec::new();
        let mut colons = 0;
        for token in stream {
            match &token {
                TokenTree::Punct(p) if p.as_char() == ':' => colons += 1,
                TokenTree::Ident(name) if colons == 2 && !run.is_empty() => {
                    run.push(name.to_string());
                    colons = 0;
                }
                other => {
                    self.end_run(&mut run);
                    colons = 0;
                    match other {
                        TokenTree::Ident(name) => run.push(name.to_string()),
                        TokenTree::Group(group) => self.tokens(group.stream()),
                        TokenTree::Literal(literal) => self.literal(&literal.to_string()),
                        TokenTree::Punct(_) => {}
                    }
                }
            }
        }
        self.end_run(&mut run);
    }

    fn end_run(&mut self, run: &mut Vec<String>) {
        if run.len() > 1 {
            self.path(run);
        }
        run.clear();
    }

    fn literal(&mut self, text: &str) {
        if let Ok(text) = syn::parse_str::<syn::LitStr>(text) {
            self.texts.push(text.value());
        }
    }
}

impl<'ast> Visit<'ast> for Names {
    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        self.tree(&[], &item.tree);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let segments: Vec<String> = path.segments.iter().map(|s| s.ident.to_string()).collect();
        if segments.len() > 1 {
            self.path(&segments);
        }
        syn::visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        self.visit_path(&call.path);
        self.tokens(call.tokens.clone());
    }

    fn visit_lit_str(&mut self, text: &'ast syn::LitStr) {
        self.texts.push(text.value());
    }

    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        // Inside an inline module `super` is one step shorter.
        self.module.push(item.ident.to_string());
        syn::visit::visit_item_mod(self, item);
        self.module.pop();
    }
}
