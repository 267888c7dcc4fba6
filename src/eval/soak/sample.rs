use crate::eval::crash::{Role, helpers};
use crate::process::holding;
use crate::stage::{Server, Stage};
use serde::Serialize;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// What is held at one moment of a soak. Memory in KiB, disk in bytes as allocated.
#[derive(Debug, Clone, Default, Serialize)]
pub(super) struct Sample {
    pub(super) turns: u32,
    pub(super) server_rss: u64,
    pub(super) server_descriptors: u64,
    pub(super) sidecar_rss: u64,
    pub(super) sidecar_descriptors: u64,
    pub(super) codex_rss: u64,
    pub(super) codex_descriptors: u64,
    /// The database. Its write-ahead log belongs to the rest: it is bounded.
    pub(super) store: u64,
    /// Codex's own home: conversations, its databases.
    pub(super) codex_home: u64,
    /// The base's git directory: snapshots.
    pub(super) git: u64,
    /// Everything else below the state directory.
    pub(super) rest: u64,
}

impl Sample {
    /// Looks at processes and disk.
    pub(super) fn take(stage: &Stage, server: &Server, turns: u32) -> Self {
        let mut sample = Self { turns, ..Self::default() };
        if let Some(held) = holding(server.pid()) {
            sample.server_rss = held.resident_kib;
            sample.server_descriptors = held.descriptors;
        }
        for (role, process) in helpers(stage) {
            let Some(held) = holding(process.pid) else { continue };
            let (rss, descriptors) = match role {
                Role::Sidecar => (&mut sample.sidecar_rss, &mut sample.sidecar_descriptors),
                Role::Codex => (&mut sample.codex_rss, &mut sample.codex_descriptors),
            };
            *rss = held.resident_kib;
            *descriptors = held.descriptors;
        }
        sample.git = used(&stage.repo.common_dir);
        for entry in std::fs::read_dir(stage.state.root()).into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let place = match name.as_str() {
                "codex" => &mut sample.codex_home,
                "store.db" => &mut sample.store,
                _ => &mut sample.rest,
            };
            *place += used(&entry.path());
        }
        sample
    }
}

/// Bytes on the disk below a path. What goes while it is looked at counts as nothing.
fn used(path: &Path) -> u64 {
    let Ok(meta) = std::fs::symlink_metadata(path) else { return 0 };
    let own = meta.blocks() * 512;
    if !meta.is_dir() {
        return own;
    }
    let below = std::fs::read_dir(path).into_iter().flatten().flatten();
    own + below.map(|entry| used(&entry.path())).sum::<u64>()
}
